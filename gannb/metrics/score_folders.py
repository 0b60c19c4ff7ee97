"""`gannb score REAL FAKE`: all scores of two folders of images (or `.npz` files), read batch by batch.

Stricter than the readers that feed training: nothing is resized or turned grey unless asked for, since either changes
a score. Files that cannot be read are named and left out.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from gannb.metrics.score import Scores
from gannb.metrics.sources import BATCH, ImageSource, TensorImages, evenly

GREY_MODES = ("1", "L", "LA", "La", "F")
NAMED = 5  # files named in a message, at most


@dataclass(frozen=True)
class Reading:
    """How files become images.

    Args:
        resize: side of the square that every image is brought to (bicubic, antialiased); None keeps them as they are.
        channels: 1 or 3 for all; None keeps them as they are.
    """

    resize: int | None = None
    channels: int | None = None

    def open(self, path: Path) -> np.ndarray:
        """One file as float32 `[H, W, C]` in [-1, 1]; raises OSError or ValueError where it cannot be read."""
        with Image.open(path) as picture:
            picture.load()
            if picture.mode.startswith("I"):  # 16 bits a pixel
                picture = Image.fromarray((np.asarray(picture).clip(0, 65535) / 257).round().astype(np.uint8))
            channels = self.channels or (1 if picture.mode in GREY_MODES else 3)
            picture = picture.convert("L" if channels == 1 else "RGB")
        if self.resize:
            picture = picture.resize((self.resize, self.resize), Image.Resampling.BICUBIC)
        values = np.asarray(picture, dtype=np.float32) / 127.5 - 1
        return values.reshape(*values.shape[:2], channels)


@dataclass
class FolderImages:
    """The images of a folder and its subfolders, in order of their names.

    Args:
        folder: where they are.
        reading: how to read them.
        files: those that can be read.
        left_out: the others, by name, with the reason.
        digest: hash of the files' bytes and of how they are read.
    """

    folder: Path
    reading: Reading
    files: list[Path] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    digest: str = ""

    @property
    def n(self) -> int:
        """How many images."""
        return len(self.files)

    def batches(self) -> Iterator[Tensor]:
        """All images `[b, C, H, W]` in [-1, 1]."""
        for start in range(0, self.n, BATCH):
            yield self._stack(self.files[start : start + BATCH])

    def some(self, most: int) -> Tensor:
        """At most `most` images, evenly spread."""
        return self._stack([self.files[int(i)] for i in evenly(self.n, most)])

    def fingerprint(self) -> str:
        """The digest."""
        return self.digest

    def _stack(self, files: Sequence[Path]) -> Tensor:
        return torch.from_numpy(np.stack([self.reading.open(file) for file in files])).permute(0, 3, 1, 2)


def open_images(path: str | Path, reading: Reading | None = None, progress: bool = False) -> ImageSource:
    """Images of a folder, or of an `.npz` file (`file.npz:array` picks one of several arrays).

    Every file of a folder is read once, so that what cannot be used is known before time is spent.

    Raises:
        FileNotFoundError: no such folder or file.
        ValueError: no image that can be read, or images of different sizes or channels.
    """
    reading = reading or Reading()
    name, _, array = str(path).partition(".npz:")
    where = Path(name + ".npz") if array else Path(path)
    where = where.expanduser()
    if not where.exists():
        raise FileNotFoundError(f"there is no folder or file {str(path)!r}")
    if where.is_dir():
        return _open_folder(where, reading, progress)
    if where.suffix == ".npz":
        return _open_npz(where, array, reading)
    raise ValueError(f"{where.name}: a folder of images or an .npz file is needed")


def score_folders(
    real: str | Path,
    fake: str | Path,
    *,
    train: str | Path | None = None,
    features: str = "auto",
    reading: Reading | None = None,
    lpips: bool = True,
    seed: int = 0,
    progress: bool = False,
) -> Scores:
    """All scores of generated images in `fake` against real images in `real`.

    Args:
        real: a folder or `.npz` file.
        fake: another.
        train: the images the generator was trained on, for the share of copies.
        features: as `Evaluator`.
        lpips: also LPIPS diversity.
        seed: of every random draw.
        progress: show a bar over the images.
        reading: how files become images.

    Raises:
        FileNotFoundError, ValueError: as `open_images` and `Evaluator`.
    """
    from gannb.metrics.evaluator import evaluate

    sources = [open_images(path, reading, progress) for path in (real, fake, train) if path is not None]
    shapes = {str(path): tuple(source.some(1).shape[1:]) for path, source in zip((real, fake, train), sources)}
    if len(set(shapes.values())) > 1:
        found = "; ".join(f"{path}: {_words(shape)}" for path, shape in shapes.items())
        raise ValueError(f"the images differ ({found}). {_remedy(shapes.values())}")
    scores = evaluate(
        generator=sources[1],
        real=sources[0],
        train=sources[2] if train is not None else None,
        features=features,
        seed=seed,
        scores=("default", "extrapolated", "lpips") if lpips else ("default", "extrapolated"),
        progress=progress,
    )
    notes = [*scores.notes, *_notes(sources)]
    if reading and reading.resize:
        notes.append(f"all images were resized to {reading.resize}×{reading.resize} (bicubic, antialiased)")
    if reading and reading.channels:
        notes.append(f"all images were made {'grey' if reading.channels == 1 else 'colour'}")
    return Scores(scores.values(), notes)


# ----------------------------------------------------------------------------------------------------------------------
# The command


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Mount `score` on the command line; the parsed arguments carry `main` as `command`."""
    parser = subparsers.add_parser(
        "score",
        help="score a folder of generated images against a folder of real ones",
        description="FID (or FAED), KID, precision, recall, density, coverage, Inception score and LPIPS diversity "
        "from one pass over the images, each with its protocol.",
    )
    parser.add_argument("real", metavar="REAL", help="folder of real images, or file.npz[:array]")
    parser.add_argument("fake", metavar="FAKE", help="folder of generated images, or file.npz[:array]")
    parser.add_argument("--train", metavar="TRAIN", help="folder of the training images, for the share of copies")
    parser.add_argument(
        "--features",
        default="auto",
        metavar="F",
        help="auto (inception where its weights are found or can be downloaded, else faed), inception, "
        "inception_64, inception_192, inception_768, faed, or NAME=PATH of a CIFAR-10 ResNet (default: auto)",
    )
    parser.add_argument("--resize", type=int, metavar="SIDE", help="bring all images to SIDE×SIDE first")
    parser.add_argument("--channels", choices=("grey", "colour"), help="make all images grey, or colour, first")
    parser.add_argument("--no-lpips", action="store_true", help="leave LPIPS diversity out")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of random halves and pairs (default: 0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the scores to FILE")
    parser.set_defaults(command=main)


def main(args: argparse.Namespace) -> int:
    """Score, print the table, write the JSON; 0 done, 2 the input cannot be scored (said on stderr)."""
    channels = {"grey": 1, "colour": 3, None: None}[args.channels]
    try:
        if args.resize is not None and args.resize < 8:
            raise ValueError(f"--resize: at least 8 is needed; found {args.resize}")
        _check_writable(args.json)
        scores = score_folders(
            args.real,
            args.fake,
            train=args.train,
            features=args.features,
            reading=Reading(args.resize, channels),
            lpips=not args.no_lpips,
            seed=args.seed,
            progress=True,
        )
    except (ValueError, FileNotFoundError) as error:
        print(f"gannb score: {error}", file=sys.stderr)
        return 2
    print(scores)
    if args.json:
        scores.save(args.json)
    return 0


# ----------------------------------------------------------------------------------------------------------------------
# Reading


def _open_folder(folder: Path, reading: Reading, progress: bool) -> FolderImages:
    from tqdm.auto import tqdm

    found = FolderImages(folder, reading)
    digest = hashlib.blake2b(repr(reading).encode(), digest_size=16)
    sizes: Counter[tuple[int, ...]] = Counter()
    examples: dict[tuple[int, ...], str] = {}
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    for path in tqdm(paths, desc=f"reading {folder.name}", unit="file", disable=not progress):
        name = path.relative_to(folder).as_posix()
        try:
            image = reading.open(path)
        except UnidentifiedImageError:
            found.left_out[name] = "not an image"
        except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as damage:
            found.left_out[name] = str(damage)
        else:
            found.files.append(path)
            shape = (image.shape[2], *image.shape[:2])
            sizes[shape] += 1
            examples.setdefault(shape, name)
            digest.update(image.tobytes())
    if not found.files:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in list(found.left_out.items())[:NAMED])
        raise ValueError(f"{folder} holds no image that can be read ({reasons or 'it is empty'})")
    if len(sizes) > 1:
        counts = ", ".join(f"{count} of {_words(s)} (such as {examples[s]})" for s, count in sizes.most_common(NAMED))
        raise ValueError(f"{folder} holds different images: {counts}. {_remedy(sizes)}")
    found.digest = f"{digest.hexdigest()}"
    return found


