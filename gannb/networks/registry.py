"""Image networks by name: what may be chosen, known without loading torch, and how G and D are built.

A network is a module of this package with a `Generator(latent_dim, width, size, channels, **options)` and a
`Discriminator(width, size, channels, **options)`, and one entry in `NETWORKS`. Every discriminator takes `spectral`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from gannb.config.image_formats import Size, sides, size_of, written

if TYPE_CHECKING:
    from torch import nn

SMALLEST, WIDEST, LARGEST = 4, 16, 256
"""Pixels: sides of the smallest feature map are `SMALLEST` to `WIDEST`, those of an image at most `LARGEST`."""
DOUBLINGS = range(2, 7)
"""How often the smallest feature map may be doubled."""


def maps(size: Size) -> list[tuple[int, int]]:
    """Heights and widths of the feature maps, from the smallest to the image's: each is twice the one before.

    Raises:
        ValueError: a size that no number of doublings leads to.
    """
    if found := _size_fault(size):
        raise ValueError(found)
    height, width = sides(size)
    times = _doublings(height, width)
    return [(height >> left, width >> left) for left in range(times, -1, -1)]


def resolutions(size: Size) -> list[int]:
    """Heights of the feature maps between the smallest and the image's, where self-attention may be placed.

    Raises:
        ValueError: as `maps`.
    """
    return [height for height, _ in maps(size)[1:-1]]


def _doublings(height: int, width: int) -> int:
    """How often the smallest feature map is doubled, as often as possible; 0 where an image cannot come of it."""
    even = [n for n in DOUBLINGS if all(side % 2**n == 0 and side >> n >= SMALLEST for side in (height, width))]
    return max(even) if even and max(height, width) <= min(WIDEST << max(even), LARGEST) else 0


def _size_fault(size: Size) -> str | None:
    """Why images cannot have a size, with the nearest one that they can have."""
    shape = sides(size)
    if _doublings(*shape):
        return None
    near = [
        tuple(min(max(round(side / 2**n), SMALLEST), WIDEST, LARGEST >> n) << n for side in shape) for n in DOUBLINGS
    ]
    height, width = min(near, key=lambda other: sum(abs(a - b) for a, b in zip(shape, other)))
    return (
        f"image size {written(size)}; allowed: height and width {SMALLEST} … {WIDEST} times the same power of two, "
        f"from 4 on, and at most {LARGEST}; nearest: {written(size_of(height, width))}"
    )


@dataclass(frozen=True)
class Option:
    """An option of a network.

    Attributes:
        meaning: in a line.
        of: "G", "D" or "GD": which of the two takes it.
        wanted: of (value, image size): what is allowed, in words, where the value is not; else "".
    """

    meaning: str
    of: str
    wanted: Callable[[Any, Size], str]


def _switch(value: Any, size: Size) -> str:
    return "" if isinstance(value, bool) else "true or false"


def _heights(value: Any, size: Size) -> str:
    heights = resolutions(size)
    fits = isinstance(value, list | tuple) and all(place in heights for place in value)
    return "" if fits else f"a list of {', '.join(map(str, heights))} for images of {written(size)} px"


def _layers(value: Any, size: Size) -> str:
    return "" if type(value) is int and 1 <= value <= 16 else "a whole number from 1 to 16"


def _share(value: Any, size: Size) -> str:
    return "" if isinstance(value, int | float) and 0 <= value < 1 else "a share of [0, 1)"


def _classes(value: Any, size: Size) -> str:
    return "" if type(value) is int and value > 1 else "a whole number of at least 2"


SPECTRAL = Option("spectral norm on every layer of D", "D", _switch)
ATTENTION = {
    "attention_at": Option("heights after which self-attention follows", "GD", _heights),
    "pooled": Option("attention pools its keys and values", "GD", _switch),
}


def _upsampling(value: Any, size: Size) -> str:
    return "" if value in ("transposed", "nearest") else "transposed | nearest"


def _brightness(value: Any, size: Size) -> str:
    return "" if type(value) in (int, float) and -1 < value < 1 else "a number between -1 (black) and 1 (white)"


DROPOUT = {"dropout": Option("share of the features that D drops after every block", "D", _share)}
IMAGE = {
    "upsampling": Option(
        "how G doubles its maps: transposed convolutions, or nearest neighbours first", "G", _upsampling
    ),
    "mean": Option("mean brightness that every generated image gets, -1 to 1", "G", _brightness),
}
CLASSES = {"classes": Option("classes of the images, for a conditional network", "GD", _classes)}


@dataclass(frozen=True)
class Network:
    """What is known of a network without loading it.

    Attributes:
        options: by name, besides latent_dim, width, size and channels.
        batch_norm: whether D has BatchNorm where it has no spectral norm.
        mapping: whether G has a mapping network (`mapping`, `synthesis`, `layers`), which normalises every latent.
        reconstructs: whether D can reconstruct the images that it is given (`reconstruct`).
    """

    options: Mapping[str, Option] = field(default_factory=dict)
    batch_norm: bool = False
    mapping: bool = False
    reconstructs: bool = False


NETWORKS: dict[str, Network] = {
    "dcgan": Network({"spectral": SPECTRAL, **ATTENTION, **IMAGE, **DROPOUT, **CLASSES}, batch_norm=True),
    "sagan": Network({"spectral": SPECTRAL, **ATTENTION, **IMAGE, **DROPOUT, **CLASSES}, batch_norm=True),
    "stylegan2": Network(
        {"spectral": SPECTRAL, "mapping_layers": Option("layers of the mapping network", "G", _layers), **CLASSES},
        mapping=True,
    ),
    "r3gan": Network({"spectral": SPECTRAL, "blocks": Option("residual blocks per resolution", "GD", _layers)}),
    "fastgan": Network({"spectral": SPECTRAL}, batch_norm=True, reconstructs=True),
}
"""Name of the network and of its module → what may be chosen."""


def fault(network: str, size: Size, options: Mapping[str, Any]) -> str | None:
    """What is wrong with a choice of network, image size and options, in words; None where nothing is.

    Args:
        network: its name.
        size: height and width of the images, one number for a square.
        options: of the network, by name.
    """
    if network not in NETWORKS:
        return f"network {network!r} is unknown; allowed: {', '.join(NETWORKS)}"
    if found := _size_fault(size):
        return found
    known = NETWORKS[network].options
    for name, value in options.items():
        if name not in known:
            return f"{network} has no option {name!r}; it has: {', '.join(known)}"
        if wanted := known[name].wanted(value, size):
            return f"{name} {value!r}; allowed: {wanted}"
    return None


def generator(network: str, latent_dim: int, width: int, size: Size, channels: int, **options: Any) -> nn.Module:
    """Latents `[N, latent_dim]` → images `[N, channels, height, width]` in [-1, 1]; with `classes`, classes `[N]` too.

    Args:
        network: its name.
        latent_dim: length of a latent.
        width: channels at the largest feature map.
        size: height and width of the images, one number for a square.
        channels: of the images, 1 for grey, 3 for colour, 4 for colour with transparency.
        options: of this network; those of D alone are left out.

    Raises:
        ValueError: an unknown network, or an option or size that it does not take.
    """
    return _module(network, size, options).Generator(latent_dim, width, size, channels, **_own("G", network, options))


def discriminator(network: str, width: int, size: Size, channels: int, **options: Any) -> nn.Module:
    """Images `[N, channels, height, width]` → logits `[N]`; with `classes`, classes `[N]` too.

    Args:
        network: its name.
        width: channels at the largest feature map.
        size: height and width of the images, one number for a square.
        channels: of the images, 1 for grey, 3 for colour, 4 for colour with transparency.
        options: of this network; those of G alone are left out.

    Raises:
        ValueError: an unknown network, or an option or size that it does not take.
    """
    return _module(network, size, options).Discriminator(width, size, channels, **_own("D", network, options))


def _module(network: str, size: Size, options: Mapping[str, Any]) -> Any:
    if found := fault(network, size, options):
        raise ValueError(found)
    return import_module(f"gannb.networks.{network}")


def _own(side: str, network: str, options: Mapping[str, Any]) -> dict[str, Any]:
    known = NETWORKS[network].options
    return {name: value for name, value in options.items() if side in known[name].of}
