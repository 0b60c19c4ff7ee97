"""Messages on a fixed graph with second derivatives: on the CPU in place, block by block; elsewhere as few products.

On the CPU a message is one in-place addition of a block, and a norm few passes over memory. Features are
`[joints, channels, M]`; see `graph`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gannb.networks.constants import constant

Pairs = Sequence[tuple[int, int]]
"""Edges as (from, to)."""

SLOPE = 0.2
"""LeakyReLU's slope below zero."""


@dataclass(frozen=True)
class Plan:
    """Messages of graph attention, self-loops among them, sorted by how many neighbours their target has.

    So the messages to targets with equally many neighbours are a table without gaps.

    Attributes:
        messages: (from, to) of each.
        tables: (first message, targets, neighbours of each) of each table.
        heads: of attention.
        slope: LeakyReLU's on the logits.
    """

    messages: Pairs
    tables: tuple[tuple[int, tuple[int, ...], int], ...]
    heads: int
    slope: float

    @classmethod
    def of(cls, edges: Pairs, joints: int, heads: int, slope: float) -> Plan:
        """The messages of a graph.

        Args:
            edges: (from, to), without self-loops.
            joints: how many there are.
            heads: attention heads.
            slope: LeakyReLU's on the logits.
        """
        near = [[i, *(source for source, target in edges if target == i)] for i in range(joints)]
        tables, messages = [], []
        for most in sorted({len(n) for n in near}):
            targets = tuple(i for i in range(joints) if len(near[i]) == most)
            tables.append((len(messages), targets, most))
            messages += [(j, i) for i in targets for j in near[i]]
        return cls(tuple(messages), tuple(tables), heads, slope)

    @property
    def sources(self) -> list[int]:
        """Where each message comes from."""
        return [source for source, _ in self.messages]

    @property
    def ends(self) -> tuple[Tensor, Tensor]:
        """Where each message comes from, and where it goes: `[messages]` each."""
        come, go = zip(*self.messages)
        return torch.tensor(come), torch.tensor(go)

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Views of `[J, C + 2·H, M]`: features `[J, H, C/H, M]`, logits of sources and of targets `[J, H, M]`."""
        nodes, source, target = x.split([x.shape[1] - 2 * self.heads, self.heads, self.heads], dim=1)
        return nodes.unflatten(1, (self.heads, -1)), source, target

    def split(self, by_message: Tensor) -> list[tuple[tuple[int, ...], Tensor]]:
        """Views `[targets, neighbours, …]` of what stands for each message, with their targets."""
        return [
            (targets, by_message[first : first + len(targets) * most].unflatten(0, (len(targets), most)))
            for first, targets, most in self.tables
        ]


def with_neighbours(x: Tensor, edges: Pairs, adjacency: Tensor) -> Tensor:
    """The sum of each joint's neighbours above its own features `[J, 2·C, M]`.

    Args:
        x: features `[J, C, M]`.
        edges: (from, to), every edge in both directions.
        adjacency: `[J, J]`, 1 where an edge goes from column to row.
    """
    return _WithNeighbours.apply(x, edges) if x.device.type == "cpu" else _product(x, adjacency)


def attended(x: Tensor, plan: Plan, ends: tuple[Tensor, Tensor]) -> Tensor:
    """Graph attention from features and logits `[J, C + 2·H, M]` (`Plan.parts`) to `[J, C, M]`.

    out[to] = Σ softmax(LeakyReLU(source[from] + target[to])) · features[from] over the neighbours of each joint.

    Args:
        x: features, and both halves of the logits.
        plan: the messages.
        ends: `plan.ends`, on the device of `x`.
    """
    return _Attended.apply(x, plan) if x.device.type == "cpu" else _attended(x, plan, ends)


def residual(x: Tensor, h: Tensor, norm: nn.LayerNorm) -> Tensor:
    """The residual block x + LeakyReLU(LayerNorm(h)), normalised over the channels of `[J, C, M]`.

    Args:
        x: `[J, C, M]`.
        h: of the same shape.
        norm: over C channels.
    """
    if x.device.type == "cpu":
        return _Residual.apply(x, h, norm.weight, norm.bias, norm.eps)
    return x + _residual(h, norm.weight, norm.bias, norm.eps)


class _WithNeighbours(torch.autograd.Function):
    """The sum of each joint's neighbours above its own features `[J, 2·C, M]`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, edges: Pairs) -> Tensor:
        ctx.edges = edges
        both = torch.zeros(len(x), 2, *x.shape[1:], dtype=x.dtype)
        both[:, 1] = x
        _add_messages(both[:, 0], x, edges)
        return both.flatten(1, 2)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        near, own = grad.unflatten(1, (2, -1)).unbind(1)
        if torch.is_grad_enabled():  # a second derivative is wanted: the sum is its own transpose
            again = _WithNeighbours.apply(near, ctx.edges)
            return own + again[:, : near.shape[1]], None
        out = own.clone(memory_format=torch.contiguous_format)
        _add_messages(out, near, ctx.edges)
        return out, None


def _product(x: Tensor, adjacency: Tensor) -> Tensor:
    """What `_WithNeighbours` gives, as one product."""
    return torch.cat([(adjacency.to(x.dtype) @ x.flatten(1)).view_as(x), x], dim=1)