def _open_npz(path: Path, array: str, reading: Reading) -> TensorImages:
    with np.load(path, allow_pickle=False) as stored:
        pictures = [name for name in stored.files if stored[name].ndim in (3, 4)]
        chosen = array or (pictures[0] if len(pictures) == 1 else "")
        if chosen not in pictures:
            held = ", ".join(f"{name} {stored[name].shape}" for name in stored.files)
            raise ValueError(
                f"{path.name}: choose one array of images as {path.name}:NAME; it holds {held or 'nothing'}"
            )
        values = stored[chosen]
    if values.ndim == 3:
        values = values[..., None]
    if values.shape[-1] not in (1, 3) and values.shape[1] in (1, 3):
        values = values.transpose(0, 2, 3, 1)
    if values.shape[-1] not in (1, 3):
        raise ValueError(f"{path.name}: {chosen} has shape {values.shape}; [N, H, W, C] or [N, H, W] is needed")
    images = torch.from_numpy(np.ascontiguousarray(_minus_one_to_one(values, f"{path.name}: {chosen}")))
    return TensorImages(_as_read(images.permute(0, 3, 1, 2), reading), f"{path.name}: {chosen}")


def _minus_one_to_one(values: np.ndarray, where: str) -> np.ndarray:
    if values.dtype == np.uint8:
        return values.astype(np.float32) / 127.5 - 1
    if not np.issubdtype(values.dtype, np.floating):
        raise ValueError(f"{where} holds {values.dtype}; uint8, or floats in [0, 1] or [-1, 1], are needed")
    # Floats without a negative value are in [0, 1]: images in [-1, 1] have dark places.
    return values.astype(np.float32) if (values < 0).any() else values.astype(np.float32) * 2 - 1


