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

        self._set_neighbours([[i, *(source for source, target in edges if target == i)] for i in range(joints)])

    def forward(self, x: Tensor) -> Tensor:
        """Map `[joints, M, channels]` to the same shape; M counts frames times clips."""
        nodes, source, target = self._project(x)
        weights = self._weights(source, target).to(nodes.dtype)  # [messages, H, M]
        if x.device.type == "cpu":
            out = _WeightedSum.apply(nodes, weights, self.source, self.target, self.messages)
        else:
            out = _gathered(nodes, weights, self.source, self.target)
        return out.flatten(1, 2).transpose(1, 2) + self.bias

    def _project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Frames last: the joints' new features `[J, H, C/H, M]`, and both halves of the logits `[J, H, M]`.

        The logits are linear in x, so their vectors go into the weight, and one product gives all three.
        """
        by_head = self.lin.weight.unflatten(0, (self.heads, -1))  # [H, C/H, C]
        both = torch.cat([self.att_src, self.att_dst])  # [2, H, C/H]
        folded = torch.einsum("shd,hdc->shc", both, by_head).flatten(0, 1)
        weight = torch.cat([self.lin.weight, folded.to(self.lin.weight.dtype)])
        # bmm and not @, which would lay frames out first again, only to show them last.
        everything = torch.bmm(weight.expand(len(x), -1, -1), x.transpose(1, 2))
        nodes, source, target = everything.split([len(self.lin.weight), self.heads, self.heads], dim=1)
        return nodes.unflatten(1, (self.heads, -1)), source, target

    def _weights(self, source: Tensor, target: Tensor) -> Tensor:
        """Attention weights `[messages, H, M]`: a softmax over the neighbours of each joint."""
        logits = F.leaky_relu(source.index_select(0, self.source) + target.index_select(0, self.target), self.slope)
        # Messages are sorted by how many neighbours their target has, so each such group is a table without gaps.
        groups = logits.split([joints * most for joints, most in self.groups])
        return torch.cat([g.unflatten(0, size).softmax(1).flatten(0, 1) for g, size in zip(groups, self.groups)])

    def _set_neighbours(self, near: list[list[int]]) -> None:
        order = sorted(range(len(near)), key=lambda i: len(near[i]))
        self.messages = [(j, i) for i in order for j in near[i]]
        degrees = [len(near[i]) for i in order]
        self.groups = [(degrees.count(most), most) for most in sorted(set(degrees))]
        for name, ends in zip(("source", "target"), zip(*self.messages)):
            self.register_buffer(name, torch.tensor(ends), persistent=False)


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
# on the CPU a message is one in-place addition of a block


class _NeighbourSum(torch.autograd.Function):
    """Sum of the neighbours' blocks. The graph goes both ways, so the operation is its own transpose."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, edges: Pairs) -> Tensor:
        ctx.edges = edges
        out = torch.zeros(x.shape, dtype=x.dtype)
        blocks, sums = _blocks(x), _blocks(out)
        for source, target in edges:
            sums[target].add_(blocks[source])
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _NeighbourSum.apply(grad, ctx.edges), None


class _WeightedSum(torch.autograd.Function):
    """`_gathered`, message by message."""

    @staticmethod
    def forward(ctx: Any, nodes: Tensor, weights: Tensor, source: Tensor, target: Tensor, messages: Pairs) -> Tensor:
        ctx.save_for_backward(nodes, weights, source, target)
        ctx.messages = messages
        out = torch.zeros(nodes.shape, dtype=nodes.dtype)
        blocks, sums, scales = _blocks(nodes), _blocks(out), _blocks(weights.unsqueeze(2))
        for (come, go), scale in zip(messages, scales):
            sums[go].addcmul_(blocks[come], scale)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        nodes, weights, source, target = ctx.saved_tensors
        if torch.is_grad_enabled():  # a second derivative is wanted: in operations that have one
            received = grad.index_select(0, target)
            to_nodes = torch.zeros_like(nodes).index_add(0, source, received * weights.unsqueeze(2))
            return to_nodes, (received * nodes.index_select(0, source)).sum(2), None, None, None
        grad = grad.contiguous()  # it comes with channels last, and blocks want frames last
        to_nodes, to_weights = torch.zeros(nodes.shape, dtype=nodes.dtype), torch.empty_like(weights)
        blocks, grads, sums = _blocks(nodes), _blocks(grad), _blocks(to_nodes)
        scales, slopes = _blocks(weights.unsqueeze(2)), _blocks(to_weights)
        for (come, go), scale, slope in zip(ctx.messages, scales, slopes):
            sums[come].addcmul_(grads[go], scale)
            torch.sum(grads[go] * blocks[come], 1, out=slope)
        return to_nodes, to_weights, None, None, None


def _gathered(nodes: Tensor, weights: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """out[to] = Σ weight · nodes[from], with nodes `[J, H, D, M]` and one weight `[H, M]` a message."""
    sent = nodes.index_select(0, source) * weights.unsqueeze(2)
    return torch.zeros_like(nodes).index_add(0, target, sent)


def _blocks(x: Tensor) -> list[Tensor]:
    """Views of the first axis, taken once."""
    return list(x.unbind())
