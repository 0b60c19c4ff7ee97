import time

import pytest
import torch
import torch.nn.functional as F
from torch_geometric.nn import DenseGATConv, DenseGraphConv
from torch_geometric.nn import GATConv as SparseGATConv
from torch_geometric.nn import GraphConv as SparseGraphConv

from gannb.experiments.motion.networks import messages
from gannb.experiments.motion.networks.graph import GATConv, GraphConv, graph_layers, skeleton_edges
from gannb.random import generator, seeded

J, C, M = 52, 32, 6
EDGES = skeleton_edges()


def many_copies(frames: int) -> torch.Tensor:
    """The skeleton's edge list once for each frame, as a sparse layer wants it."""
    edges = torch.tensor(EDGES).T
    return torch.cat([edges + J * m for m in range(frames)], dim=1)


def scattered(layer, x, edges):
    """A sparse layer on features `[J, C, M]`."""
    return layer(x.permute(2, 0, 1).reshape(-1, x.shape[1]), edges).view(-1, J, x.shape[1]).permute(1, 2, 0)


def tabled(layer, x):
    """A dense layer on features `[J, C, M]`."""
    return layer(x.permute(2, 0, 1), adjacency()).permute(1, 2, 0)


def adjacency() -> torch.Tensor:
    table = torch.zeros(J, J)
    table[[i for _, i in EDGES], [j for j, _ in EDGES]] = 1
    return table


@pytest.fixture
def x():
    return torch.randn(J, C, M, generator=generator("x"))


@pytest.fixture
def attention():
    with seeded("gat"):
        layer = GATConv(C, EDGES, J)
        torch.nn.init.normal_(layer.bias)
    return layer


@pytest.fixture
def convolution():
    with seeded("gc"):
        return GraphConv(C, EDGES, J)


def test_the_skeleton_has_each_bone_both_ways():
    assert len(EDGES) == 2 * 51
    assert (6, 10) in EDGES
    assert (10, 6) in EDGES


def both_gradients(ours, theirs, x):
    a, b = (x.clone().requires_grad_() for _ in range(2))
    up = torch.randn(x.shape, generator=generator("up"))
    return torch.autograd.grad(ours(a), a, up)[0], torch.autograd.grad(theirs(b), b, up)[0]


def test_attention_equals_the_sparse_and_the_dense_layer(attention, x):
    sparse, dense = SparseGATConv(C, C // 4, heads=4), DenseGATConv(C, C // 4, heads=4)
    sparse.load_state_dict(attention.state_dict())
    dense.load_state_dict({k: v.unsqueeze(0) if "att" in k else v for k, v in attention.state_dict().items()})
    edges = many_copies(M)
    torch.testing.assert_close(attention(x), scattered(sparse, x, edges), atol=1e-5, rtol=0)
    torch.testing.assert_close(attention(x), tabled(dense, x), atol=1e-5, rtol=0)
    a, b = both_gradients(attention, lambda x: scattered(sparse, x, edges), x)
    torch.testing.assert_close(a, b, atol=1e-5, rtol=0)
    for name, weight in attention.named_parameters():
        grads = [
            torch.autograd.grad(f.square().sum(), w)[0]
            for f, w in ((attention(x), weight), (scattered(sparse, x, edges), dict(sparse.named_parameters())[name]))
        ]
        torch.testing.assert_close(*grads, atol=1e-3, rtol=1e-4)


def test_convolution_equals_the_sparse_and_the_dense_layer(convolution, x):
    sparse, dense = SparseGraphConv(C, C), DenseGraphConv(C, C)
    sparse.load_state_dict(convolution.state_dict())
    dense.load_state_dict(convolution.state_dict())
    edges = many_copies(M)
    torch.testing.assert_close(convolution(x), scattered(sparse, x, edges), atol=1e-5, rtol=0)
    torch.testing.assert_close(convolution(x), tabled(dense, x), atol=1e-5, rtol=0)
    a, b = both_gradients(convolution, lambda x: scattered(sparse, x, edges), x)
    torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ["A", "G"])
