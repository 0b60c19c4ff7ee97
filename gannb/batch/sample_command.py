"""`gannb sample RUN`: what it is given is checked before torch is loaded."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from gannb.batch import whole_folder
from gannb.config.experiment import Experiment
from gannb.config.faults import BadInput
from gannb.config.sources import Source
from gannb.control.echo import shown
from gannb.networks.registry import NETWORKS
from gannb.runs import locations
from gannb.runs.checks import classes_of, params_of

SPEECH = Source((), (".wav", ".ogg", ".flac"))
RANGES = {"n": (1, 1_000_000), "seed": (0, 2**63 - 1), "truncation": (0.0, 2.0), "frames": (2, 120)}
"""What numbers may be, ends included."""
ONLY_FOR = {
    "n": ("images", "points"),
    "truncation": ("images",),
    "interpolate": ("images",),
    "frames": ("images",),
    "class": ("images",),
    "speech": ("gestures",),
    "speaker": ("gestures",),
}


def add_parser(commands: Any) -> None:
    """Add `sample` to the command line."""
    parser = commands.add_parser("sample", help="write images, points or gestures that a run's generator generates")
    add_run(parser)
    parser.add_argument("-n", type=int, metavar="N", help="images or points (default: 64)")
    parser.add_argument("--seed", type=int, default=0, metavar="SEED", help="of the latents (default: 0)")
    parser.add_argument("--truncation", type=float, metavar="PSI", help="towards the mean latent, for mapping networks")
    parser.add_argument("--class", metavar="NAME|N", help="of a conditional run: this class alone, by name or number")
    parser.add_argument("--interpolate", choices=("webp", "apng"), help="also write an animation between latents")
    parser.add_argument("--frames", type=int, metavar="N", help="from one latent to the next (default: 24)")
    parser.add_argument("--speech", metavar="FILE", help="for gestures: a sound file of speech, of any length")
    parser.add_argument("--speaker", metavar="NAME", help="for gestures: in whose style (default: the first)")
    parser.add_argument("--out", metavar="DIR", help="a new folder (default: RUN-samples)")


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that select the networks of a run, and what happens to a folder that is there."""
    parser.add_argument("run", metavar="RUN", help="a run folder, its name, or last; it may still be running")
    parser.add_argument("--checkpoint", default="", metavar="C", help="best | last | STEP (default: best, else last)")
    parser.add_argument("--raw", action="store_true", help="the network itself, not the average of its weights")
    parser.add_argument("--overwrite", action="store_true", help="replace a folder that this command wrote")


def main(args: argparse.Namespace) -> int:
    """Write the samples, print where they are, and return 0.

    Raises:
        BadInput: something that it is given cannot be used; nothing was written.
    """
    folder = locations.find(args.run)
    params = params_of(folder)
    check_checkpoint(folder, args.checkpoint)
    _check(args, params, folder)
    out = locations.path_of(args.out, "--out") if args.out else Path(f"{folder.name}-samples")
    whole_folder.check(out, args.overwrite)
    from gannb.batch import samples
    from gannb.training.trained import Trained

    trained = Trained.of(folder, args.checkpoint, raw=args.raw)
    print(f"samples: {samples.write(trained, out, args)}")
    return 0


def check_checkpoint(folder: Path, which: str) -> None:
    """Check that a run has a checkpoint.

    Raises:
        BadInput: it has not.
    """
    there = folder / "checkpoints"
    steps = [str(int(path.stem.removeprefix("step-"))) for path in sorted(there.glob("step-*.safetensors"))]
    if which not in ("", *["last"] * bool(steps), *steps) and not (there / f"{which}.safetensors").is_file():
        raise BadInput(f"--checkpoint: given {shown(which)}; {folder.name} has: last, {', '.join(steps)}")


def _check(args: argparse.Namespace, params: Experiment, folder: Path) -> None:
    kind = params.generates
    if kind not in ("images", "points", "gestures"):
        hint = "; its network cleans features: gannb clean FEATURES.npz --model RUN" if kind == "features" else ""
        raise BadInput(f"RUN: a run of {params.name} generates nothing{hint}")
    for name, kinds in ONLY_FOR.items():
        if getattr(args, name) is not None and kind not in kinds:
            raise BadInput(f"{_flag(name)}: only for {' and '.join(kinds)}; {params.name} generates {kind}")
    for name, (low, high) in RANGES.items():
        value = getattr(args, name)
        if value is not None and not low <= value <= high:
            raise BadInput(f"{_flag(name)}: given {shown(value)}; allowed: {low} … {high}")
    if args.truncation is not None and not NETWORKS[network := getattr(params, "network", "")].mapping:
        having = ", ".join(name for name, known in NETWORKS.items() if known.mapping)
        raise BadInput(f"--truncation: {network} has no mapping network; allowed with: {having}")
    if (given := getattr(args, "class")) is not None:
        setattr(args, "class", _class_number(given, params, folder))
    if args.frames is not None and not args.interpolate:
        raise BadInput("--frames: only with --interpolate")
    if kind == "gestures":
        if not args.speech:
            raise BadInput("--speech: needed for gestures; name a .wav, .ogg or .flac file of speech")
        if why := SPEECH.fault(args.speech):
            raise BadInput(f"--speech: given {shown(args.speech)}; {why}; allowed: {SPEECH.allowed}")
        speakers = folder / "speakers.json"
        known = json.loads(speakers.read_text(encoding="utf-8")) if speakers.is_file() else []
        if args.speaker is not None and args.speaker not in known:
            raise BadInput(f"--speaker: given {shown(args.speaker)}; {folder.name} has: {', '.join(known) or 'none'}")


def _class_number(given: str, params: Experiment, folder: Path) -> int:
    if not getattr(params, "conditional", False):
        raise BadInput(f"--class: {folder.name} is not conditional; train with conditional=true")
    names = [*classes_of(folder)]
    if given in names:
        return names.index(given)
    if given.isdecimal() and int(given) < len(names):
        return int(given)
    raise BadInput(f"--class: given {shown(given)}; {folder.name} has: {', '.join(names)}, or 0 … {len(names) - 1}")


def _flag(name: str) -> str:
    return f"-{name}" if len(name) == 1 else f"--{name}"
