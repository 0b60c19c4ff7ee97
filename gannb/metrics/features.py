"""Feature spaces: the eyes that judge. Each has a name, and a distance takes its name from the features it is on.

    inception              pytorch-fid's Inception, 2048-d with its class logits     → fid, kid, inception_score
    inception_64/192/768   its earlier layers                                        → fd_inception_768, …
    faed                   an autoencoder fitted to the real images, always available → faed, kid_faed
    any classifier         given by the user                                         → fd_<name>, kid_<name>

Images come in as float `[N, C, H, W]` in [-1, 1] and are first rounded to the 8 bits that a PNG would hold, so that a
tensor and the folder it is saved to score the same.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from gannb.metrics.feature_cache import content_hash, load_weights, store_weights, weights_hash
from gannb.networks.autoencoder import Autoencoder
from gannb.networks.fit import minimise
from gannb.random import generator, seeded

Precision = Literal["fp32", "bf16"]
INCEPTION_DIMS = (64, 192, 768, 2048)
FIT_STEPS, FIT_BATCH, FIT_RATE = 200, 16, 2e-3
FAED_SIZE = 64


class WeightsMissing(FileNotFoundError):
    """Pretrained weights are neither on this machine nor to be downloaded; the message says where they were sought."""


@dataclass(frozen=True)
class Activations:
    """What a feature space makes of `N` images.

    Args:
        features: `[N, d]` float32.
        logits: `[N, classes]` float32, None where the network has no classes.
    """

    features: Tensor
    logits: Tensor | None = None


@dataclass(frozen=True)
class FeatureExtractor:
    """A named feature space.

    Args:
        name: `inception`, `faed`, or the user's own; scores are named after it.
        network: images in [0, 1] `[n, C, h, w]` (prepared as `prepare` says) → `(features [n, d], logits or None)`.
        prepare: brings 8-bit images in [0, 1] to the network's size and channels.
        resize: what `prepare` does, in words, for the protocol.
        fingerprint: hash of weights and settings; features are cached under it.
        channels: that the network takes; grey images are repeated for one that takes 3.
        precision: `bf16` runs the network under autocast; features stay float32.
        note: a sentence for the reader, such as how the autoencoder was fitted.
    """

    name: str
    network: nn.Module
    prepare: Callable[[Tensor], Tensor]
    resize: str
    fingerprint: str
    precision: Precision = "fp32"
    channels: int = 3
    note: str = ""

    @property
    def frechet_name(self) -> str:
        """`fid` on Inception's 2048 features, `faed` on the autoencoder's, `fd_<name>` on any other."""
        return {"inception": "fid", "faed": "faed"}.get(self.name, f"fd_{self.name}")

    @property
    def kernel_name(self) -> str:
        """`kid` on Inception's 2048 features, `kid_<name>` on any other."""
        return "kid" if self.name == "inception" else f"kid_{self.name}"

    @property
    def device(self) -> torch.device:
        """Where the network lives."""
        return next(self.network.parameters()).device

    @torch.no_grad()
    def __call__(self, images: Tensor, batch_size: int = 16) -> Activations:
        """Features (and logits) of images `[N, C, H, W]` in [-1, 1]."""
        parts = [self._batch(images[i : i + batch_size]) for i in range(0, len(images), batch_size)]
        features, logits = zip(*parts)
        return Activations(torch.cat(features), None if logits[0] is None else torch.cat(logits))

    def _batch(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        x = self.prepare(as_8_bit(images.to(self.device))).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            features, logits = self.network(x)
        return features.float().cpu(), None if logits is None else logits.float().cpu()


def as_8_bit(images: Tensor) -> Tensor:
    """Images in [-1, 1], rounded to 256 levels, as float32 in [0, 1]."""
    return ((images.float() + 1) * 127.5).round_().clamp_(0, 255).div_(255)


def choose(
    features: str | FeatureExtractor, real: Tensor, precision: Precision | Literal["auto"] = "auto"
) -> FeatureExtractor:
    """Find a feature space by name.

    Args:
        features: `auto` (Inception where its weights are found or can be downloaded, else FAED), `faed`, `inception`,
            `inception_64`, `inception_192`, `inception_768`, `NAME=PATH` (a CIFAR-10 ResNet's weights), an
            instance.
        real: the real images `[N, C, H, W]`; FAED is fitted to them, and the networks go to their device.
        precision: of Inception; `auto` takes bf16 for 1000 and more images on a CPU that multiplies it in hardware, if
            `bf16_agrees` finds that it does not move the distance.

    Raises:
        ValueError: no such feature space. WeightsMissing: Inception was asked for by name and is unavailable.
    """
    if isinstance(features, FeatureExtractor):
        return features
    if features == "faed":
        return faed(real, device=real.device)
    if features == "auto":
        try:
            return _inception_for(real, 2048, precision)
        except WeightsMissing as why:
            fitted = faed(real, device=real.device)
            return _with_note(fitted, f"features: FAED, since {why}", fitted.note)
    if features == "inception" or features in {f"inception_{d}" for d in INCEPTION_DIMS[:-1]}:
        return _inception_for(real, int(features.partition("_")[2] or 2048), precision)
    if "=" in features:
        name, _, path = features.partition("=")
        found = cifar_resnet(Path(path), name=name)
        found.network.to(real.device)
        return found
    allowed = "auto, faed, inception, inception_64, inception_192, inception_768, NAME=PATH or an FeatureExtractor"
    raise ValueError(f"features: {features!r} is unknown; allowed: {allowed}")


# ----------------------------------------------------------------------------------------------------------------------
# Inception, as pytorch-fid has it


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
        self.classes = inception.fc if dims == 2048 else None

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
    """pytorch-fid's Inception; its weights come from torch's hub cache, or are downloaded into it.

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
    network = network.eval().to(device, memory_format=torch.channels_last)
    name = "inception" if dims == 2048 else f"inception_{dims}"
    return FeatureExtractor(
        name=name,
        network=network,
        prepare=functools.partial(_to_rgb, size=299, antialias=False),
        resize="bilinear to 299×299, no antialiasing (pytorch-fid)",
        fingerprint=content_hash(name, weights_hash(network), precision),
        precision=precision,
    )


def _folded(inception: nn.Module) -> nn.Module:
    """Each batch normalisation folded into its convolution: a tenth faster, and three times less rounding in bf16."""
    for module in inception.modules():
        if isinstance(getattr(module, "bn", None), nn.BatchNorm2d):
            module.conv, module.bn = fuse_conv_bn_eval(module.conv, module.bn), nn.Identity()
    return inception


def _inception_for(real: Tensor, dims: int, precision: Precision | Literal["auto"]) -> FeatureExtractor:
    """Inception in fp32, or in bf16 where that is faster and agrees."""
    if precision != "auto":
        return inception(dims, precision, real.device)
    # Checking costs a pass over 64 images in each precision, so it has to be worth it.
    if real.device.type != "cpu" or len(real) < 1000 or not has_fast_bf16():
        return inception(dims, "fp32", real.device)
    agrees = bf16_agrees(inception(dims, "fp32"), inception(dims, "bf16"), real)
    return inception(dims, "bf16" if agrees else "fp32")


def has_fast_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def bf16_agrees(
    fp32: FeatureExtractor, bf16: FeatureExtractor, images: Tensor, n: int = 64, within: float = 1e-3
) -> bool:
    """Whether bf16 moves the Fréchet distance between two halves of `n` images by at most `within` (relative)."""
    from gannb.metrics.frechet import frechet_distance

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
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if path.exists():
        return path
    refusal = _unreachable(url, reach_within)
    if refusal:
        raise WeightsMissing(f"{path.name} is not in torch's hub cache, and could not be downloaded ({refusal})")
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = path.stem.rpartition("-")[2]
    torch.hub.download_url_to_file(url, str(path), hash_prefix=digest, progress=True)
    return path


@functools.lru_cache(maxsize=16)
def _unreachable(url: str, within: float) -> str:
    """Why an address cannot be reached, or an empty string; asked once a process."""
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=within):
            return ""
    except (OSError, urllib.error.URLError) as error:
        return str(getattr(error, "reason", error)) or type(error).__name__


# ----------------------------------------------------------------------------------------------------------------------
# An autoencoder fitted to the real images


class _Standardised(nn.Module):
    """An autoencoder's code, scaled so that each of its numbers has mean 0 and spread 1 over the real images."""

    def __init__(self, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.register_buffer("centre", torch.zeros(autoencoder.code_dim))
        self.register_buffer("spread", torch.ones(autoencoder.code_dim))

    def calibrate(self, code: Tensor) -> None:
        """Take centre and spread from the codes `[N, code_dim]` of the real images."""
        spread = code.std(0)
        self.centre.copy_(code.mean(0))
        self.spread.copy_(spread + 0.01 * spread.mean())  # a channel that hardly moves must not rule the distance

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return (self.autoencoder.encode(2 * x - 1) - self.centre) / self.spread, None


def faed(real: Tensor, steps: int = FIT_STEPS, seed: int = 0, device: torch.device | str = "cpu") -> FeatureExtractor:
    """An autoencoder fitted to the real images `[N, C, H, W]`, by gradient descent on the squared error.

    The fit depends on the images and `seed` alone, never on a run's seed: arms that share their real images are judged
    in the same space. It is kept in the cache.

    Raises:
        ValueError: fewer than 2 images, images below 8×8, or images that are all alike.
    """
    check_images(real, "real")
    if len(real) < 2 or bool((real == real[:1]).all()):
        raise ValueError(f"an autoencoder needs real images that differ; found {len(real)}, all alike")
    smaller = min(real.shape[-2:])
    if smaller < 8:
        raise ValueError(f"FAED needs images of at least 8×8; found {real.shape[-2]}×{real.shape[-1]}")
    size = min(FAED_SIZE, 2 ** int(math.log2(smaller)))
    pixels = as_8_bit(real).cpu()  # fitted on the CPU wherever it is used: the same space on every machine's GPU
    address = content_hash(pixels, "faed-2", steps, seed, size)
    network = _fitted(address, pixels, size, steps, seed).eval().requires_grad_(False)
    as_is = tuple(real.shape[-2:]) == (size, size)
    return FeatureExtractor(
        name="faed",
        network=network.to(device, memory_format=torch.channels_last),
        prepare=functools.partial(_to_size, size=size),
        resize="none" if as_is else f"bilinear to {size}×{size}, antialiased",
        fingerprint=content_hash("faed", weights_hash(network)),
        channels=pixels.shape[1],
        note=f"FAED: Fréchet distance in the code of an autoencoder fitted to the {len(real)} real images",
    )


def _fitted(address: str, pixels: Tensor, size: int, steps: int, seed: int) -> _Standardised:
    with seeded(seed, "faed"):
        network = _Standardised(Autoencoder(pixels.shape[1], size))
    if load_weights("faed", address, network):
        return network
    images = 2 * _to_size(pixels, size) - 1
    _fit(network.autoencoder, images, steps, seed)
    with torch.inference_mode():
        network.calibrate(torch.cat([network.autoencoder.encode(part) for part in images.split(256)]))
    store_weights("faed", address, network)
    return network


def _fit(autoencoder: Autoencoder, images: Tensor, steps: int, seed: int) -> None:
    order = generator("faed", "order", seed)

    def loss(step: int) -> Tensor:
        batch = images[torch.randint(len(images), (FIT_BATCH,), generator=order)]
        return F.mse_loss(autoencoder(batch), batch)

    minimise(loss, autoencoder, steps=steps, rate=FIT_RATE, one_cycle=True)


# ----------------------------------------------------------------------------------------------------------------------
# A classifier given by the user


class _Classifier(nn.Module):
    """Normalises images, and keeps the input of the last linear layer as features."""

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
    size: int,
    mean: Iterable[float] = (0.485, 0.456, 0.406),
    std: Iterable[float] = (0.229, 0.224, 0.225),
) -> FeatureExtractor:
    """Any classifier as a feature space: the input of its last `nn.Linear` is the features, its output the logits.

    Args:
        network: images `[n, len(mean), size, size]` → logits `[n, classes]`; used in eval mode, not changed.
        name: what scores are named after (`fd_<name>`): a lower-case identifier.
        size: height and width that it expects.
        mean, std: of its normalisation, on images in [0, 1]; one or three channels.

    Raises:
        ValueError: a name that is no identifier or is taken; a network without a linear layer.
    """
    import copy

    if not name.isidentifier() or name in ("inception", "faed"):
        raise ValueError(
            f"name: {name!r} cannot name a feature space; needed: an identifier other than inception, faed"
        )
    network = copy.deepcopy(network).eval().requires_grad_(False)
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise ValueError(f"classifier {name!r} has no nn.Linear, so its features cannot be told from its other layers")
    mean, std = tuple(mean), tuple(std)
    whole = _Classifier(network, linear[-1], mean, std).to(memory_format=torch.channels_last)
    prepare = functools.partial(_to_rgb if len(mean) == 3 else _to_size, size=size)
    fingerprint = content_hash(name, weights_hash(whole), type(network).__qualname__, size)
    resize = f"bilinear to {size}×{size}, antialiased, where another size"
    return FeatureExtractor(name, whole, prepare, resize, fingerprint, channels=len(mean))


def cifar_resnet(path: Path, name: str | None = None) -> FeatureExtractor:
    """A CIFAR-10 ResNet from its checkpoint (key layout of akamaster/pytorch_resnet_cifar10).

    Raises FileNotFoundError for no such file, ValueError for one with other keys.
    """
    from gannb.networks.resnet_cifar import load_resnet

    network = load_resnet(path)
    return classifier(network, name or f"resnet{network.depth}", size=32)


# ----------------------------------------------------------------------------------------------------------------------
# Images: what is accepted, and how they are brought to a network's size and channels


def check_images(images: Any, which: str) -> None:
    """Raise ValueError unless `images` is a float `[N, C, H, W]` in [-1, 1] with 1 or 3 channels, all finite."""
    if not isinstance(images, Tensor):
        raise ValueError(f"{which} images: a tensor [N, C, H, W] is needed; found {type(images).__name__}")
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(f"{which} images: [N, C, H, W] with 1 or 3 channels is needed; found {tuple(images.shape)}")
    if not images.is_floating_point():
        raise ValueError(f"{which} images: floats in [-1, 1] are needed; found {images.dtype}")
    if not len(images):
        raise ValueError(f"{which} images: none were given")
    bad = ~torch.isfinite(images).flatten(1).all(1)
    if bad.any():
        first = int(bad.nonzero()[0])
        raise ValueError(
            f"{which} images: {int(bad.sum())} of {len(images)} hold NaN or infinity (first: image {first})"
        )
    low, high = float(images.min()), float(images.max())
    if low < -1.01 or high > 1.01:
        raise ValueError(f"{which} images: values in [-1, 1] are needed; found {low:.3g} … {high:.3g}")


def _to_rgb(x: Tensor, size: int, antialias: bool = True) -> Tensor:
    return _to_size(x.expand(-1, 3, -1, -1), size, antialias)


def _to_size(x: Tensor, size: int, antialias: bool = True) -> Tensor:
    if tuple(x.shape[-2:]) == (size, size):
        return x
    return F.interpolate(x, size=(size, size), mode="bilinear", align_corners=False, antialias=antialias)


def _with_note(extractor: FeatureExtractor, *notes: str) -> FeatureExtractor:
    from dataclasses import replace

    return replace(extractor, note="\n".join(filter(None, notes)))
