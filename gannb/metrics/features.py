"""The feature spaces by name. A distance takes its name from the features it is computed on.

inception              pytorch-fid's Inception, 2048-d with its class logits       → fid, kid, inception_score
inception_64/192/768   its earlier layers                                          → fd_inception_768, …
faed                   an autoencoder fitted to the real images, always available  → faed, kid_faed
any classifier         given by the user                                           → fd_<name>, kid_<name>
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from gannb.config.image_formats import Size, sides, written
from gannb.control.echo import shown
from gannb.metrics.extractor import FeatureExtractor, to_size
from gannb.metrics.faed import faed
from gannb.metrics.feature_cache import content_hash, weights_hash
from gannb.metrics.feature_names import FEATURES, INCEPTION_DIMS
from gannb.metrics.inception import WeightsMissing, inception_for
from gannb.metrics.resnet_cifar import load_resnet
from gannb.metrics.sources import ImageSource

FIT_ON = 2000
"""Images of each source that an autoencoder is fitted to, at most."""


def choose(features: str | FeatureExtractor, *real: ImageSource) -> FeatureExtractor:
    """Find a feature space by name.

    Args:
        features: `auto` (Inception where its weights are found or can be downloaded, else FAED), `faed`, `inception`,
            `inception_64`, `inception_192`, `inception_768`, `NAME=PATH` (a CIFAR-10 ResNet's weights), or
            a FeatureExtractor.
        real: the real images; FAED is fitted to at most `FIT_ON` of each source, and networks go to their device.

    Raises:
        ValueError: no such feature space.
        WeightsMissing: Inception was named, and its weights are unavailable.
    """
    if isinstance(features, FeatureExtractor):
        return features
    if features == "faed":
        images = torch.cat([source.some(FIT_ON) for source in real])
        return faed(images, device=images.device)
    if features == "auto":
        try:
            return inception_for(real, 2048)
        except WeightsMissing as why:
            fitted = choose("faed", *real)
            return replace(fitted, note=f"features: FAED, since {why}\n{fitted.note}")
    if features == "inception" or features in {f"inception_{d}" for d in INCEPTION_DIMS[:-1]}:
        return inception_for(real, int(features.partition("_")[2] or 2048))
    if "=" in features:
        name, _, path = features.partition("=")
        found = cifar_resnet(Path(path), name=name)
        found.network.to(real[0].some(1).device)
        return found
    raise ValueError(f"features: {shown(features)} is unknown; allowed: {FEATURES.allowed} | a FeatureExtractor")


class _Classifier(nn.Module):
    """Normalises images, and keeps the input of the last linear layer as features."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, head: nn.Linear, mean: Iterable[float], std: Iterable[float]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(list(mean)).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(list(std)).view(1, -1, 1, 1))
        self._seen: Tensor
        head.register_forward_pre_hook(lambda _, args: setattr(self, "_seen", args[0].detach().flatten(1)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network((x - self.mean) / self.std)
        return self._seen, logits


def classifier(
    network: nn.Module,
    name: str,
    size: Size,
    mean: Iterable[float] = (0.485, 0.456, 0.406),
    std: Iterable[float] = (0.229, 0.224, 0.225),
) -> FeatureExtractor:
    """Make a feature extractor of a classifier: features are the input of its last `nn.Linear`, logits its output.

    Args:
        network: images `[n, len(mean), size, size]` → logits `[n, classes]`; used in eval mode, not changed.
        name: what scores are named after (`fd_<name>`): a lower-case identifier.
        size: height and width that it expects, one number for a square.
        mean: of its normalisation, on images in [0, 1]; one or three channels.
        std: as `mean`.

    Raises:
        ValueError: a name that is no identifier or is taken; a network without a linear layer.
    """
    if not name.isidentifier() or name in ("inception", "faed"):
        raise ValueError(
            f"name: {name!r} cannot name a feature space; needed: an identifier other than inception, faed"
        )
    network = copy.deepcopy(network).eval().requires_grad_(False)
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise ValueError(f"classifier {name!r} has no nn.Linear, so it is not known which layer gives its features")
    mean, std, (height, width) = tuple(mean), tuple(std), sides(size)
    whole = _Classifier(network, linear[-1], mean, std).to(memory_format=torch.channels_last)
    prepare = functools.partial(to_size, size=size)
    side = size if isinstance(size, int) else written(size)
    fingerprint = content_hash(name, weights_hash(whole), type(network).__qualname__, side)
    resize = f"bilinear to {height}×{width}, antialiased, where another size"
    return FeatureExtractor(name, whole, prepare, resize, fingerprint, channels=len(mean))


def cifar_resnet(path: Path, name: str | None = None) -> FeatureExtractor:
    """Load a CIFAR-10 ResNet from its checkpoint (key layout of akamaster/pytorch_resnet_cifar10).

    Raises:
        FileNotFoundError: no such file.
        ValueError: one with other keys.
    """
    network = load_resnet(path)
    return classifier(network, name or f"resnet{network.depth}", size=32)
