"""Graph layers on the fixed skeleton, on features `[joints, channels, M]` where M counts frames times clips.

torch-geometric's `GATConv` and `GraphConv` scatter along an edge list; its dense twins fill a joints × joints table of
which 94 % is empty here. On a graph that never changes, with joints as the first axis, a message is one block of memory
added to another; with frames as the last, products and norms run along memory, though a joint has few channels. The
layers hold the parameters of torch-geometric's under the same names, so that weights go back and forth with
`load_state_dict`; tests hold them equal, and a benchmark measures the gain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gannb.experiments.motion.networks.blocks import Attention
from gannb.experiments.motion.skeleton import PARENTS

Pairs = Sequence[tuple[int, int]]
"""Edges as (from, to)."""

SLOPE = 0.2
"""LeakyReLU's slope below zero."""


def skeleton_edges(parents: Sequence[int] = PARENTS) -> list[tuple[int, int]]:
    """Bones in both directions as (from, to); a negative parent has no bone."""
    bones = [(parent, child) for child, parent in enumerate(parents) if parent >= 0]
    return [*bones, *((child, parent) for parent, child in bones)]


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
        near = [[i, *(source for source, target in edges if target == i)] for i in range(joints)]
        tables, messages = [], []
        for most in sorted({len(n) for n in near}):
            targets = tuple(i for i in range(joints) if len(near[i]) == most)
            tables.append((len(messages), targets, most))
            messages += [(j, i) for i in targets for j in near[i]]
        return cls(tuple(messages), tuple(tables), heads, slope)

    @property
    def sources(self) -> list[int]:
        return [source for source, _ in self.messages]

    @property
    def ends(self) -> tuple[Tensor, Tensor]:
        """Where each message comes from, and where it goes."""
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


