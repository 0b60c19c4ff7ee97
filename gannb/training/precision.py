"""fp32, bf16, fp16, or what suits the device, from a stated epoch on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch

from gannb.runs.environment import multiplies_bf16
from gannb.training.emulation import EmulatedProducts

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
KINDS = ("auto", "fp32", *DTYPES)


@contextmanager
def _reduced(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """Autocast; on a processor without instructions for reduced precision, with products that take less time."""
    emulated = device.type == "cpu" and not multiplies_bf16(device)
    with torch.autocast(device.type, dtype), EmulatedProducts(dtype) if emulated else nullcontext():
        yield


@dataclass(frozen=True)
class Precision:
    """How numbers are held in forward passes.

    Attributes:
        kind: "fp32", "bf16" or "fp16"; "auto": bf16 where the device multiplies it in hardware, else fp32. Under fp16
            every player scales its gradients with its own GradScaler.
        from_epoch: full precision before this epoch (motion_balance §4: from epoch 10).
    """

    kind: str = "fp32"
    from_epoch: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"precision: given {self.kind!r}; allowed: {' | '.join(KINDS)}")

    def on(self, device: torch.device) -> str:
        """The precision that a device uses: "fp32", "bf16" or "fp16"."""
        if self.kind != "auto":
            return self.kind
        return "bf16" if multiplies_bf16(device) else "fp32"

    def active(self, epoch: int, device: torch.device) -> bool:
        """Whether the reduced precision is in use in this epoch."""
        return self.on(device) != "fp32" and epoch >= self.from_epoch

    def autocast(self, epoch: int, device: torch.device) -> AbstractContextManager:
        """The autocast block for this epoch; one that does nothing where full precision is in use."""
        return _reduced(device, DTYPES[self.on(device)]) if self.active(epoch, device) else nullcontext()

    def scaler(self, device: torch.device) -> torch.amp.GradScaler | None:
        """A scaler under fp16, None otherwise.

        It is made enabled and used from its epoch on: a disabled one saves an empty state.
        """
        return torch.amp.GradScaler(device.type, init_scale=2.0**14) if self.kind == "fp16" else None