def _add_messages(sums: Tensor, x: Tensor, edges: Pairs) -> None:
    """sums[to] += x[from] for every edge, in place."""
    come, go = _blocks(x), _blocks(sums)
    for source, target in edges:
        go[target].add_(come[source])


class _Attended(torch.autograd.Function):
    """`_attended`, message by message and in place."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, plan: Plan) -> Tensor:
        nodes, source, target = plan.parts(x)
        logits = source[constant(tuple(plan.sources), x.device)]  # [messages, H, M]
        weights = torch.empty_like(logits)
        for (targets, logit), (_, weight) in zip(plan.split(logits), plan.split(weights)):
            F.leaky_relu_(logit.add_(target[constant(targets, x.device)].unsqueeze(1)), plan.slope)
            torch.softmax(logit, 1, out=weight)
        ctx.save_for_backward(x, logits, weights)
        ctx.plan = plan
        out = torch.zeros(nodes.shape, dtype=x.dtype)
        blocks, sums = _blocks(nodes), _blocks(out)
        for (come, go), weight in zip(plan.messages, _blocks(weights.unsqueeze(2))):
            sums[go].addcmul_(blocks[come], weight)
        return out.flatten(1, 2)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        x, logits, weights = ctx.saved_tensors
        plan = ctx.plan
        if torch.is_grad_enabled():  # a second derivative is wanted: in operations that have one
            come, go = (constant(end, x.device) for end in zip(*plan.messages))
            return *torch.autograd.grad(_attended(x, plan, (come, go)), x, grad, create_graph=True), None
        to_x, slopes = torch.zeros(x.shape, dtype=x.dtype), torch.empty_like(weights)
        (nodes, *_), (to_nodes, to_source, to_target) = plan.parts(x), plan.parts(to_x)
        blocks, grads, sums = _blocks(nodes), _blocks(grad.unflatten(1, (plan.heads, -1))), _blocks(to_nodes)
        for (come, go), weight, slope in zip(plan.messages, _blocks(weights.unsqueeze(2)), _blocks(slopes)):
            sums[come].addcmul_(grads[go], weight)
            torch.sum(grads[go] * blocks[come], 1, out=slope)
        for (targets, slope), (_, weight), (_, logit) in zip(*map(plan.split, (slopes, weights, logits))):
            along = torch.ops.aten._softmax_backward_data(slope, weight, 1, slope.dtype)
            slope.copy_(torch.ops.aten.leaky_relu_backward(along, logit, plan.slope, True))
            to_target[constant(targets, x.device)] = slope.sum(1)
        sums = _blocks(to_source)
        for (come, _), slope in zip(plan.messages, _blocks(slopes)):
            sums[come].add_(slope)
        return to_x, None


def _attended(x: Tensor, plan: Plan, ends: tuple[Tensor, Tensor]) -> Tensor:
    """`attended`, in operations that have second derivatives."""
    nodes, source, target = plan.parts(x)
    come, go = ends
    logits = F.leaky_relu(source[come] + target[go], plan.slope)
    weights = torch.cat([table.softmax(1).flatten(0, 1) for _, table in plan.split(logits)]).to(nodes.dtype)
    return torch.zeros_like(nodes).index_add(0, go, nodes[come] * weights.unsqueeze(2)).flatten(1, 2)


class _Residual(torch.autograd.Function):
    """x + LeakyReLU(LayerNorm(h)) over the channels of `[J, C, M]`: `_residual` in few passes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, h: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        full = _full(h)
        centred = full - full.mean(1, keepdim=True)
        scale = (centred.square().mean(1, keepdim=True) + eps).rsqrt_()
        normed = centred.mul_(scale)
        ctx.save_for_backward(h, weight, bias, normed, scale)
        ctx.eps = eps
        out = torch.addcmul(bias[:, None], normed, weight[:, None])
        return F.leaky_relu_(out, SLOPE).add_(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        h, weight, bias, normed, scale = ctx.saved_tensors
        if torch.is_grad_enabled():  # a second derivative is wanted: in operations that have one
            generated = _residual(h, weight, bias, ctx.eps)
            return grad, *torch.autograd.grad(generated, (h, weight, bias), grad, create_graph=True), None
        grad = _full(grad)
        before = torch.addcmul(bias[:, None], normed, weight[:, None])
        slope = torch.ops.aten.leaky_relu_backward(grad, before, SLOPE, False)
        to_bias, to_weight = slope.sum((0, 2)), (slope * normed).sum((0, 2))
        slope = slope * weight[:, None]
        along = (slope * normed).mean(1, keepdim=True)
        to_h = (slope - slope.mean(1, keepdim=True)).addcmul_(normed, along, value=-1).mul_(scale)
        return grad, to_h.to(h.dtype), to_weight, to_bias, None


def _residual(h: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """LeakyReLU(LayerNorm(h)) over the channels of `[J, C, M]`."""
    normed = F.layer_norm(_full(h).transpose(1, 2), h.shape[1:2], weight, bias, eps)
    return F.leaky_relu(normed, SLOPE).transpose(1, 2)


def _full(x: Tensor) -> Tensor:
    """In single precision at least."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _blocks(x: Tensor) -> list[Tensor]:
    """Views of the first axis, taken once."""
    return list(x.unbind())
