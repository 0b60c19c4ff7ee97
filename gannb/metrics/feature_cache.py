"""What is kept between evaluations: features of real images and fitted autoencoders, addressed by content.

Files are named by a hash of everything they follow from (images, weights, settings), so nothing here can be stale.
They are arrays only (`.npz`, never pickle), written whole or not at all; delete the folder at will.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gannb.data.arrays import ArrayError, Arrays
from gannb.runs.files import write_with


def cache_dir() -> Path:
    """`$GANNB_CACHE`, or `~/.cache/gannb`."""
    return Path(os.environ.get("GANNB_CACHE") or Path.home() / ".cache" / "gannb")


def content_hash(*parts: Tensor | str | int | float) -> str:
    """Hash tensors (shape, type, bytes) and plain values to 32 hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, Tensor):
            array = part.detach().cpu().contiguous()
            digest.update(f"{array.dtype}{tuple(array.shape)}".encode())
            digest.update(array.reshape(-1).view(torch.uint8).numpy().data)
        else:
            digest.update(f"{part!r};".encode())
    return digest.hexdigest()


def weights_hash(module: nn.Module) -> str:
    """Hash a network's parameters and buffers, names included."""
    return content_hash(*(part for name, tensor in module.state_dict().items() for part in (name, tensor)))


def load_arrays(kind: str, name: str) -> dict[str, np.ndarray] | None:
    """Arrays (any shape) stored under `kind/name`, or None; a damaged file counts as none, and is removed."""
    path = cache_dir() / kind / f"{name}.npz"
    if not path.exists():
        return None
    try:
        stored = Arrays(path)
        return {name: stored.read(name) for name in stored.headers}
    except (OSError, ArrayError) as damage:
        _discard(path, damage)
        return None


def store_arrays(kind: str, name: str, arrays: Mapping[str, Any]) -> None:
    """Store arrays; a folder that cannot be written to is no error, the next run computes again.

    Args:
        kind: a folder of the cache.
        name: of the file, without its suffix.
        arrays: by name, any shape.
    """
    path = cache_dir() / kind / f"{name}.npz"
    try:
        write_with(path, lambda file: np.savez(file, **arrays))
    except OSError as refused:
        warnings.warn(f"{path} was not cached: {refused}", stacklevel=2)


def load_weights(kind: str, name: str, module: nn.Module) -> bool:
    """Fill a network with stored weights; False where there are none that fit.

    Args:
        kind: a folder of the cache.
        name: of the file, without its suffix.
        module: the network.
    """
    stored = load_arrays(kind, name)
    if stored is None:
        return False
    try:
        module.load_state_dict({name: torch.from_numpy(values) for name, values in stored.items()})
    except RuntimeError as misfit:
        _discard(cache_dir() / kind / f"{name}.npz", misfit)
        return False
    return True


def store_weights(kind: str, name: str, module: nn.Module) -> None:
    """Store a network's weights; as `store_arrays`.

    Args:
        kind: a folder of the cache.
        name: of the file, without its suffix.
        module: the network.
    """
    store_arrays(kind, name, {name: values.cpu().numpy() for name, values in module.state_dict().items()})


def _discard(path: Path, damage: Exception) -> None:
    warnings.warn(f"{path} is damaged ({damage}); it is removed and computed again", stacklevel=3)
    path.unlink(missing_ok=True)