class GATConv(nn.Module):
    """Graph attention, heads concatenated, self-loops added: equal to torch-geometric's `GATConv`.

    Source: Veličković et al. 2018, equations 1-4.

    Args:
        channels: features per joint in and out; divisible by `heads`.
        edges: (from, to), without self-loops.
        joints: how many joints there are.
        heads: attention heads.
        slope: LeakyReLU's slope on the attention logits.
    """

    def __init__(self, channels: int, edges: Pairs, joints: int, heads: int = 4, slope: float = SLOPE) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"graph attention: {channels} channels cannot be divided among {heads} heads")
        self.lin = nn.Linear(channels, channels, bias=False)
        self.att_src = nn.Parameter(torch.empty(1, heads, channels // heads))
        self.att_dst = nn.Parameter(torch.empty(1, heads, channels // heads))
        self.bias = nn.Parameter(torch.zeros(channels))
        for weight in (self.lin.weight, self.att_src, self.att_dst):
            nn.init.xavier_uniform_(weight)

        self.plan = Plan.of(edges, joints, heads, slope)
        for name, ends in zip(("come", "go"), self.plan.ends):  # kept where the weights are
            self.register_buffer(name, ends, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[joints, channels, M]` to the same shape."""
        if x.device.type == "cpu":
            return _Attended.apply(self._project(x), self.plan)
        return _attended(self._project(x), self.plan, (self.come, self.go))

    def _project(self, x: Tensor) -> Tensor:
        """The joints' new features and, below them, both halves of the logits `[J, C + 2·H, M]`.

        The logits are linear in x, so their vectors go into the weight, and one product gives all three. Weights of
        messages sum to 1, so a bias on what is sent is a bias on what arrives.
        """
        by_head = self.lin.weight.unflatten(0, (self.plan.heads, -1))  # [H, C/H, C]
        both = torch.cat([self.att_src, self.att_dst])  # [2, H, C/H]
        folded = torch.einsum("shd,hdc->shc", both, by_head).flatten(0, 1)
        weight = torch.cat([self.lin.weight, folded.to(self.lin.weight.dtype)])
        return linear(x, weight, torch.cat([self.bias, self.bias.new_zeros(2 * self.plan.heads)]))


class GraphConv(nn.Module):
    """x·W_root + (sum over neighbours)·W_rel + b: equal to torch-geometric's `GraphConv`.

    Source: Morris et al. 2019, "Weisfeiler and Leman go neural".

    Args:
        channels: features per joint in and out.
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
        """Map `[joints, channels, M]` to the same shape."""
        both = _WithNeighbours.apply(x, self.edges) if x.device.type == "cpu" else _with_neighbours(x, self.adjacency)
        return linear(both, torch.cat([self.lin_rel.weight, self.lin_root.weight], dim=1), self.lin_rel.bias)


class JointTransformer(nn.Module):
    """A transformer layer over the joints of a frame, in place of a graph layer: every joint may look at every other.

    Pre-norm, x + attention(LN(x + place)) and x + MLP(LN(x)), with a learned vector per joint that says which one it is
    (Vaswani et al. 2017). A road that the motion_balance document names; the skeleton plays no part in it.

    Args:
        channels: features per joint in and out; divisible by `heads`.
        joints: how many joints there are.
        heads: attention heads.
    """

    def __init__(self, channels: int, joints: int, heads: int = 4) -> None:
        super().__init__()
        self.place = nn.Parameter(0.02 * torch.randn(joints, channels))
        self.norm, self.attention = nn.LayerNorm(channels), Attention(channels, heads)
        self.mlp = nn.Sequential(
            nn.LayerNorm(channels), nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map `[joints, channels, M]` to the same shape."""
        frames = x.permute(2, 0, 1)  # [M, joints, channels]
        seen = self.norm(frames + self.place)
        frames = frames + self.attention(seen, seen)
        return (frames + self.mlp(frames)).permute(1, 2, 0)


class GraphBlock(nn.Module):
    """One graph layer with residual: x + LeakyReLU(LayerNorm(layer(x))), normalised over each joint's channels."""

    def __init__(self, layer: nn.Module, channels: int) -> None:
        super().__init__()
        self.layer, self.norm = layer, nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[joints, channels, M]` to the same shape."""
        return _Residual.apply(x, self.layer(x), self.norm.weight, self.norm.bias, self.norm.eps)


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """weight·x + bias along the channels of `[joints, channels, M]`."""
    joints, _, many = x.shape
    return torch.baddbmm(bias[:, None].expand(joints, -1, many), weight.expand(joints, -1, -1), x)


def graph_layers(
    channels: int, heads: int = 4, parents: Sequence[int] = PARENTS, kinds: str = "AGAGA"
) -> nn.Sequential:
    """The document's five graph layers: attention (A) and convolution (G) in turn, on the skeleton.

    Args:
        channels: features per joint.
        heads: attention heads of the A and T layers.
        parents: the skeleton; the whole of it by default.
        kinds: which layers, in order; a T is a transformer layer over all joints in place of a graph layer.

    Raises:
        ValueError: another letter.
    """
    if stray := set(kinds) - set("AGT"):
        raise ValueError(f"graph layers {kinds!r}: unknown {', '.join(sorted(stray))}; allowed: A, G, T")
    edges, joints = skeleton_edges(parents), len(parents)
    make = {
        "A": lambda: GraphBlock(GATConv(channels, edges, joints, heads), channels),
        "G": lambda: GraphBlock(GraphConv(channels, edges, joints), channels),
        "T": lambda: JointTransformer(channels, joints, heads),
    }
    return nn.Sequential(*(make[kind]() for kind in kinds))


# ----------------------------------------------------------------------------------------------------------------
# on the CPU a message is one in-place addition of a block, and a norm few passes over memory


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


def _with_neighbours(x: Tensor, adjacency: Tensor) -> Tensor:
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
        logits = source[plan.sources]  # [messages, H, M]
        weights = torch.empty_like(logits)
        for (targets, logit), (_, weight) in zip(plan.split(logits), plan.split(weights)):
            F.leaky_relu_(logit.add_(target[list(targets)].unsqueeze(1)), plan.slope)
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
            return *torch.autograd.grad(_attended(x, plan, plan.ends), x, grad, create_graph=True), None
        to_x, slopes = torch.zeros(x.shape, dtype=x.dtype), torch.empty_like(weights)
        (nodes, *_), (to_nodes, to_source, to_target) = plan.parts(x), plan.parts(to_x)
        blocks, grads, sums = _blocks(nodes), _blocks(grad.unflatten(1, (plan.heads, -1))), _blocks(to_nodes)
        for (come, go), weight, slope in zip(plan.messages, _blocks(weights.unsqueeze(2)), _blocks(slopes)):
            sums[come].addcmul_(grads[go], weight)
            torch.sum(grads[go] * blocks[come], 1, out=slope)
        for (targets, slope), (_, weight), (_, logit) in zip(*map(plan.split, (slopes, weights, logits))):
            along = torch.ops.aten._softmax_backward_data(slope, weight, 1, slope.dtype)
            slope.copy_(torch.ops.aten.leaky_relu_backward(along, logit, plan.slope, True))
            to_target[list(targets)] = slope.sum(1)
        sums = _blocks(to_source)
        for (come, _), slope in zip(plan.messages, _blocks(slopes)):
            sums[come].add_(slope)
        return to_x, None


def _attended(x: Tensor, plan: Plan, ends: tuple[Tensor, Tensor]) -> Tensor:
    """out[to] = Σ softmax(LeakyReLU(source[from] + target[to])) · features[from] over the neighbours of each joint.

    From features and logits `[J, C + 2·H, M]` (`Plan.parts`) to `[J, C, M]`.
    """
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
