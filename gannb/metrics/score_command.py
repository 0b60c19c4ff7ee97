"""`gannb score REAL FAKE`: what it is given is checked before torch is loaded."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gannb.config.faults import BadInput
from gannb.config.sources import Source
from gannb.control.echo import shown
from gannb.metrics.feature_names import FEATURES
from gannb.runs.checks import writable_folder

IMAGES = Source((), (".npz",), "images")


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Mount `score` on the command line; the parsed arguments carry `main` as `command`."""
    parser = subparsers.add_parser(
        "score",
        help="score a folder of generated images against a folder of real ones",
        description="FID (or FAED), KID, precision, recall, density, coverage, Inception score and LPIPS diversity "
        "from one pass over the images, each with its protocol.",
    )
    parser.add_argument("real", metavar="REAL", help="folder of real images, or file.npz[:array]")
    parser.add_argument("fake", metavar="FAKE", help="folder of generated images, or file.npz[:array]")
    parser.add_argument("--train", metavar="TRAIN", help="folder of the training images, for the share of copies")
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
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of random halves and pairs (default: 0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the scores to FILE")
    parser.set_defaults(command=main)


def main(args: argparse.Namespace) -> int:
    """Score, print the table, write the JSON: 0 when done, 2 where what is printed says why it cannot be scored."""
    try:
        _check(args)
        from gannb.metrics.score_folders import score_folders

        scores = score_folders(
            args.real,
            args.fake,
            train=args.train,
            features=args.features,
            resize=args.resize,
            channels={"grey": 1, "colour": 3, None: None}[args.channels],
            lpips=not args.no_lpips,
            seed=args.seed,
            progress=True,
        )
    except (ValueError, FileNotFoundError) as error:
        print(f"gannb score: {error}", file=sys.stderr)
        return 2
    print(scores)
    if args.json:
        scores.save(args.json)
    return 0


def _check(args: argparse.Namespace) -> None:
    for name, path in (("REAL", args.real), ("FAKE", args.fake), ("--train", args.train)):
        file, array, _ = (path or "").partition(".npz:")
        if path is not None and (why := IMAGES.fault(file + ".npz" * bool(array))):
            raise BadInput(f"{name}: given {shown(path)}; {why}; allowed: {IMAGES.allowed}[:ARRAY]")
    if why := FEATURES.fault(args.features):
        raise BadInput(f"--features: given {shown(args.features)}; {why}; allowed: {FEATURES.allowed}")
    if args.resize is not None and not 8 <= args.resize <= 4096:
        raise BadInput(f"--resize: given {shown(args.resize)}; allowed: 8 … 4096")
    if args.json is not None and args.json.is_dir():
        raise BadInput(f"--json: {shown(str(args.json))} is a folder; the name of a file is needed")
    if args.json is not None:
        writable_folder(args.json.parent, "--json")