def test_first_and_second_derivatives_are_right(kind):
    parents = (-1, 0, 0, 1)
    layer = graph_layers(4, heads=2, parents=parents, kinds=kind)[0].layer.double()
    x = torch.randn(4, 4, 2, generator=generator("gc"), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(layer, x)
    assert torch.autograd.gradgradcheck(layer, x)


def test_the_residual_norm_is_torchs_and_its_derivatives_are_right():
    x, h = (torch.randn(3, 8, 5, generator=generator("residual", which)).requires_grad_() for which in "xh")
    norm = torch.nn.LayerNorm(8)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    expected = x + F.leaky_relu(norm(h.transpose(1, 2)), 0.2).transpose(1, 2)
    generated = messages.residual(x, h, norm)
    torch.testing.assert_close(generated, expected, atol=1e-6, rtol=0)
    given, up = (x, h, norm.weight, norm.bias), torch.randn(generated.shape, generator=generator("up"))
    for ours, theirs in zip(torch.autograd.grad(generated, given, up), torch.autograd.grad(expected, given, up)):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    seconds = []
    for ours in (True, False):
        layer = F.leaky_relu(norm(h.transpose(1, 2)), 0.2).transpose(1, 2)
        generated = messages.residual(x, h, norm) if ours else x + layer
        (slope,) = torch.autograd.grad(generated, h, up, create_graph=True)
        seconds.append(torch.autograd.grad(slope.square().sum(), (h, norm.weight)))
    for ours, theirs in zip(*seconds):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_the_path_of_other_devices_gives_the_same(attention, convolution, x):
    """What runs on a GPU, run here: gather and add for attention, one product for convolution."""
    torch.testing.assert_close(
        messages._attended(attention._project(x), attention.plan, (attention.come, attention.go)),
        attention(x),
        atol=1e-6,
        rtol=0,
    )
    ours = messages._WithNeighbours.apply(x, convolution.edges)
    torch.testing.assert_close(messages._product(x, convolution.adjacency), ours, atol=1e-5, rtol=0)


def test_a_message_goes_one_bone_a_layer():
    layers = graph_layers(C, kinds="AG")
    x = torch.randn(J, C, 1, generator=generator("far"))
    moved = x.clone()
    moved[51] += 1.0
    changed = (layers(x) - layers(moved)).abs().amax(dim=(1, 2)) > 1e-6
    assert changed.nonzero().flatten().tolist() == [49, 50, 51]


def test_one_way_edges_and_heads_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="lack the other direction"):
        GraphConv(4, [(0, 1)], 2)
    with pytest.raises(ValueError, match="5 channels cannot be divided among 4 heads"):
        GATConv(5, EDGES, J)


def test_the_fixed_skeleton_is_faster_than_scattering(attention):
    """Side by side in one process, CPU time of forward and backward; the margin is measured in benchmarks/."""
    sparse = SparseGATConv(C, C // 4, heads=4)
    sparse.load_state_dict(attention.state_dict())
    x, edges = torch.randn(J, C, 512, generator=generator("speed")).requires_grad_(), many_copies(512)

    def seconds(layer):
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            layer(x).sum().backward()
            best = min(best, time.process_time() - start)
        return best

    assert seconds(attention) < seconds(lambda x: scattered(sparse, x, edges))


def test_a_transformer_layer_lets_every_joint_see_every_other(x):
    with seeded("transformer"):
        layer = graph_layers(C, kinds="T")[0]
    x = x.clone().requires_grad_(True)
    layer(x)[J - 1, :, 0].sum().backward()
    assert (x.grad[:, :, 0].abs().amax(1) > 0).all(), "the last finger sees all joints of its frame"
    assert x.grad[:, :, 1:].abs().max() == 0, "and no other frame"


def test_a_transformer_layer_is_attention_and_mlp_beside_what_comes_in(x):
    with seeded("transformer"):
        layer = graph_layers(C, kinds="T")[0]
    frames = x.permute(2, 0, 1)
    expected = []
    for frame in frames:
        seen = F.layer_norm(frame + layer.place, (C,))
        q = layer.attention.query(seen)
        k, v = layer.attention.key_value(seen).chunk(2, dim=1)
        heads = [slice(h * C // 4, (h + 1) * C // 4) for h in range(4)]
        found = [(q[:, h] @ k[:, h].T / (C // 4) ** 0.5).softmax(1) @ v[:, h] for h in heads]
        frame = frame + layer.attention.out(torch.cat(found, dim=1))
        expected.append(frame + layer.mlp(frame))
    torch.testing.assert_close(layer(x), torch.stack(expected).permute(1, 2, 0))


def test_layers_of_any_kind_stand_in_any_order(x):
    assert [type(layer).__name__ for layer in graph_layers(C, kinds="AGTGT")] == [
        *("GraphBlock", "GraphBlock", "JointTransformer", "GraphBlock", "JointTransformer")
    ]
    assert graph_layers(C, kinds="TAT")(x).shape == x.shape
    with pytest.raises(ValueError, match="unknown X; allowed: A, G, T"):
        graph_layers(C, kinds="AXA")
