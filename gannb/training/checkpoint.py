"""Checkpoints: one atomic, checksummed safetensors file with the state as JSON in its head, and no pickle.

Everything is built first and copied into in place: safetensors' own tensors have other strides and alignment, and an
optimiser loaded with other strides computes wrong values without a word.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from gannb.runs.files import write_bytes

LAYOUT = 2
NAME = re.compile(r"(?!(best|last|\d+|step-\d+)$)(?!.*_best_)[^\W_][\w .-]{0,79}(?<![ .])")
"""What a person may call a checkpoint: a file name on every system that none of gannb's own files has."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be used: damaged, of another layout, or of other networks."""


class Damaged(CheckpointError):
    """A checkpoint that is gone or not as it was written; the one before may be whole."""


@dataclass(frozen=True)
class Checkpoint:
    """What a run needs to go on: tensors by name, and the rest as JSON."""

    tensors: Mapping[str, Tensor]
    state: dict[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors, of any shape, whose names begin with a prefix such as "G/average/", by the rest of the names."""
        return {name.removeprefix(prefix): t for name, t in self.tensors.items() if name.startswith(prefix)}

    def write(self, path: Path) -> Path:
        """Write atomically."""
        tensors = {k: v.detach().cpu().contiguous() for k, v in self.tensors.items()}
        state = json.dumps({"layout": LAYOUT, **self.state})
        head = {"gannb": state, "digest": digest(tensors, state)}
        return write_bytes(path, safetensors.torch.save(tensors, head))

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """Read and verify.

        Raises:
            Damaged: gone, truncated, altered, or not a checkpoint.
            CheckpointError: of another layout.
        """
        try:
            with safe_open(path, "pt") as file:
                tensors, head = {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
        except FileNotFoundError as error:
            raise Damaged(f"there is no checkpoint {path.stem} in {path.parent.parent.name}") from error
        except (SafetensorError, ValueError, RecursionError) as error:
            raise Damaged(f"{path.name} is damaged or not a checkpoint ({error})") from error
        if "gannb" not in head:
            raise Damaged(f"{path.name} holds tensors, but no state of a run")
        if head.get("digest") != digest(tensors, head["gannb"]):
            raise Damaged(f"{path.name} is damaged: its content does not match its checksum")
        state = json.loads(head["gannb"])
        if state.get("layout") != LAYOUT:
            raise CheckpointError(
                f"{path.name} has layout {state.get('layout')}; this version of gannb reads layout {LAYOUT}: "
                f"go on with the version that wrote it"
            )
        return cls(tensors, state)

    @torch.no_grad()
    def copy_into(self, tensors: Mapping[str, Tensor]) -> None:
        """Copy the tensors (any shape) into those of the run, all or none.

        Raises:
            CheckpointError: other names, shapes or types than the run's.
        """
        faults = [f"only in the checkpoint: {name}" for name in self.tensors.keys() - tensors.keys()]
        faults += [f"only in this run: {name}" for name in tensors.keys() - self.tensors.keys()]
        for name in tensors.keys() & self.tensors.keys():
            saved, mine = self.tensors[name], tensors[name]
            if saved.shape != mine.shape or saved.dtype != mine.dtype:
                faults.append(f"{name}: {_kind(saved)} saved, {_kind(mine)} here")
        if faults:
            more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
            raise CheckpointError("the checkpoint is of other networks: " + "; ".join(sorted(faults)[:5]) + more)
        for name, mine in tensors.items():
            mine.copy_(self.tensors[name])

    @property
    def finite(self) -> bool:
        """Whether no tensor holds a NaN or an infinity."""
        return all(bool(t.isfinite().all()) for t in self.tensors.values())


class Checkpoints:
    """A run's folder of checkpoints: the last two, the best, and those with a name are kept."""

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder, self.keep = folder, keep

    def write(self, checkpoint: Checkpoint, step: int) -> Path:
        """Write the checkpoint of a step and remove those that are too old; later ones (damaged) do not count."""
        path = checkpoint.write(self.folder / f"step-{step:08d}.safetensors")
        for old in [old for at, old in self.by_step() if at <= step][self.keep :]:
            old.unlink()
        return path

    def fault(self, name: str, step: int) -> str:
        """Why a checkpoint of a step cannot get a name, in words; "" where it can."""
        if not NAME.fullmatch(name):
            return f"a checkpoint cannot be called {name!r}; letters, digits, spaces and -._ make a name"
        if (other := self.named().get(name, step)) != step:
            return f"there is a checkpoint {name!r} of step {other}; delete {name}.safetensors, or choose another name"
        return ""

    def write_named(self, checkpoint: Checkpoint, name: str) -> Path:
        """Write a checkpoint that stays until a person deletes it."""
        return checkpoint.write(self.folder / f"{name}.safetensors")

    def delete_named(self, name: str) -> None:
        """Delete a checkpoint that a person named; nothing happens where it is gone already.

        Raises:
            CheckpointError: a name of gannb's own checkpoints, which resuming needs.
        """
        if not NAME.fullmatch(name):
            raise CheckpointError(f"{name!r} is not a checkpoint that a person named; only those can be deleted")
        (self.folder / f"{name}.safetensors").unlink(missing_ok=True)

    def named(self) -> dict[str, int]:
        """Names and steps of the checkpoints that a person named, in the order of their steps."""
        found = {path.stem: _step(path) for path in self.folder.glob("*.safetensors") if NAME.fullmatch(path.stem)}
        return dict(sorted(((name, step) for name, step in found.items() if step >= 0), key=lambda named: named[1]))

    def remove_after(self, step: int) -> None:
        """Remove those of later steps, which an alarm has found to be faulty."""
        for later, path in self.by_step():
            if later > step:
                path.unlink()

    def by_step(self) -> list[tuple[int, Path]]:
        """Steps and files, newest first."""
        found = [(re.fullmatch(r"step-(\d+)", p.stem), p) for p in self.folder.glob("step-*.safetensors")]
        return sorted(((int(match[1]), path) for match, path in found if match), reverse=True)

    def find(self, name: str) -> Path:
        """The file of "best" (there or not), "last", a step, or a name.

        Raises:
            CheckpointError: no such checkpoint; it says which there are.
        """
        if name == "best":
            return self.folder / "best.safetensors"
        files = {str(step): path for step, path in self.by_step()}
        files |= {"last": next(iter(files.values()))} if files else {}
        files |= {named: self.folder / f"{named}.safetensors" for named in self.named()}
        if name not in files:
            raise CheckpointError(f"no checkpoint {name!r}; there are: {', '.join(files) or 'none'}")
        return files[name]

    def newest(self) -> tuple[Checkpoint | None, list[str]]:
        """The newest checkpoint that is whole, and what is wrong with newer ones.

        Raises:
            CheckpointError: of another layout; an older one would not be what was asked for.
        """
        faults: list[str] = []
        for _, path in self.by_step():
            try:
                return Checkpoint.read(path), faults
            except Damaged as error:
                faults.append(str(error))
        return None, faults


def digest(tensors: Mapping[str, Tensor], state: str = "") -> str:
    """SHA-256 of a state and of named tensors of any shape: names, types, shapes and every byte."""
    total = hashlib.sha256(state.encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def _step(path: Path) -> int:
    """The step of a checkpoint, from its head alone; -1 where the file is none."""
    try:
        with safe_open(path, "pt") as file:
            return json.loads(file.metadata()["gannb"])["step"]
    except (SafetensorError, ValueError, LookupError, TypeError):
        return -1  # networks alone, or damaged: reading it says which


def _kind(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
