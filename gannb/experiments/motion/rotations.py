"""Frames, turns, lengths and angles, with the three axes first: `[3, ...]`, as sums over a last axis of three are slow.

On the CPU they are plain operations. On a card, where each small operation is a kernel to launch, four of them have a
backward pass of their own: a third of the kernels, the same values but for rounding, and no second derivatives.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable

Frame = tuple[Tensor, Tensor, Tensor]
"""A rotation as its three columns `[3, ...]`: where the x, y and z axes have gone."""

TINY = 1e-8
"""Lengths below it count as it, and angles of such vectors have no gradient."""


def turn(frame: Frame, axis: int, angle: Tensor) -> Frame:
    """Turn a frame about one of its own axes.

    Args:
        frame: columns `[3, ...]`.
        axis: 0 x, 1 y, 2 z.
        angle: radians `[...]`.
    """
    columns = list(frame)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    if _few(angle):
        columns[i], columns[j] = _Turn.apply(frame[i], frame[j], angle)
    else:
        cos, sin = angle.cos(), angle.sin()
        columns[i], columns[j] = frame[i] * cos + frame[j] * sin, frame[j] * cos - frame[i] * sin
    return tuple(columns)


def upright(axis: int, angle: Tensor) -> Frame:
    """The frame of the axes themselves, turned about one of them (0 x, 1 y, 2 z) by `angle` radians `[...]`."""
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    rows = {axis: (torch.ones_like(angle), zero, zero), i: (zero, cos, sin), j: (zero, -sin, cos)}
    return tuple(torch.stack([rows[column][(row - axis) % 3] for row in range(3)]) for column in range(3))


def along(frame: Frame, x: float, y: float, z: float) -> Tensor:
    """A vector `[3, ...]` from its coordinates in a frame.

    Args:
        frame: columns `[3, ...]`.
        x: along the first of them.
        y: along the second.
        z: along the third.
    """
    return frame[0] * x + frame[1] * y + frame[2] * z


def within(frame: Frame, vector: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The coordinates `[...]` of a vector `[3, ...]` in a frame."""
    return tuple(dot(axis, vector) for axis in frame)


def dot(a: Tensor, b: Tensor) -> Tensor:
    """The product `[...]` of vectors `[3, ...]`."""
    return (a * b).sum(0)


def unit(vector: Tensor) -> Tensor:
    """A vector `[3, ...]` over its length."""
    if _few(vector):
        return _Unit.apply(vector)
    return vector / vector.square().sum(0, keepdim=True).clamp_min(TINY**2).sqrt()


def hypot(a: Tensor, b: Tensor) -> Tensor:
    """√(a² + b²) of any shape, with a finite gradient where both are 0."""
    return _Hypot.apply(a, b) if _few(a) else (a.square() + b.square()).clamp_min(TINY**2).sqrt()


def angle_of(y: Tensor, x: Tensor) -> Tensor:
    """The angle atan2(y, x), radians, of any shape; its gradient is finite where both are 0."""
    if _few(y):
        return _Angle.apply(y, x)
    return torch.atan2(y, torch.where(x.square() + y.square() < TINY**2, torch.ones_like(x), x))


def _few(x: Tensor) -> bool:
    """Whether few kernels are wanted."""
    return x.device.type != "cpu"


class _Turn(Function):
    """Two columns turned into each other."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
        cos, sin = angle.cos(), angle.sin()
        turned = torch.addcmul(a * cos, b, sin), torch.addcmul(b * cos, a, sin, value=-1)
        ctx.save_for_backward(cos, sin, *turned)
        ctx.shapes = a.shape, b.shape
        return turned

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_a: Tensor, to_b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        cos, sin, a, b = ctx.saved_tensors
        before = torch.addcmul(to_a * cos, to_b, sin, value=-1), torch.addcmul(to_b * cos, to_a, sin)
        to_angle = torch.addcmul(to_a * b, to_b, a, value=-1).sum(0)
        return *(grad.sum_to_size(shape) for grad, shape in zip(before, ctx.shapes)), to_angle


class _Unit(Function):
    """A vector over its length."""

    @staticmethod
    def forward(ctx: Any, vector: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(vector, dim=0, keepdim=True).clamp_min_(TINY)
        ctx.save_for_backward(unit := vector / length, length)
        return unit

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        unit, length = ctx.saved_tensors
        return torch.addcmul(grad, unit, (grad * unit).sum(0, keepdim=True), value=-1).div_(length)


class _Hypot(Function):
    """The length of the vector (a, b)."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        length = torch.hypot(a, b).clamp_min_(TINY)
        ctx.save_for_backward(a, b, length)
        return length

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        a, b, length = ctx.saved_tensors
        share = grad / length
        return share * a, share * b


class _Angle(Function):
    """The angle of the vector (x, y)."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, x: Tensor) -> Tensor:
        square = torch.addcmul(x * x, y, y)
        ctx.save_for_backward(y, x, square.masked_fill(square < TINY**2, torch.inf))
        return torch.atan2(y, x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        y, x, square = ctx.saved_tensors
        share = grad / square
        return share * x, (share * y).neg_()
