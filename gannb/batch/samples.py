"""Samples of a trained run as files: a folder that appears whole, written batch by batch."""

from __future__ import annotations

import argparse
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gannb.batch import whole_folder
from gannb.config.faults import BadInput
from gannb.data.pixels import on_white
from gannb.data.transparency import levels
from gannb.figures.grids import image_grid
from gannb.figures.points import clouds
from gannb.metrics.score_folders import stacked
from gannb.metrics.sources import evenly, with_progress
from gannb.random import generator, seeded
from gannb.runs import files
from gannb.training.trained import Network, Trained
from gannb.widgets.latent_explorer import slerp

BATCH, SHOWN, PLOTTED = 50, 64, 5000
LATENTS, PAUSE, SIDE = 4, 50, 256
"""Of an animation: latents that its loop passes, milliseconds a frame, pixels at least."""


def write(trained: Trained, out: Path, args: argparse.Namespace) -> Path:
    """Write samples of a run to a folder, and return it.

    Args:
        trained: the run.
        out: the folder, which is new or to be replaced.
        args: as `gannb sample` takes them.

    Raises:
        BadInput: samples that are not finite, speech or a speaker that cannot be used.
    """
    kind, count = trained.params.generates, args.n or SHOWN
    origin = {"run": trained.folder.name, "experiment": trained.params.name, "step": trained.step, "raw": trained.raw}
    origin |= {"seed": args.seed, "truncation": args.truncation, "speaker": args.speaker}
    number: int | None = getattr(args, "class")
    origin |= {} if number is None else {"class": number}
    with whole_folder.writing(out, origin) as folder:
        try:
            if kind == "gestures":
                module = import_module(f"gannb.experiments.{trained.params.name}.inference")
                module.write_gesture(trained, Path(args.speech).expanduser(), args.speaker, folder)
            else:
                network = trained.network() if number is None else of_class(trained.network(), number)
                draw = truncated(network, args.truncation) if args.truncation is not None else network.module
                _write_samples(folder, batches(network, draw, count, args.seed), count, kind)
                if args.interpolate:
                    animate(folder, network, draw, args.seed, args.frames or 24, args.interpolate)
        except (ValueError, FileNotFoundError) as error:
            raise BadInput(f"{trained.folder.name}: {error}") from error
    return out


@torch.no_grad()
def batches(network: Network, draw: Callable[..., Tensor], count: int, seed: int) -> Iterator[Tensor]:
    """Samples `[b, …]`, whole batches of latents cut at the end: the first n are those of any larger count.

    Args:
        network: whose latents are drawn.
        draw: latents, and classes where it takes any, → samples.
        count: how many in all.
        seed: of the latents.

    Raises:
        ValueError: a sample that is not finite.
    """
    for start in range(0, count, BATCH):
        with seeded("sample", seed, start):
            samples = draw(*network.inputs(BATCH, generator("latents", seed, start)))[: count - start]
        if not samples.isfinite().all():
            raise ValueError("its generator gives NaN or infinity: the training diverged")
        yield samples


class RunImages:
    """The images of a run's generator, as `Evaluator` takes them: those that `gannb sample RUN` writes.

    Args:
        trained: the run.
        n: how many.
        seed: of the latents.
        resize: side of the square that every image is brought to; None keeps them as they are.
        channels: 1 or 3 for all; None keeps them as they are.
    """

    def __init__(
        self, trained: Trained, n: int, seed: int = 0, *, resize: int | None = None, channels: int | None = None
    ) -> None:
        self.name, self.n = trained.folder.name, n
        self.note = f"{self.name}: {n} images of its generator at step {trained.step}, seed {seed}"
        self._network, self._seed, self._how = trained.network(), seed, (resize, channels)
        self.note += ", transparent on white" if self._network.arguments.get("channels") == 4 else ""
        self.shape = tuple(next(self._images(1)).shape[1:])

    def batches(self) -> Iterator[Tensor]:
        """All images `[b, C, H, W]` in [-1, 1], the same ones each time."""
        return self._images(self.n)

    def some(self, most: int) -> Tensor:
        """At most `most` images `[n, C, H, W]`, evenly spread."""
        return torch.cat(list(self.batches()))[evenly(self.n, most)]

    def fingerprint(self) -> None:
        """None: they are not generated only to be hashed."""

    def _images(self, n: int) -> Iterator[Tensor]:
        for batch in batches(self._network, self._network.module, n, self._seed):
            yield stacked(_seen(batch), *self._how)


