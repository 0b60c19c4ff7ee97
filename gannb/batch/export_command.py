"""`gannb export RUN FOLDER`: what it is given is checked before torch is loaded."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gannb.batch import whole_folder
from gannb.batch.sample_command import add_run, check_checkpoint
from gannb.config.faults import BadInput
from gannb.runs import locations
from gannb.runs.checks import params_of, writable_folder


def add_parser(commands: Any) -> None:
    """Add `export` to the command line."""
    parser = commands.add_parser("export", help="write a run's network for others: weights, model card, loader, ONNX")
    add_run(parser)
    parser.add_argument(
        "folder", metavar="FOLDER", nargs="?", help="a new folder, with the layout of the Hugging Face hub"
    )
    parser.add_argument("--tensorboard", action="store_true", help="instead, the measurements as a TensorBoard log")


def main(args: argparse.Namespace) -> int:
    """Write the folder, say what ONNX lacks, and return 0.

    Raises:
        BadInput: something that it is given cannot be used; nothing was written.
    """
    run = locations.find(args.run)
    if args.tensorboard:
        return _tensorboard(run, args.folder)
    if not args.folder:
        raise BadInput("FOLDER: name the new folder to write to")
    out = locations.path_of(args.folder, "FOLDER")
    if not (params := params_of(run)).generates:
        raise BadInput(f"RUN: a run of {params.name} trains no network that could be used without it")
    check_checkpoint(run, args.checkpoint)
    whole_folder.check(out, args.overwrite, "FOLDER")
    from gannb.batch import publication
    from gannb.training.trained import Trained

    reason = publication.write(Trained.of(run, args.checkpoint, raw=args.raw), out)
    print(f"exported: {out}" + (f"\nwithout ONNX: {reason}" if reason else ""))
    return 0


def _tensorboard(run: Path, folder: str | None) -> int:
    if find_spec("tensorboard") is None:
        raise BadInput("--tensorboard: the package is not installed: pip install tensorboard")
    out = writable_folder(locations.path_of(folder, "FOLDER") if folder else run, "FOLDER")
    from gannb.runs.trackers import replay

    replay(run, "tensorboard", out)
    print(f"tensorboard: {out / 'tensorboard'}")
    return 0
