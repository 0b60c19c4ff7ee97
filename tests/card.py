"""A card that is not there: tensors that say they are on it, compute on the CPU, and refuse what a real one refuses.

A tensor of the host that meets one of the card raises, as on CUDA. So a training step, its hooks and its scores can be
tried on a machine without a GPU for every tensor that stayed on the host. Built on torch's own Python backend
(`_setup_privateuseone_for_python_backend`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils import backend_registration
from torch.utils._python_dispatch import return_and_correct_aliasing

from gannb import random
from gannb.training.tape import replaced, tensors

CARD = "card"
MOVES = {"aten::copy_", "aten::_to_copy"}
BY_INDEX = {"aten::index", "aten::index_put_", "aten::_index_put_impl_", "aten::index_put", "aten::_unsafe_index"}


class OnCard(Tensor):
    """A tensor on the card; its numbers are in a tensor of the host."""

    host: Tensor

    @staticmethod
    def __new__(cls, host: Tensor) -> OnCard:
        strides, offset = host.stride(), host.storage_offset()
        with torch.inference_mode(False):
            made = torch.Tensor._make_wrapper_subclass(
                cls, host.shape, strides=strides, storage_offset=offset, dtype=host.dtype, device=f"{CARD}:0"
            )
        made.host = host
        return made

    def __repr__(self) -> str:
        return f"on card: {self.host!r}"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.ndim == 0 else repr(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        """A copy with its own numbers; torch's own crashes on a view, whose storage it reads and which is not there."""
        if not self.is_leaf:
            raise RuntimeError("Only Tensors created explicitly by the user support the deepcopy protocol")
        if id(self) not in memo:
            kind = nn.Parameter if isinstance(self, nn.Parameter) else Tensor.requires_grad_
            memo[id(self)] = kind(OnCard(self.host.detach().clone()), self.requires_grad)
        return memo[id(self)]

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func.has_kernel_for_dispatch_key(torch._C.DispatchKey.CompositeImplicitAutograd):
            return func.decompose(*args, **kwargs)  # in inference mode nobody has done that yet
        _check(func, args, kwargs)
        wanted = kwargs.get("device")
        stays = wanted is not None and torch.device(wanted).type != CARD
        if wanted is not None:
            kwargs["device"] = torch.device("cpu")
        out = func(*replaced(args, Tensor, _host_of), **replaced(kwargs, Tensor, _host_of))
        if func.name() in MOVES and (stays or not isinstance(args[0], OnCard)):
            return out if stays else args[0]
        there = {id(t.host): t for t in tensors((args, kwargs)) if isinstance(t, OnCard)}  # done in place
        out = replaced(out, Tensor, lambda t: there[id(t)] if id(t) in there else OnCard(t))
        return return_and_correct_aliasing(func, args, kwargs, out)


def _host_of(tensor: Tensor) -> Tensor:
    return tensor.host if isinstance(tensor, OnCard) else tensor


def _check(func: Any, args: Any, kwargs: Any) -> None:
    """Raise what CUDA raises where tensors of the host meet those of the card; single numbers may."""
    name = func.name().partition(".")[0]
    if name in MOVES:
        return
    if name in BY_INDEX and isinstance(args[0], OnCard):  # indices may be on the host
        args = (args[0], *args[2:])
    given = tensors((args, kwargs))
    host = [t for t in given if not isinstance(t, OnCard) and (t.ndim or name == "aten::cat")]
    if host and len(host) < len(given):
        shapes = [tuple(t.shape) for t in host]
        raise RuntimeError(f"Expected all tensors to be on the same device: {name} got {shapes} of the host")


def _on_card(func: Any, *args: Any, **kwargs: Any) -> Any:
    """Operations without a tensor on the card, such as those that make one."""
    kwargs = {key: torch.device("cpu") if key == "device" else value for key, value in kwargs.items()}
    return replaced(func(*args, **kwargs), Tensor, OnCard)


class FromPython(TorchFunctionMode):
    """Lets what reaches no operation work with the card: `torch.tensor(…, device=card)`, `x[[1, 2]]`, `x.tolist()`."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        device = kwargs.get("device")
        if func is Tensor.tolist:
            return args[0].cpu().tolist()
        if func is Tensor.__getitem__ and isinstance(args[0], OnCard):
            at = args[1] if isinstance(args[1], tuple) else (args[1],)
            args = (args[0], tuple(torch.tensor(one) if isinstance(one, list) else one for one in at))
        if func is Tensor.new_tensor:
            like, *args = args
            kwargs, device = {"dtype": like.dtype} | kwargs, device or like.device
            func = torch.tensor
        if func in (torch.tensor, torch.as_tensor) and device is not None:
            return func(*args, **{**kwargs, "device": None}).to(device)
        return func(*args, **kwargs)


class _Module(backend_registration._DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


@functools.cache
def set_up() -> torch.device:
    """The card, once for a process."""
    backend_registration._setup_privateuseone_for_python_backend(CARD, backend_module=_Module())
    library = torch.library.Library("_", "IMPL")
    library.fallback(_on_card, "PrivateUse1")
    library.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
    set_up.library = library  # it ends with the object
    return torch.device(CARD, 0)


@contextmanager
def inserted() -> Iterator[torch.device]:
    """A device for a run; its generators are those of the host."""
    with pytest.MonkeyPatch.context() as patched, FromPython():
        plain = random.generator
        patched.setattr(random, "generator", lambda *address, device="cpu": plain(*address))
        yield set_up()


@pytest.fixture
def card() -> Iterator[torch.device]:
    with inserted() as device:
        yield device
