"""`gannb score REAL FAKE`: what it is given is checked before torch is loaded."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from gannb.config.faults import BadInput, NotFound
from gannb.config.sources import Source
from gannb.control.echo import shown
from gannb.metrics.feature_names import FEATURES
from gannb.runs import locations
from gannb.runs.checks import params_of, writable_folder

SIDE = Source((), (".npz", ".pt"), "images")


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Mount `score` on the command line; the parsed arguments carry `main` as `command`."""
    parser = subparsers.add_parser(
        "score",
        help="score generated images against real ones: folders, runs, statistics",
        description="FID (or FAED), KID, precision, recall, density, coverage, Inception score and LPIPS diversity "
        "from one pass over the images, each with its protocol. A side is a folder of images, file.npz[:array], a run "
        "(its folder, name, or last), or statistics: of --save-stats, of pytorch-fid (.npz), or a cache of "
        "torch-fidelity (.pt).",
    )
    parser.add_argument("real", metavar="REAL", help="real images")
    parser.add_argument("fake", metavar="FAKE", help="generated images; with --save-stats the .npz file to write")
    parser.add_argument("--save-stats", action="store_true", help="write statistics of REAL, to score against later")
    parser.add_argument("--train", metavar="TRAIN", help="the training images, for the share of copies")
    parser.add_argument("-n", type=int, default=500, metavar="N", help="images that a run generates (default: 500)")
    parser.add_argument(
        "--features",
        default="auto",
        metavar="F",
        help="auto (inception where its weights are found or can be downloaded, else faed), inception, "
        "inception_64, inception_192, inception_768, faed, or NAME=PATH of a CIFAR-10 ResNet (default: auto)",
    )
    parser.add_argument("--resize", type=int, metavar="SIDE", help="bring all images to SIDE×SIDE first")
    parser.add_argument("--channels", choices=("grey", "colour"), help="make all images grey, or colour, first")
    parser.add_argument("--no-lpips", action="store_true", help="leave LPIPS diversity out")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of latents, halves and pairs (default: 0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the scores to FILE")
    parser.set_defaults(command=main)


def main(args: argparse.Namespace) -> int:
    """Score, print the table, write the JSON: 0 when done, 2 where what is printed says why it cannot be scored."""
    try:
        _check(args)
        from gannb.metrics.score_folders import save_statistics, score_folders

        channels = {"grey": 1, "colour": 3, None: None}[args.channels]
        how: Any = {"features": args.features, "resize": args.resize, "channels": channels, "progress": True}
        if args.save_stats:
            print(f"statistics: {save_statistics(_opened(args.real, args, channels), Path(args.fake), **how).note}")
            return 0
        real, fake, train = (_opened(side, args, channels) for side in (args.real, args.fake, args.train))
        scores = score_folders(real, fake, train=train, lpips=not args.no_lpips, seed=args.seed, **how)
    except (ValueError, FileNotFoundError) as error:
        print(f"gannb score: {error}", file=sys.stderr)
        return 2
    print(scores)
    if args.json:
        scores.save(args.json)
    return 0


def _run_of(side: str) -> Path | None:
    """The run folder that a side names, where it names one; a folder or file of that name takes precedence."""
    try:
        folder, path = locations.find(side), locations.path_of(side, "side")
    except NotFound:
        return None
    return folder if not path.exists() or folder == path.resolve() else None


def _opened(side: str | None, args: argparse.Namespace, channels: int | None) -> Any:
    """The images of a run, or the path as it is."""
    if side is None or (folder := _run_of(side)) is None:
        return side
    from gannb.batch.samples import RunImages
    from gannb.training.trained import Trained

    return RunImages(Trained.of(folder), args.n, args.seed, resize=args.resize, channels=channels)


def _check(args: argparse.Namespace) -> None:
    fake = None if args.save_stats else args.fake
    for name, path in (("REAL", args.real), ("FAKE", fake), ("--train", args.train)):
        if path is not None and (folder := _run_of(path)) is not None:
            if (params := params_of(folder)).generates != "images":
                raise BadInput(f"{name}: {folder.name} is a run of {params.name}, which generates no images")
            continue
        file, array, _ = (path or "").partition(".npz:")
        if path is not None and (why := SIDE.fault(file + ".npz" * bool(array))):
            raise BadInput(f"{name}: given {shown(path)}; {why}; allowed: {SIDE.allowed}[:ARRAY], or a run")
    if args.save_stats:
        _check_output(args)
    if not 2 <= args.n <= 1_000_000:
        raise BadInput(f"-n: given {args.n}; allowed: 2 … 1000000")
    if why := FEATURES.fault(args.features):
        raise BadInput(f"--features: given {shown(args.features)}; {why}; allowed: {FEATURES.allowed}")
    if args.resize is not None and not 8 <= args.resize <= 4096:
        raise BadInput(f"--resize: given {shown(args.resize)}; allowed: 8 … 4096")
    if args.json is not None and args.json.is_dir():
        raise BadInput(f"--json: {shown(str(args.json))} is a folder; the name of a file is needed")
    if args.json is not None:
        writable_folder(args.json.parent, "--json")


def _check_output(args: argparse.Namespace) -> None:
    out = locations.path_of(args.fake, "--save-stats")
    if out.suffix != ".npz":
        raise BadInput(f"--save-stats: given {shown(args.fake)}; the name of a new .npz file is needed")
    if out.exists():
        raise BadInput(f"--save-stats: {shown(args.fake)} is there already; remove it, or name another")
    if args.train or args.json:
        raise BadInput("--save-stats: writes statistics of REAL alone; leave --train and --json out")
    writable_folder(out.parent, "--save-stats")
