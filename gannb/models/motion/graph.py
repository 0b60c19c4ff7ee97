"""Graph layers on the fixed skeleton, joints first.

torch-geometric's `GATConv` and `GraphConv` scatter along an edge list; its dense twins fill a joints × joints table of
which 94 % is empty here. On a graph that never changes, with joints as the first axis, a message is one block of memory
added to another. The layers hold the parameters of torch-geometric's under the same names, so that weights go back and
forth with `load_state_dict`; tests hold them equal, and a benchmark measures the gain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gannb.skeleton import PARENTS

Pairs = Sequence[tuple[int, int]]
"""Edges as (from, to)."""


def skeleton_edges(parents: Sequence[int] = PARENTS) -> list[tuple[int, int]]:
    """Bones in both directions as (from, to); a negative parent has no bone."""
    bones = [(parent, child) for child, parent in enumerate(parents) if parent >= 0]
    return [*bones, *((child, parent) for parent, child in bones)]


class GATConv(nn.Module):
    """Graph attention, heads concatenated, self-loops added: equal to torch-geometric's `GATConv`.

    Source: Veličković et al. 2018, equations 1-4.

    Args:
        channels: features a joint in and out; divisible by `heads`.
        edges: (from, to), without self-loops.
        joints: how many joints there are.
        heads: attention heads.
        slope: LeakyReLU's slope on the attention logits.
    """

    def __init__(self, channels: int, edges: Pairs, joints: int, heads: int = 4, slope: float = 0.2) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"graph attention: {channels} channels cannot be divided among {heads} heads")
        self.heads, self.slope = heads, slope
        self.lin = nn.Linear(channels, channels, bias=False)
        self.att_src = nn.Parameter(torch.empty(1, heads, channels // heads))
        self.att_dst = nn.Parameter(torch.empty(1, heads, channels // heads))
        self.bias = nn.Parameter(torch.zeros(channels))
        for weight in (self.lin.weight, self.att_src, self.att_dst):
            nn.init.xavier_uniform_(weight)

        near = [[i, *(source for source, target in edges if target == i)] for i in range(joints)]
        most = max(map(len, near))
        padded = torch.tensor([[float("-inf")] * most for _ in near])
        for i, row in enumerate(near):
            padded[i, : len(row)] = 0.0
        # Messages as (from, to, where in the padded table [joints · most] their weight stands).
        self.messages = [(j, i, i * most + k) for i, row in enumerate(near) for k, j in enumerate(row)]
        table = torch.tensor([row + [i] * (most - len(row)) for i, row in enumerate(near)])
        self.register_buffer("neighbours", table, persistent=False)  # [joints, most]
        self.register_buffer("padding", padded[..., None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[joints, M, channels]` to the same shape; M counts frames times clips."""
        frames_last = x.transpose(1, 2)
        nodes = (self.lin.weight @ frames_last).unflatten(1, (self.heads, -1))  # [J, H, C/H, M]
        weights = self._logits(frames_last).softmax(dim=1).to(nodes.dtype)  # [J, K, H, M]
        if x.device.type == "cpu":
            out = _WeightedSum.apply(nodes, weights.flatten(0, 1), self.messages)
        else:
            near = nodes.index_select(0, self.neighbours.flatten()).unflatten(0, self.neighbours.shape)
            out = (near * weights.unsqueeze(3)).sum(1)
        return out.flatten(1, 2).transpose(1, 2) + self.bias

    def _logits(self, frames_last: Tensor) -> Tensor:
        """Attention logits `[J, K, H, M]` of each joint over its neighbours, -inf where the table is padded."""
        by_head = self.lin.weight.unflatten(0, (self.heads, -1))  # [H, C/H, C]
        both = torch.cat([self.att_src, self.att_dst])  # [2, H, C/H]
        # The logits are linear in x, so the attention vectors go into the weight: one narrow product.
        folded = torch.einsum("shd,hdc->shc", both, by_head).flatten(0, 1)
        source, target = (folded @ frames_last).chunk(2, dim=1)
        near = source.index_select(0, self.neighbours.flatten()).unflatten(0, self.neighbours.shape)
        return F.leaky_relu(near + target[:, None], self.slope) + self.padding


