"""The device that a benchmark runs on, and the file that its results go to."""

import argparse
import sys

import torch


def option(parser: argparse.ArgumentParser) -> None:
    """Add `--device`."""
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:N, or auto (a card where there is one)")


def chosen(name: str) -> torch.device:
    """The device asked for; the CPU, which is said, where there is no card."""
    if name != "cpu" and not torch.cuda.is_available():
        print("no CUDA device here: this runs on the CPU", file=sys.stderr)
        return torch.device("cpu")
    return torch.device("cuda" if name == "auto" else name)


def synchronise(device: torch.device) -> None:
    """Wait until a card has done what it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def named(name: str, device: torch.device) -> str:
    """The name of a result: figures of a card are kept apart from those of a processor."""
    return f"{name}_{device.type}" if device.type != "cpu" else name
