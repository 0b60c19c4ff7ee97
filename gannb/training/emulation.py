"""Products in reduced precision on processors without instructions for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

PRODUCTS: frozenset[Callable[..., Tensor]] = frozenset({
    F.linear, F.conv1d, F.conv2d, F.conv3d, F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d,
    torch.mm, torch.bmm, torch.matmul, torch.addmm, torch.addbmm, torch.baddbmm,
    Tensor.mm, Tensor.bmm, Tensor.matmul, Tensor.__matmul__, Tensor.addmm, Tensor.addbmm, Tensor.baddbmm,
})  # fmt: skip
"""What autocast computes in reduced precision, as it is called from Python."""


class EmulatedProducts(TorchFunctionMode):
    """Computes products in float32 from rounded factors and rounds the result, within autocast on a CPU.

    That is what instructions for bfloat16 and float16 do. With torch's own emulation of them a training step takes 6 to
    20 times as long as in float32, with this one 1.1 to 1.7 times (AVX2; `benchmarks/steps.py`). Products that no
    Python code calls, as within fused attention, are torch's.

    Args:
        dtype: `torch.bfloat16` or `torch.float16`.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func not in PRODUCTS or not torch.is_autocast_enabled("cpu"):
            return func(*args, **kwargs)
        with torch.autocast("cpu", enabled=False):
            given = [self._rounded(value) for value in args], {key: self._rounded(v) for key, v in kwargs.items()}
            return func(*given[0], **given[1]).to(self.dtype)

    def _rounded(self, value: Any) -> Any:
        """A factor with the digits of the reduced precision, in float32."""
        reducible = isinstance(value, Tensor) and value.is_floating_point() and value.dtype != torch.float64
        return value.to(self.dtype).float() if reducible else value
