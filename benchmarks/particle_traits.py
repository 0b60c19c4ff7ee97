"""What a distance between images sees: real ones changed in one trait that hardly shows, against other real ones.

    python benchmarks/particle_traits.py CROPS --judge resnet56=FILE     # a minute; writes results/particle_traits.json

The training images are changed and then scored against the held-out ones, as a generator's would be: in the features of
an autoencoder fitted to the images, and in those of a classifier that knows nothing of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from gannb.comparison.results import hardware, keep, numbers
from gannb.comparison.trials import Trial
from gannb.data import particles
from gannb.experiments.particles_sagan.metrics import texture_scores
from gannb.metrics.evaluator import Evaluator
from gannb.random import generator

SEEDS, SIZE, HELD_OUT = range(5), 32, 0.2
LEVEL = 1 / 127.5
"""A grey level of 255 in images in [-1, 1]."""
Change = Callable[[Tensor, torch.Generator], Tensor]


def _unchanged(images: Tensor, rng: torch.Generator) -> Tensor:
    return images


def _brightness(levels: float) -> Change:
    return lambda images, rng: images + levels * LEVEL * torch.randn(len(images), 1, 1, 1, generator=rng)


def _noise(levels: float) -> Change:
    return lambda images, rng: images + levels * LEVEL * torch.randn(images.shape, generator=rng)


def _checkerboard(levels: float) -> Change:
    def changed(images: Tensor, rng: torch.Generator) -> Tensor:
        rows, columns = (torch.arange(side) for side in images.shape[2:])
        return images + levels * LEVEL * (1 - 2.0 * ((rows[:, None] + columns) % 2))

    return changed


def _blurred(weight: float) -> Change:
    """Each pixel gives this weight to both its neighbours along rows, then along columns."""
    line = torch.tensor([weight, 1 - 2 * weight, weight])
    kernel = torch.outer(line, line)[None, None]
    return lambda images, rng: F.conv2d(F.pad(images, (1, 1, 1, 1), mode="reflect"), kernel)


def _rounded(images: Tensor, rng: torch.Generator) -> Tensor:
    return images.bfloat16().float()


def _turned(images: Tensor, rng: torch.Generator) -> Tensor:
    times = torch.randint(4, (len(images),), generator=rng)
    return torch.stack([image.rot90(int(n), (1, 2)) for image, n in zip(images, times)])


CHANGES: dict[str, Change] = {
    "unchanged": _unchanged,
    "quarter turns": _turned,
    "rounded to bf16": _rounded,
    **{f"brightness ±{levels:g} levels": _brightness(levels) for levels in (0.5, 1, 1.5, 3)},
    **{f"noise of {levels:g} levels": _noise(levels) for levels in (0.5, 1, 2)},
    **{f"checkerboard of {levels:g} levels": _checkerboard(levels) for levels in (0.5, 1, 2)},
    **{f"blur of {weight:g}": _blurred(weight) for weight in (0.02, 0.05, 0.1)},
}
"""What is done to real images: shifts of each image's brightness, white noise, the finest pattern there is, a blur."""
DRAWN = ("quarter", "brightness", "noise")
"""How the names of changes begin that differ from seed to seed."""


def measured(real: Tensor, held_out: Tensor, judges: list[str]) -> list[Trial]:
    """A trial per change and seed: distances over their floor and kernel distances in each judge's features.

    Args:
        real: images to change `[N, 1, H, W]` in [-1, 1].
        held_out: images that they are scored against, in the same shape.
        judges: feature spaces by name.
    """
    evaluators = [Evaluator(held_out, real, features=name) for name in judges]
    trials = []
    for name, change in CHANGES.items():
        for seed in SEEDS if name.startswith(DRAWN) else [0]:
            images = change(real, generator("trait", seed, name)).clamp(-1, 1)
            found: dict[str, float] = {}
            for evaluator in evaluators:
                of = evaluator.extractor
                scores = evaluator(images, scores=("halves", "kernel"))
                for score in (f"{of.frechet_name}_over_floor", of.kernel_name):
                    found[score] = float(scores[score])
            found |= {score: float(value) for score, value in texture_scores(held_out, images).items()}
            trials.append(numbers(name, seed, **found))
    return trials


def main() -> None:
    """Measure, keep and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("images", help="a folder of images, or an .npz")
    parser.add_argument("--judge", required=True, help="a classifier's features, NAME=FILE")
    given = parser.parse_args()
    torch.set_num_threads(1)
    name, _, file = given.judge.partition("=")
    rest, held_out = particles.load(given.images, size=SIZE, seed=0, fit="resize").split(HELD_OUT)
    trials = measured(rest.pixels, held_out.pixels, ["faed", given.judge])
    head = {
        "question": "Which traits of an image rule a distance between real particle images, though they hardly show?",
        "data": f"{len(rest) + len(held_out)} real particle crops, {len(held_out)} of them held out, {SIZE} pixels",
        "command": f"python benchmarks/particle_traits.py {Path(given.images).name} --judge {name}={Path(file).name}",
    }
    print(keep("particle_traits", trials, hardware=hardware(), **head).table(trials[0].scores))


if __name__ == "__main__":
    main()