@torch.no_grad()
def truncated(network: Network, psi: float) -> Callable[..., Tensor]:
    """A generator with a mapping network, whose mapped latents are drawn towards their mean (StyleGAN, 2019).

    Args:
        network: whose module has `mapping`, `synthesis` and `latent_dim`: latents `[N, latent_dim]` → images; the mean
            is over its inputs' classes.
        psi: 1 leaves everything as it is, 0 gives the image of the mean latent alone.
    """
    G: Any = network.module
    classes = network.inputs(4096, generator("mean classes"))[1:]
    mean = G.mapping(torch.randn(4096, G.latent_dim, generator=generator("mean latent")), *classes).mean(0)
    return lambda z, *classes: G.synthesis(torch.lerp(mean, G.mapping(z, *classes), psi))


def of_class(network: Network, number: int) -> Network:
    """A conditional network whose inputs are all of one class."""

    def inputs(n: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        z, classes = network.inputs(n, generator)
        return z, torch.full_like(classes, number)

    return replace(network, inputs=inputs)


def animate(folder: Path, network: Network, draw: Callable[..., Tensor], seed: int, frames: int, form: str) -> Path:
    """Write `interpolation.webp` or `.png` (APNG): a loop through latents, nine images at a time where they are small.

    Args:
        folder: where to.
        network: whose latents are drawn.
        draw: latents `[N, latent_dim]`, and classes `[N]` where it takes any, → images `[N, C, H, W]`.
        seed: of the latents.
        frames: from one latent to the next.
        form: webp or apng.
    """
    z, *classes = network.inputs(9 * LATENTS, generator("interpolation", seed))
    ends = list(z.unflatten(0, (LATENTS, 9)))
    pictures = []
    with torch.no_grad():
        for start, end in pairwise([*ends, ends[0]]):
            for index in range(frames):
                images = draw(slerp(start, end, index / frames), *(numbers[:9] for numbers in classes))
                images = images if images.shape[-1] < SIDE // 3 else images[:1]
                scale = max(1, SIDE // (images.shape[-1] * (3 if len(images) > 1 else 1)))
                pictures.append(image_grid(images, 3, scale=scale).picture.convert("RGB"))
    path, shape = folder / f"interpolation.{form.removeprefix('a')}", {"webp": "WEBP", "apng": "PNG"}[form]
    options = {"lossless": True} if form == "webp" else {}
    rest = {"save_all": True, "append_images": pictures[1:], "duration": PAUSE, "loop": 0}
    return files.write_with(path, lambda file: pictures[0].save(file, shape, **rest, **options))


def _write_samples(folder: Path, samples: Iterator[Tensor], count: int, kind: str) -> None:
    """Write `samples.npz` and a picture; images as PNG too. One batch is in memory, and what the picture shows."""
    shown: list[Tensor] = []
    wanted = SHOWN if kind == "images" else PLOTTED
    (folder / "images").mkdir() if kind == "images" else None
    with (
        zipfile.ZipFile(folder / "samples.npz", "w") as archive,
        archive.open(f"{kind}.npy", "w", force_zip64=True) as file,
    ):
        done = 0
        for batch in with_progress(samples, count, kind, sys.stderr.isatty()):
            array = _pixels(batch) if kind == "images" else batch.numpy()
            if not done:
                head = {"descr": array.dtype.str, "fortran_order": False, "shape": (count, *array.shape[1:])}
                np.lib.format.write_array_header_1_0(file, head)
            file.write(array.tobytes())
            for index, pixels in enumerate(array if kind == "images" else (), done):
                Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(
                    folder / "images" / f"{index:06d}.png"
                )
            if done < wanted:
                shown.append(batch)
            done += len(array)
    first = torch.cat(shown)[:wanted]
    picture = image_grid(first, 8) if kind == "images" else clouds({f"{count} points": first}, first, size=320)
    picture.save(folder / "grid.png")


def _seen(images: Tensor) -> np.ndarray:
    """Images `[N, C, H, W]` in [-1, 1] as the reader of their files gives them, `[N, H, W, C]` in [0, 1]."""
    stored = _pixels(images).astype(np.float32) / 255
    return on_white(stored[..., :3], stored[..., 3:]) if stored.shape[-1] == 4 else stored


def _pixels(images: Tensor) -> np.ndarray:
    """Images `[N, C, H, W]` in [-1, 1] as uint8 `[N, H, W, C]`, as files hold them."""
    return levels(images).byte().permute(0, 2, 3, 1).contiguous().numpy()
