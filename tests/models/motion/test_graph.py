import time

import pytest
import torch
from torch_geometric.nn import DenseGATConv, DenseGraphConv
from torch_geometric.nn import GATConv as SparseGATConv
from torch_geometric.nn import GraphConv as SparseGraphConv

from gannb.draws import generator, seeded
from gannb.models.motion.graph import GATConv, GraphConv, graph_layers, skeleton_edges

J, C, M = 52, 32, 6
EDGES = skeleton_edges()


def many_copies(frames: int) -> torch.Tensor:
    """The skeleton's edge list once for each frame, as a sparse layer wants it."""
    edges = torch.tensor(EDGES).T
    return torch.cat([edges + J * m for m in range(frames)], dim=1)


def scattered(layer, x, edges):
    """A sparse layer on joints-first features `[J, M, C]`."""
    return layer(x.transpose(0, 1).reshape(-1, x.shape[-1]), edges).view(-1, J, x.shape[-1]).transpose(0, 1)


def adjacency() -> torch.Tensor:
    table = torch.zeros(J, J)
    table[[i for _, i in EDGES], [j for j, _ in EDGES]] = 1
    return table


@pytest.fixture
def x():
    return torch.randn(J, M, C, generator=generator("x"))


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
    torch.testing.assert_close(attention(x), dense(x.transpose(0, 1), adjacency()).transpose(0, 1), atol=1e-5, rtol=0)
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
    torch.testing.assert_close(convolution(x), dense(x.transpose(0, 1), adjacency()).transpose(0, 1), atol=1e-5, rtol=0)
    a, b = both_gradients(convolution, lambda x: scattered(sparse, x, edges), x)
    torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ["A", "G"])
def test_first_and_second_derivatives_are_right(kind):
    parents = (-1, 0, 0, 1)
    layer = graph_layers(4, heads=2, parents=parents, kinds=kind)[0].layer.double()
    x = torch.randn(4, 2, 4, generator=generator("gc"), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(layer, x)
    assert torch.autograd.gradgradcheck(layer, x)


def test_the_path_of_other_devices_gives_the_same(attention, convolution, x):
    """What runs on a GPU, run here: gather and add for attention, one product for convolution."""

    class Elsewhere(torch.Tensor):
        device = torch.device("meta")

    torch.testing.assert_close(
        attention(x.as_subclass(Elsewhere)).as_subclass(torch.Tensor), attention(x), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(
        convolution(x.as_subclass(Elsewhere)).as_subclass(torch.Tensor), convolution(x), atol=1e-5, rtol=0
    )


def test_a_message_goes_one_bone_a_layer():
    layers = graph_layers(C, kinds="AG")
    x = torch.randn(J, 1, C, generator=generator("far"))
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
    x, edges = torch.randn(J, 512, C, generator=generator("speed")).requires_grad_(), many_copies(512)

    def seconds(layer):
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            layer(x).sum().backward()
            best = min(best, time.process_time() - start)
        return best

    assert seconds(attention) < seconds(lambda x: scattered(sparse, x, edges))
