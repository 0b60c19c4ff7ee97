"""Graph layers on the fixed skeleton, on features `[joints, channels, M]` where M counts frames times clips.

torch-geometric's `GATConv` and `GraphConv` scatter along an edge list; its dense twins fill a joints × joints table of
which 94 % is empty here. On a graph that never changes, with joints as the first axis, a message is one block of memory
added to another; with frames as the last, products and norms run along memory, though a joint has few channels. The
layers hold the parameters of torch-geometric's under the same names, so that weights go back and forth with
`load_state_dict`; tests hold them equal, and a benchmark measures the gain.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gannb.experiments.motion.networks.blocks import Attention
from gannb.experiments.motion.networks.messages import SLOPE, Pairs, Plan, attended, residual, with_neighbours
from gannb.experiments.motion.skeleton import PARENTS


def skeleton_edges(parents: Sequence[int] = PARENTS) -> list[tuple[int, int]]:
    """Bones in both directions as (from, to); a negative parent has no bone."""
    bones = [(parent, child) for child, parent in enumerate(parents) if parent >= 0]
    return [*bones, *((child, parent) for parent, child in bones)]


class GATConv(nn.Module):
    """Graph attention, heads concatenated, self-loops added: equal to torch-geometric's `GATConv`.

    Source: Veličković et al. 2018, equations 1-4.

    Args:
        channels: features per joint in and out; divisible by `heads`.
        edges: (from, to), without self-loops.
        joints: how many joints there are.
        heads: attention heads.
        slope: LeakyReLU's slope on the attention logits.

    Raises:
        ValueError: channels that cannot be divided among the heads.
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
        return attended(self._project(x), self.plan, (self.come, self.go))

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
        both = with_neighbours(x, self.edges, self.adjacency)
        return linear(both, torch.cat([self.lin_rel.weight, self.lin_root.weight], dim=1), self.lin_rel.bias)


class JointTransformer(nn.Module):
    """A transformer layer over the joints of a frame, in place of a graph layer: every joint may look at every other.

    Pre-norm, x + attention(LN(x + place)) and x + MLP(LN(x)), with a learned vector per joint that says which one it is
    (Vaswani et al. 2017). An extension that motion_balance names; the skeleton plays no part in it.

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
        return residual(x, self.layer(x), self.norm)


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """weight·x + bias along the channels.

    Args:
        x: `[joints, channels, M]`.
        weight: `[out, channels]`.
        bias: `[out]`.
    """
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
