"""Diversity: how far apart generated images are from each other, by LPIPS (Zhang et al. 2018)."""

from __future__ import annotations

import functools
import math
import warnings
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gannb.metrics.extractor import check_images
from gannb.metrics.inception import WeightsMissing, hub_weights
from gannb.metrics.score import Score
from gannb.random import key

Backbone = Literal["alex", "squeeze", "vgg"]
BACKBONES = {"alex": "alexnet", "squeeze": "squeezenet1_1", "vgg": "vgg16"}  # names of LPIPS and of torchvision
SMALLEST_SIDE = 64  # AlexNet's pooling needs 63
PAIRS_AT_ONCE = 25


def lpips_diversity(images: Tensor, net: Backbone = "alex", seed: int = 0) -> Score:
    """Mean LPIPS over disjoint random pairs of generated images; 0 is one image over and over.

    Pairs are disjoint, so that they are independent and the error is honest.

    Args:
        images: `[N, C, H, W]` in [-1, 1], at least 4; below 64×64 they are enlarged.
        net: the backbone; its weights are found in torch's hub cache or downloaded, else the score says why not.
        seed: of the pairing.
    """
    check_images(images, "generated")
    name = "lpips_diversity"
    if len(images) < 4:
        return Score.missing(name, f"2 pairs need 4 generated images; found {len(images)}")
    try:
        network = _lpips(net)
    except WeightsMissing as why:
        return Score.missing(name, str(why))
    order = torch.from_numpy(np.random.default_rng(key(seed, "pairs")).permutation(len(images)))
    pairs = order[: len(order) // 2 * 2].view(2, -1)
    distances = torch.cat([_distances(network, images, part) for part in pairs.split(PAIRS_AT_ONCE, dim=1)])
    small = min(images.shape[-2:]) < SMALLEST_SIDE
    protocol = {
        "n_fake": len(images),
        "features": f"lpips {net} v0.1",
        "resize": f"bilinear to {SMALLEST_SIDE} and up" if small else "none",
        "pairs": pairs.shape[1],
        "error": "of the mean over disjoint pairs",
    }
    error = float(distances.std()) / math.sqrt(len(distances))
    return Score(name, float(distances.mean()), error, protocol=protocol)


@torch.inference_mode()
def _distances(network: nn.Module, images: Tensor, pairs: Tensor) -> Tensor:
    first, second = (_prepared(images[side]) for side in pairs)
    return network(first, second).flatten().double()


def _prepared(images: Tensor) -> Tensor:
    rgb = images.float().expand(-1, 3, -1, -1)
    smaller = min(rgb.shape[-2:])
    if smaller >= SMALLEST_SIDE:
        return rgb
    return F.interpolate(rgb, scale_factor=SMALLEST_SIDE / smaller, mode="bilinear", align_corners=False)


def _lpips(net: Backbone) -> nn.Module:
    from torchvision.models import get_model_weights

    if net not in BACKBONES:
        raise ValueError(f"net: {net!r} is unknown; allowed: {', '.join(BACKBONES)}")
    weights: Any = get_model_weights(BACKBONES[net])
    path = hub_weights(weights.IMAGENET1K_V1.url)
    return _build(net, str(path), path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=2)
def _build(net: Backbone, path: str, _changed: int) -> nn.Module:
    import lpips

    torch.load(path, map_location="cpu", weights_only=True)  # refuses a file that holds anything but weights
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # lpips asks torchvision for weights by an older name
        return lpips.LPIPS(net=net, verbose=False).eval().requires_grad_(False)
