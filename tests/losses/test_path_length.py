"""Path lengths of generators whose Jacobian is known."""

import math

import pytest
import torch
from torch import nn

from gannb.losses.path_length import path_length_penalty, path_lengths
from gannb.random import generator

N, D, SIDE = 5, 6, 4


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator("path length", *shape))


def linear(matrix: torch.Tensor):
    """Latents → images by a matrix: its Jacobian is itself, everywhere."""
    return lambda w: (w @ matrix.T).unflatten(1, (1, SIDE, SIDE))


def test_a_linear_generator_has_the_lengths_of_its_transposed_matrix():
    matrix, noise = draw(SIDE * SIDE, D), draw(N, 1, SIDE, SIDE)
    expected = (noise.flatten(1) @ matrix).norm(dim=1) / SIDE
    torch.testing.assert_close(path_lengths(linear(matrix), draw(N, D), noise), expected)


def test_the_mean_square_over_noise_is_the_frobenius_norm():
    matrix, many = draw(SIDE * SIDE, D), 20_000
    lengths = path_lengths(linear(matrix), draw(many, D), draw(many, 1, SIDE, SIDE))
    assert lengths.square().mean().item() == pytest.approx(matrix.square().sum().item() / SIDE**2, rel=0.03)


def test_the_length_scales_with_the_generator_and_not_with_the_pixels():
    noise = draw(N, 1, SIDE, SIDE)
    matrix = draw(SIDE * SIDE, D)
    one, three = (path_lengths(linear(scale * matrix), draw(N, D), noise) for scale in (1.0, 3.0))
    torch.testing.assert_close(three, 3 * one)
    flat = [torch.ones(side * side, 1) for side in (4, 8)]  # one latent that lifts every pixel
    means = []
    for column, side in zip(flat, (4, 8)):
        made = lambda w, column=column, side=side: (w @ column.T).unflatten(1, (1, side, side))  # noqa: E731
        means.append(path_lengths(made, draw(8000, 1), draw(8000, 1, side, side)).mean().item())
    assert means[0] == pytest.approx(means[1], rel=0.05), "|N(0, 1)| on either side"
    assert means[0] == pytest.approx(math.sqrt(2 / math.pi), rel=0.05)


def test_with_a_latent_a_layer_it_is_the_root_mean_square_over_layers():
    matrices, noise = [draw(SIDE * SIDE, D) * scale for scale in (1.0, 2.0, 3.0)], draw(N, 1, SIDE, SIDE)
    each = torch.stack([path_lengths(linear(matrix), draw(N, D), noise) for matrix in matrices])
    layered = lambda w: sum(linear(matrix)(one) for matrix, one in zip(matrices, w.unbind(1)))  # noqa: E731
    torch.testing.assert_close(path_lengths(layered, draw(N, 3, D), noise), each.square().mean(0).sqrt())


def test_the_penalty_is_nought_where_all_lengths_are_the_target():
    assert path_length_penalty(torch.full((4,), 1.5), 1.5) == 0
    assert path_length_penalty(torch.tensor([1.0, 3.0]), torch.tensor(2.0)) == 1


def test_it_teaches_mapping_and_synthesis():
    """The gradient goes through the latents into the mapping, and by a second derivative into the synthesis."""
    torch.manual_seed(0)
    mapping, synthesis = (
        nn.Linear(3, D),
        nn.Sequential(nn.Linear(D, SIDE * SIDE), nn.Tanh(), nn.Unflatten(1, (1, SIDE, SIDE))),
    )
    path_length_penalty(path_lengths(synthesis, mapping(draw(N, 3)), draw(N, 1, SIDE, SIDE)), 0.0).backward()
    assert all(p.grad.abs().max() > 0 for p in [*mapping.parameters(), *synthesis.parameters()])


def test_it_is_in_full_precision_under_autocast():
    matrix, noise = draw(SIDE * SIDE, D), draw(N, 1, SIDE, SIDE)
    with torch.autocast("cpu", torch.bfloat16):
        lengths = path_lengths(linear(matrix), draw(N, D), noise)
    assert lengths.dtype == torch.float32
    torch.testing.assert_close(lengths, path_lengths(linear(matrix), draw(N, D), noise), rtol=0, atol=0)


def test_noise_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="noise has shape"):
        path_lengths(linear(draw(SIDE * SIDE, D)), draw(N, D), draw(N, 1, SIDE, 1))
