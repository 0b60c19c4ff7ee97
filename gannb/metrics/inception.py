"""Inception as pytorch-fid has it, with class logits from the same pass; pretrained weights from torch's hub."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from gannb.metrics.extractor import FeatureExtractor, Precision, to_size
from gannb.metrics.feature_cache import content_hash, weights_hash
from gannb.metrics.feature_names import INCEPTION_DIMS
from gannb.metrics.frechet import frechet_distance
from gannb.metrics.sources import ImageSource
from gannb.runs.environment import multiplies_bf16

RESIZE = "bilinear to 299×299, no antialiasing (pytorch-fid)"
TENSORFLOW_RESIZE = "bilinear to 299×299 from pixels' corners, as TensorFlow 1 (torch-fidelity)"


class WeightsMissing(FileNotFoundError):
    """Pretrained weights are neither on this machine nor to be downloaded; the message says where they were sought."""


class InceptionFeatures(nn.Module):
    """pytorch-fid's Inception: the pooled features of one layer, and for 2048 the logits from the same pass.

    Args:
        inception: what `pytorch_fid.inception.fid_inception_v3()` gives.
        dims: 64, 192, 768 or 2048.
    """

    def __init__(self, inception: nn.Module, dims: int) -> None:
        super().__init__()
        blocks = "5b 5c 5d 6a 6b 6c 6d 6e", "7a 7b 7c"
        middle, last = ([getattr(inception, f"Mixed_{name}") for name in part.split()] for part in blocks)
        pool = nn.MaxPool2d(3, stride=2)
        layers = {
            64: [inception.Conv2d_1a_3x3, inception.Conv2d_2a_3x3, inception.Conv2d_2b_3x3, pool],
            192: [inception.Conv2d_3b_1x1, inception.Conv2d_4a_3x3, pool],
            768: middle,
            2048: last,
        }
        self.body = nn.Sequential(*(layer for upto, part in layers.items() if upto <= dims for layer in part))
        self.classes: Any = inception.fc if dims == 2048 else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Images in [0, 1] `[n, 3, 299, 299]` → features `[n, dims]`, logits `[n, 1008]` or None."""
        features = self.body(2 * x - 1).mean((2, 3))
        if self.classes is None:
            return features, None
        with torch.autocast(x.device.type, enabled=False):
            features = features.float()
            # Without the bias, as in the original Inception score's graph (and torch-fidelity's `logits_unbiased`).
            return features, features @ self.classes.weight.T


def inception(dims: int = 2048, precision: Precision = "fp32", device: torch.device | str = "cpu") -> FeatureExtractor:
    """Load pytorch-fid's Inception; its weights come from torch's hub cache, or are downloaded into it.

    Args:
        dims: width of the layer: 64, 192, 768 or 2048.
        precision: of the pass.
        device: where the network is put.

    Raises:
        WeightsMissing: neither was possible.
        ValueError: dims other than 64, 192, 768, 2048.
    """
    if dims not in INCEPTION_DIMS:
        raise ValueError(f"Inception has features of width {INCEPTION_DIMS}; found {dims}")
    from pytorch_fid.inception import FID_WEIGHTS_URL

    path = hub_weights(FID_WEIGHTS_URL)
    return _inception_from(path, path.stat().st_mtime_ns, dims, precision, str(device))


@functools.lru_cache(maxsize=4)
def _inception_from(path: Path, _changed: int, dims: int, precision: Precision, device: str) -> FeatureExtractor:
    from pytorch_fid.inception import fid_inception_v3

    torch.load(path, map_location="cpu", weights_only=True)  # refuses a file that holds anything but weights
    network = InceptionFeatures(_folded(fid_inception_v3().eval()), dims).requires_grad_(False)
    network = network.eval().to(memory_format=torch.channels_last).to(device)
    name = "inception" if dims == 2048 else f"inception_{dims}"
    return FeatureExtractor(
        name=name,
        network=network,
        prepare=functools.partial(to_size, size=299, antialias=False),
        resize=RESIZE,
        fingerprint=content_hash(name, weights_hash(network), precision),
        precision=precision,
    )


