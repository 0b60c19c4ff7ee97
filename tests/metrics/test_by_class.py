"""Scores by class: each of its own images, with a floor; too few images are a reason, not a number."""

import torch

from gannb.metrics.by_class import LEAST, scores_by_class
from gannb.metrics.features import classifier
from gannb.random import generator

LEVELS = (-0.5, 0.5)


class Brightness(torch.nn.Module):
    """Features are four means of an image; the class is whether it is bright."""

    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.AvgPool2d(8), torch.nn.Flatten())
        self.last = torch.nn.Linear(4, 2)
        self.last.weight.data = torch.tensor([[-1.0] * 4, [1.0] * 4])
        self.last.bias.data.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.body(x))


def images(number: int, n: int, stream: str) -> torch.Tensor:
    noise = torch.rand(n, 1, 16, 16, generator=generator(stream, number)) - 0.5
    return LEVELS[number] + noise


def scores(generate, n: int = 40):
    extractor = classifier(Brightness(), "levels", 16, mean=[0.5], std=[0.5])
    real = torch.cat([images(0, n, "real"), images(1, n, "real")])
    classes = torch.arange(2).repeat_interleave(n)
    return scores_by_class(extractor, real, classes, ("dark", "bright"), generate)


def test_a_class_is_compared_with_its_own_images() -> None:
    right = scores(lambda number: images(number, 40, "generated"))
    assert right["class_accuracy"].value == right["class_accuracy"].floor == 1
    for name in ("dark", "bright"):
        found = right[f"fd_levels_class_{name}"]
        assert found.value < 3 * found.floor and found.protocol["n_real"] == 20
    swapped = scores(lambda number: images(1 - number, 40, "generated"))
    assert swapped["class_accuracy"].value == 0
    assert all(swapped[f"fd_levels_class_{name}"].value > 100 * found.floor for name in ("dark", "bright"))


def test_too_few_images_are_a_reason() -> None:
    few = scores(lambda number: images(number, LEAST - 1 + number, "generated"))
    assert few["fd_levels_class_dark"].reason == f"40 real and {LEAST - 1} generated images; {LEAST} each are needed"
    assert few["fd_levels_class_bright"].available