class GraphConv(nn.Module):
    """x·W_root + (sum over neighbours)·W_rel + b: equal to torch-geometric's `GraphConv`.

    Source: Morris et al. 2019, "Weisfeiler and Leman go neural".

    Args:
        channels: features a joint in and out.
        edges: (from, to), every edge in both directions.
        joints: how many joints there are.

    Raises:
        ValueError: an edge that is missing in the other direction.
    """

    def __init__(self, channels: int, edges: Pairs, joints: int) -> None:
        super().__init__()
        one_way = [edge for edge in edges if edge[::-1] not in set(edges)]
        if one_way:
            raise ValueError(f"graph convolution: edges {one_way} lack the other direction")
        self.lin_rel = nn.Linear(channels, channels)
        self.lin_root = nn.Linear(channels, channels, bias=False)
        self.edges = list(edges)
        adjacency = torch.zeros(joints, joints)
        adjacency[[i for _, i in edges], [j for j, _ in edges]] = 1.0
        self.register_buffer("adjacency", adjacency, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[joints, M, channels]` to the same shape."""
        if x.device.type == "cpu":
            near = _NeighbourSum.apply(x, self.edges)
        else:
            near = (self.adjacency.to(x.dtype) @ x.flatten(1)).view_as(x)
        return self.lin_rel(near) + self.lin_root(x)


class GraphBlock(nn.Module):
    """One graph layer with residual: x + LeakyReLU(LayerNorm(layer(x)))."""

    def __init__(self, layer: nn.Module, channels: int) -> None:
        super().__init__()
        self.layer, self.norm = layer, nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[joints, M, channels]` to the same shape."""
        return x + F.leaky_relu(self.norm(self.layer(x)), 0.2)


def graph_layers(
    channels: int, heads: int = 4, parents: Sequence[int] = PARENTS, kinds: str = "AGAGA"
) -> nn.Sequential:
    """The document's five graph layers: attention (A) and convolution (G) in turn, on the skeleton.

    Args:
        channels: features a joint.
        heads: attention heads of the A layers.
        parents: the skeleton; the whole of it by default.
        kinds: which layers, in order.
    """
    edges, joints = skeleton_edges(parents), len(parents)
    make = {"A": lambda: GATConv(channels, edges, joints, heads), "G": lambda: GraphConv(channels, edges, joints)}
    return nn.Sequential(*(GraphBlock(make[kind](), channels) for kind in kinds))


# ----------------------------------------------------------------------------------------------------------------
# on the CPU a message is one in-place addition of a block; backward is again made of differentiable operations


class _NeighbourSum(torch.autograd.Function):
    """Sum of the neighbours' blocks. The graph goes both ways, so the operation is its own transpose."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, edges: Pairs) -> Tensor:
        ctx.edges = edges
        out = torch.zeros_like(x)
        for source, target in edges:
            out[target].add_(x[source])
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _NeighbourSum.apply(grad, ctx.edges), None


class _WeightedSum(torch.autograd.Function):
    """out[to] = Σ weight · nodes[from], with nodes `[J, H, D, M]` and weights `[J·K, H, M]`."""

    @staticmethod
    def forward(ctx: Any, nodes: Tensor, weights: Tensor, messages: Sequence[tuple[int, int, int]]) -> Tensor:
        ctx.save_for_backward(nodes, weights)
        ctx.messages = messages
        out = torch.zeros_like(nodes)
        for source, target, at in messages:
            out[target].addcmul_(nodes[source], weights[at, :, None])
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        nodes, weights = ctx.saved_tensors
        to_nodes, to_weights = torch.zeros_like(nodes), torch.zeros_like(weights)
        for source, target, at in ctx.messages:
            to_nodes[source].addcmul_(grad[target], weights[at, :, None])
            to_weights[at] = (grad[target] * nodes[source]).sum(1)
        return to_nodes, to_weights, None
