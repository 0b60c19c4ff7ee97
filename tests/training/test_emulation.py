"""Products in emulated reduced precision: what instructions for it would give, in value, type and gradient."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gannb.training import precision
from gannb.training.emulation import EmulatedProducts
from gannb.training.precision import Precision

HOST = torch.device("cpu")
LAST_BIT = {torch.bfloat16: 2**-8, torch.float16: 2**-11}
CASES = {
    "linear": (F.linear, (6, 24), (5, 24), (5,)),
    "conv1d": (F.conv1d, (2, 6, 12), (4, 6, 3), (4,)),
    "conv2d": (F.conv2d, (2, 6, 8, 8), (4, 6, 3, 3), (4,)),
    "conv_transpose2d": (F.conv_transpose2d, (2, 6, 5, 5), (6, 4, 4, 4), (4,)),
    "bmm": (torch.bmm, (3, 4, 24), (3, 24, 5)),
    "matmul": (torch.matmul, (4, 24), (24, 5)),
    "@": (lambda a, b: a @ b, (3, 4, 24), (24, 5)),
    "baddbmm": (torch.baddbmm, (3, 4, 5), (3, 4, 24), (3, 24, 5)),
}


def product(function, tensors, dtype, emulated):
    """The result and the gradients of a product under autocast."""
    given = [tensor.clone().requires_grad_() for tensor in tensors]
    with torch.autocast("cpu", dtype):
        if emulated:
            with EmulatedProducts(dtype):
                out = function(*given)
        else:
            out = function(*given)
    return out, *torch.autograd.grad(out.float().square().sum(), given)


@pytest.mark.parametrize("dtype", LAST_BIT)
@pytest.mark.parametrize("case", CASES)
def test_a_product_and_its_gradients_are_torchs_but_for_the_last_bit(case, dtype):
    function, *shapes = CASES[case]
    tensors = [torch.randn(shape, generator=torch.Generator().manual_seed(n)) for n, shape in enumerate(shapes)]
    ours, theirs = (product(function, tensors, dtype, emulated) for emulated in (True, False))
    assert ours[0].dtype == theirs[0].dtype == dtype
    for mine, other in zip(ours, theirs):
        assert (
            float((mine.float() - other.float()).detach().abs().max() / other.float().detach().abs().max())
            < 4 * LAST_BIT[dtype]
        )


@pytest.mark.parametrize("dtype", LAST_BIT)
def test_the_factors_are_rounded_before_and_the_result_after(dtype):
    bit = LAST_BIT[dtype]
    with torch.autocast("cpu", dtype), EmulatedProducts(dtype):
        assert float(F.linear(torch.tensor([1 + bit / 2]), torch.tensor([[1024.0]]))) == 1024.0
        assert float(F.linear(torch.tensor([1.0, 1.0]), torch.tensor([[1.0, bit / 2]]))) == 1.0
        sums = torch.cat([torch.ones(1), torch.full((4096,), bit / 2)])  # each is lost in a sum of reduced precision
        assert float(F.linear(torch.ones(4097), sums[None])) == pytest.approx(1 + 2048 * bit, rel=bit)


def test_outside_autocast_and_in_double_precision_nothing_changes():
    a, b = torch.randn(3, 4), torch.randn(4, 5)
    with EmulatedProducts(torch.bfloat16):
        assert torch.equal(torch.matmul(a, b), a @ b) and (a @ b).dtype == torch.float32
        with torch.autocast("cpu", enabled=False):
            assert (a @ b).dtype == torch.float32


def test_every_product_that_a_network_calls_is_emulated():
    """A layer that reaches torch's own emulation would be slow without a word."""
    seen = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            tensors = [value for value in args if isinstance(value, torch.Tensor)]
            if any(word in func.name() for word in ("conv", "mm", "linear")) and "_to_copy" not in func.name():
                seen.append((func.name(), {tensor.dtype for tensor in tensors}))
            return func(*args, **(kwargs or {}))

    convolutions = nn.Conv1d(4, 6, 3), nn.ConvTranspose1d(6, 6, 3), nn.Unflatten(0, (2, 1)), nn.Conv2d(1, 4, 3)
    layers = nn.Sequential(*convolutions, nn.Flatten(), nn.LazyLinear(3))
    layers(torch.zeros(2, 4, 16))
    with Watch():
        with torch.autocast("cpu", torch.bfloat16), EmulatedProducts(torch.bfloat16):
            loss = layers(torch.randn(2, 4, 16)).float().sum()
        loss.backward()
    assert len(seen) >= 8 and {kind for _, kinds in seen for kind in kinds} == {torch.float32}, seen


@pytest.mark.parametrize("kind", ["bf16", "fp16"])
@pytest.mark.parametrize("in_hardware", [True, False])
def test_it_is_there_only_where_the_processor_lacks_instructions(kind, in_hardware, monkeypatch):
    monkeypatch.setattr(precision, "multiplies_bf16", lambda device: in_hardware)
    with Precision(kind).autocast(0, HOST):
        modes = [torch.overrides._get_current_function_mode()]
        assert F.linear(torch.ones(2), torch.ones(2, 2)).dtype == precision.DTYPES[kind]
    assert isinstance(modes[0], EmulatedProducts) != in_hardware
    assert torch.overrides._get_current_function_mode() is None
