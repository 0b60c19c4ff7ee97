"""A small classifier fitted to images with classes: a feature extractor where no pretrained network fits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gannb.config.image_formats import size_of
from gannb.data.transparency import opaque
from gannb.experiments.schedules.image_splits import DIGITS, ImageSplits
from gannb.metrics.extractor import FeatureExtractor, as_8_bit, check_images
from gannb.metrics.feature_cache import content_hash, load_weights, store_weights
from gannb.metrics.features import classifier
from gannb.networks.fit import minimise
from gannb.random import generator, seeded

STEPS, BATCH, RATE, WIDTH = 250, 64, 3e-3, 64


class SmallClassifier(nn.Module):
    """Images `[N, channels, H, W]` → logits `[N, classes]`, with `WIDTH` features before the last layer.

    The features are normalised, so that distances in them have one scale on every data set.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(),
            nn.Linear(512, WIDTH), nn.LayerNorm(WIDTH), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(WIDTH, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits `[N, classes]`."""
        return self.head(self.body(x))


def fitted_classifier(
    images: Tensor, classes: Tensor, name: str, *, steps: int = STEPS, seed: int = 0
) -> FeatureExtractor:
    """A feature space from a classifier fitted to images and their classes; scores are named `fd_<name>`.

    The fit depends on images, classes and `seed` alone, so variants that share their images share their evaluator; it
    is cached. Its accuracy on held-out images says how much its features are worth (`accuracy`).

    Args:
        images: `[N, C, H, W]` in [-1, 1].
        classes: whole numbers from 0 `[N]`.
        name: an identifier, such as "digits".
        steps: of the fit.
        seed: of the fit.

    Raises:
        ValueError: not one class per image, or one class alone.
    """
    check_images(images, "training")
    images = opaque(images)
    if len(classes) != len(images) or int(classes.max()) < 1:
        raise ValueError(f"{len(classes)} classes up to {int(classes.max())} for {len(images)} images; wanted ≥ 2 each")
    pixels, size = as_8_bit(images).cpu(), size_of(*images.shape[2:])
    with seeded(seed, "fitted"):
        network = SmallClassifier(images.shape[1], int(classes.max()) + 1)
    address = content_hash(pixels, classes.cpu(), "fitted-2", steps, seed)
    if not load_weights("fitted", address, network):
        with one_thread():  # sums in another order would make other weights
            _fit(network, (pixels - 0.5) / 0.5, classes.cpu(), steps, seed)
        store_weights("fitted", address, network)
    half = [0.5] * images.shape[1]
    extractor = classifier(network, name, size, mean=half, std=half)
    extractor.network.to(images.device)
    return extractor


def extractor_for(features: str, images: ImageSplits) -> str | FeatureExtractor:
    """The feature extractor for these images: "fitted" is a classifier of their classes, or FAED where they have none.

    Any other name is left to `features.choose`. The digits' is called "digits", any other "fitted".
    """
    if features != "fitted":
        return features
    if "train" not in images.classes:
        return "faed"
    name = images.train.source if images.train.source == DIGITS else "fitted"
    return fitted_classifier(images.train.pixels, images.classes["train"], name)


def accuracy(extractor: FeatureExtractor, images: Tensor, classes: Tensor) -> float:
    """The share of images that a classifier assigns to their class.

    Args:
        extractor: of a classifier.
        images: `[N, C, H, W]` in [-1, 1].
        classes: `[N]`.
    """
    return float((extractor(images).logits.argmax(1) == classes.cpu()).float().mean())


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one CPU thread, and on as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _fit(network: nn.Module, images: Tensor, classes: Tensor, steps: int, seed: int) -> None:
    order = generator("fitted", "order", seed)

    def loss(step: int) -> Tensor:
        some = torch.randint(len(images), (BATCH,), generator=order)
        return F.cross_entropy(network(images[some]), classes[some])

    minimise(loss, network, steps=steps, rate=RATE, of="the classifier")
