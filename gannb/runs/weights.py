"""Weights to start from: of a run, of a safetensors file, of a torch state dict. Nothing but tensors is ever read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from gannb.config.experiment import Experiment
from gannb.control.echo import shown
from gannb.runs.checks import RunError, initial_weights


def read(params: Experiment) -> tuple[str, dict[str, Tensor]]:
    """The file's name, and its tensors (any shape) by name; names of nested dictionaries are joined by dots.

    Raises:
        RunError: it cannot be read as weights alone, holds none, or one that is not finite.
    """
    path = initial_weights(params)
    try:
        found = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # whatever damaged files raise, and what would need a pickle's code
        said = str(error).partition("\n")[0][:150]
        raise RunError(f"init_from: {shown(path.name)} cannot be read as weights alone ({said})") from error
    tensors = {name: tensor for name, tensor in _flat(found) if "/adam/" not in name}
    if not tensors:
        raise RunError(f"init_from: {shown(path.name)} holds no tensors by name, but {type(found).__name__}")
    if broken := [name for name, tensor in tensors.items() if not tensor.isfinite().all()]:
        raise RunError(f"init_from: {shown(path.name)} holds NaN or infinity in {', '.join(broken[:3])}")
    return path.name, tensors


def _flat(found: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    for name, value in found.items() if isinstance(found, Mapping) else ():
        if isinstance(value, Tensor):
            yield f"{prefix}{name}", value
        else:
            yield from _flat(value, f"{prefix}{name}.")
