"""How much of a frontal face lies where pose moves other people's faces: on synthetic features, and on real ones.

    python benchmarks/pose_structure.py umist_features.npz     # seconds; writes results/identity_pose_structure.json

Means over the people who have profiles (75-90° of yaw), as `gannb.experiments.identity.pose_structure` gives them.
Synthetic people are drawn anew for each seed, without overlap and with the overlap that was measured on UMIST.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from gannb.comparison.results import hardware, keep, numbers
from gannb.comparison.trials import Trial
from gannb.experiments.identity import files
from gannb.experiments.identity.faces import Faces
from gannb.experiments.identity.pose_structure import pose_structure
from gannb.experiments.identity.synthetic import synthesise

SEEDS, OVERLAPS = range(5), (0.0, 0.63)
KEPT = {
    "frontal_share": "frontal: share in others",
    "frontal_cosine": "frontal: cosine to others",
    "displacement": "displacement",
    "displacement_share": "share in others",
    "displacement_cosine": "cosine to others",
    "people": "people",
}
"""Score → column of `pose_structure`."""


def of_profiles(variant: str, faces: Faces, seed: int = 0) -> Trial:
    """The last band of `pose_structure`, which is that of profiles."""
    table = pose_structure(faces)
    row = dict(zip(table.columns, table.rows[-1]))
    return numbers(variant, seed, **{score: row[column] for score, column in KEPT.items()})


def main() -> None:
    """Measure, keep and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path, help="real features: an .npz with features, identity and pose")
    path = parser.parse_args().file
    trials = [of_profiles(path.stem, files.load(path))]
    for overlap in OVERLAPS:
        trials += [
            of_profiles(f"synthetic, overlap {overlap:g}", synthesise(seed=s, overlap=overlap), s) for s in SEEDS
        ]
    head = {
        "question": "How much of the energy of a frontal face lies in the main directions of other people's pose?",
        "data": f"60 synthetic people a seed; real features of {path.name}",
        "command": f"python benchmarks/pose_structure.py {path.name}",
    }
    print(keep("identity_pose_structure", trials, hardware=hardware(), **head).table(KEPT))


if __name__ == "__main__":
    main()
