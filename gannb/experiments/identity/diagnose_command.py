"""`gannb diagnose FEATURES.npz [--model RUN]`: what it is given is checked before torch is loaded."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gannb.config.faults import BadInput
from gannb.config.sources import Source
from gannb.control.echo import shown
from gannb.runs import locations
from gannb.runs.checks import writable_folder

if TYPE_CHECKING:
    from gannb.experiments.identity.cleaning import Cleaner
    from gannb.experiments.identity.diagnostics import Diagnosis
    from gannb.experiments.identity.faces import Faces

BAD_INPUT = 2
FEATURES = Source((), (".npz",))


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add `diagnose` to the command line."""
    parser = subparsers.add_parser("diagnose", help="diagnose face features, raw or cleaned by a trained identity run")
    parser.add_argument("features", metavar="FEATURES.npz", help="features [N, 512], identity [N], pose [N, 3] degrees")
    parser.add_argument("--model", metavar="RUN", help="a run of identity: its folder, its name, or last")
    parser.add_argument("--pose-unit", choices=("auto", "degrees", "radians"), default="auto", help="of the pose")
    parser.add_argument("--drop-singles", action="store_true", help="leave out identities with one image")
    parser.add_argument("--target", choices=("frontal", "partner"), default="frontal", help="what is compared with")
    parser.add_argument("--out", metavar="PATH", help="where to write PATH.html and PATH.json (default: beside it)")
    return parser


def main(args: argparse.Namespace) -> int:
    """Write the HTML and the JSON; 0 when done, 2 for bad input, which it raises and reports itself."""
    try:
        if why := FEATURES.fault(args.features):
            raise BadInput(f"FEATURES.npz: given {shown(args.features)}; {why}; allowed: {FEATURES.allowed}")
        source = Path(args.features).expanduser()
        out = Path(args.out).expanduser() if args.out else source.with_name(f"{source.stem}_diagnosis")
        writable_folder(out.parent, "--out")
        if args.model:
            locations.find(args.model, name="*" if args.model != "last" else "identity")
        diagnosis = _diagnose(args)
    except (ValueError, FileNotFoundError) as error:
        print(f"gannb: {error}", file=sys.stderr)
        return BAD_INPUT
    from gannb.experiments.identity.diagnostics import score_table

    page, data = diagnosis.save(out)
    print(diagnosis, score_table(diagnosis.scores), f"written: {page}, {data}", sep="\n\n")
    return 0


def _diagnose(args: argparse.Namespace) -> Diagnosis:
    from gannb.experiments.identity import files
    from gannb.experiments.identity.diagnostics import Diagnosis

    given = files.load(args.features, pose_unit=args.pose_unit, drop_singles=args.drop_singles)
    if not args.model:
        aimed = given.with_targets(args.target)
        return Diagnosis.of(aimed.features, aimed, f"{given.source}, raw")
    from gannb.experiments.identity.cleaning import Cleaner

    cleaner = Cleaner.of(args.model)
    evaluated, whom = _not_trained_on(given, cleaner, Path(args.features))
    aimed = evaluated.with_targets(args.target)
    title = f"{whom} of {given.source}, cleaned by {cleaner.run}"
    return Diagnosis.of(cleaner(aimed.features, aimed.pose), aimed, title)


def _not_trained_on(given: Faces, cleaner: Cleaner, path: Path) -> tuple[Faces, str]:
    """Only the people that the run held out, where it was trained on this very file."""
    trained_on = Path(cleaner.params.data).expanduser()
    if trained_on.is_file() and trained_on.samefile(path.expanduser()):
        return given.split(cleaner.params.held_out, seed=cleaner.params.seed)[1], "held-out people"
    return given, "all people"