def _as_read(images: Tensor, reading: Reading) -> Tensor:
    if reading.channels == 3:
        images = images.expand(-1, 3, -1, -1)
    elif reading.channels == 1 and images.shape[1] == 3:
        weights = torch.tensor([0.299, 0.587, 0.114])  # ITU-R 601, as Pillow's "L"
        images = torch.einsum("nchw,c->nhw", images, weights)[:, None]
    if reading.resize:
        size = (reading.resize, reading.resize)
        images = torch.nn.functional.interpolate(images, size, mode="bicubic", antialias=True).clamp(-1, 1)
    return images


def _words(shape: Sequence[int]) -> str:
    channels, height, width = shape
    return f"{width}×{height} {'grey' if channels == 1 else 'colour'}"


def _remedy(shapes: object) -> str:
    shapes = list(shapes)
    advice = []
    if len({shape[1:] for shape in shapes}) > 1:
        side = min(min(shape[1:]) for shape in shapes)
        advice.append(f"--resize {side} brings all to one size")
    if len({shape[0] for shape in shapes}) > 1:
        advice.append("--channels grey (or colour) brings all to the same channels")
    return "; ".join(advice)


def _notes(sources: Sequence[ImageSource]) -> Iterator[str]:
    for source in sources:
        if isinstance(source, FolderImages) and source.left_out:
            named = [f"{name} ({reason})" for name, reason in list(source.left_out.items())[:NAMED]]
            more = f" and {len(source.left_out) - NAMED} more" if len(source.left_out) > NAMED else ""
            yield f"left out of {source.folder.name}: {', '.join(named)}{more}"


def _check_writable(path: Path | None) -> None:
    if path is not None and path.is_dir():
        raise ValueError(f"--json: {path} is a folder; the name of a file is needed")
