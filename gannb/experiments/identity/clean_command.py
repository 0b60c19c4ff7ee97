"""`gannb clean FEATURES.npz --model RUN`: what it is given is checked before torch is loaded."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from gannb.config.faults import BadInput
from gannb.config.sources import Source
from gannb.control.echo import shown
from gannb.runs import locations
from gannb.runs.checks import params_of, writable_folder

FEATURES = Source((), (".npz",))
PRICE = ("improvement", "improvement_60_90", "harm_rate")
"""The scores of a run that say what its cleaning gives and costs."""


def add_parser(commands: Any) -> None:
    """Add `clean` to the command line."""
    parser = commands.add_parser("clean", help="take pose out of face features with a trained identity run")
    parser.add_argument("features", metavar="FEATURES.npz", help="features [N, 512] and pose [N, 3] in degrees")
    parser.add_argument(
        "--model", metavar="RUN", required=True, help="a run of identity: its folder, its name, or last"
    )
    parser.add_argument("--pose-unit", choices=("auto", "degrees", "radians"), default="auto", help="of the pose")
    parser.add_argument("--out", metavar="FILE.npz", help="where to write (default: FEATURES_cleaned.npz)")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there")


def main(args: argparse.Namespace) -> int:
    """Write the cleaned copy, print what was done and what it costs, and return 0.

    Raises:
        BadInput: something that it is given cannot be used; nothing was written.
    """
    if why := FEATURES.fault(args.features):
        raise BadInput(f"FEATURES.npz: given {shown(args.features)}; {why}; allowed: {FEATURES.allowed}")
    source = Path(args.features).expanduser()
    given = args.out or str(source.with_name(f"{source.stem}_cleaned.npz"))
    out = locations.path_of(given, "--out")
    folder = locations.find(args.model, name="*" if args.model != "last" else "identity")
    if (name := params_of(folder).name) != "identity":
        raise BadInput(f"--model: {folder.name} is a run of {name}; a run of identity is needed")
    if out.suffix != ".npz" or out.is_dir():
        raise BadInput(f"--out: given {shown(given)}; the name of an .npz file is needed")
    if out.exists() and not args.overwrite:
        raise BadInput(f"--out: {shown(given)} is there; name another file, or add --overwrite")
    writable_folder(out.absolute().parent, "--out")
    try:
        changed, alike, count = _clean(source, folder, out, args.pose_unit)
    except (ValueError, FileNotFoundError) as error:
        raise BadInput(str(error)) from error
    print(f"cleaned: {out}")
    print(f"{count} faces: {changed} changed (mean cosine to the raw feature {alike:.4f}), {count - changed} as given")
    print(_price(folder))
    return 0


def _clean(source: Path, run: Path, out: Path, pose_unit: Any) -> tuple[int, float, int]:
    """Write the cleaned copy; returns how many faces changed, their mean cosine to the raw ones, and all faces."""
    import torch

    from gannb.experiments.identity.cleaning import clean_file

    count = changed = 0
    total = 0.0

    def watch(raw: torch.Tensor, cleaned: torch.Tensor) -> None:
        nonlocal count, changed, total
        cosine = torch.cosine_similarity(raw.double(), cleaned.double())
        moved = cosine < 1 - 1e-7
        count, changed, total = count + len(raw), changed + int(moved.sum()), total + float(cosine[moved].sum())

    clean_file(source, run, out, pose_unit=pose_unit, watch=watch)
    return changed, total / changed if changed else 1.0, count


def _price(folder: Path) -> str:
    """What the cleaning gave and cost on the people that the run held out."""
    from gannb.metrics.score import Scores

    summary = folder / "summary.json"
    scores = Scores.from_dict(json.loads(summary.read_text(encoding="utf-8"))) if summary.is_file() else Scores([])
    known = [f"{name} {scores[name].ranged()}" for name in PRICE if name in scores]
    if not known:
        return "gain and harm are not known: the run has not finished; `gannb diagnose` measures both"
    return f"on the people that the run held out: {', '.join(known)}; on yours: `gannb diagnose --model RUN`"