def as_torch_fidelity(inception: FeatureExtractor) -> FeatureExtractor:
    """Inception on images prepared as torch-fidelity does; the weights are the same."""
    fingerprint = content_hash(inception.fingerprint, TENSORFLOW_RESIZE)
    return replace(inception, prepare=_tensorflow_size, resize=TENSORFLOW_RESIZE, fingerprint=fingerprint)


def _tensorflow_size(x: Tensor, size: int = 299) -> Tensor:
    """Images `[N, C, H, W]` → `[N, C, size, size]`; the factor gives the network (pixels − 128) / 128."""
    for dim in (3, 2):
        place = torch.arange(size, device=x.device) * (x.shape[dim] / size)
        low = place.long()
        weight = (place - low).view(-1, *[1] * (3 - dim))
        high = (low + 1).clamp(max=x.shape[dim] - 1)
        x = torch.lerp(x.index_select(dim, low), x.index_select(dim, high), weight)
    return x * (255 / 256)


def _folded(inception: nn.Module) -> nn.Module:
    """Each batch normalisation folded into its convolution: a tenth faster, and three times less rounding in bf16."""
    for module in inception.modules():
        conv, bn = getattr(module, "conv", None), getattr(module, "bn", None)
        if isinstance(conv, nn.Conv2d) and isinstance(bn, nn.BatchNorm2d):
            module.conv, module.bn = fuse_conv_bn_eval(conv, bn), nn.Identity()
    return inception


def inception_for(real: Sequence[ImageSource], dims: int) -> FeatureExtractor:
    """Inception in fp32, or in bf16 where that is faster and agrees.

    Args:
        real: sources of real images; the network goes to their device, and the agreement is checked on some.
        dims: 64, 192, 768 or 2048.
    """
    device = real[0].some(1).device
    # Checking costs a pass over 64 images in each precision, so it has to be worth it.
    if device.type != "cpu" or sum(source.n for source in real) < 1000 or not multiplies_bf16(device):
        return inception(dims, "fp32", device)
    images = torch.cat([source.some(64) for source in real])
    agrees = bf16_agrees(inception(dims, "fp32"), inception(dims, "bf16"), images)
    return inception(dims, "bf16" if agrees else "fp32")


def bf16_agrees(
    fp32: FeatureExtractor, bf16: FeatureExtractor, images: Tensor, n: int = 64, within: float = 1e-3
) -> bool:
    """Whether bf16 moves the Fréchet distance between two halves of some images little.

    Args:
        fp32: the extractor in single precision.
        bf16: the same under autocast.
        images: `[N, C, H, W]` in [-1, 1].
        n: how many of them are used.
        within: the largest relative difference.
    """
    sample = images[torch.linspace(0, len(images) - 1, min(n, len(images))).long()]
    exact, rounded = fp32(sample).features, bf16(sample).features
    half = len(sample) // 2
    d32, d16 = (frechet_distance(x[:half], x[half:]) for x in (exact, rounded))
    return abs(d16 - d32) <= within * d32


def hub_weights(url: str, reach_within: float = 5.0) -> Path:
    """The file of a torch hub URL: from the hub cache, else downloaded there with a progress bar.

    Raises:
        WeightsMissing: not in the cache, and the address cannot be reached within `reach_within` seconds.
    """
    path = hub_path(url)
    if path.exists():
        return path
    refusal = unreachable(url, reach_within)
    if refusal:
        raise WeightsMissing(f"{path.name} is not in torch's hub cache, and could not be downloaded ({refusal})")
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = path.stem.rpartition("-")[2]
    torch.hub.download_url_to_file(url, str(path), hash_prefix=digest, progress=True)
    return path


def hub_path(url: str) -> Path:
    """Where torch's hub cache has the file of a URL, or would have it."""
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]


@functools.lru_cache(maxsize=16)
def unreachable(url: str, within: float) -> str:
    """Why an address cannot be reached, or an empty string; asked once a process."""
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=within):
            return ""
    except (OSError, urllib.error.URLError) as error:
        reason = getattr(error, "reason", error)
        return getattr(reason, "strerror", None) or str(reason) or type(error).__name__  # in words, without a number
