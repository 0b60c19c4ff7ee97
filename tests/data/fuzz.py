"""Damaged and odd files by the thousand, each read within bounds of memory: what comes is an image, or a reason.

    python -m tests.data.fuzz READER COUNT SEED     # READER: "folder" or "npz"; prints what came of them as JSON

Every input follows from the seed and its number. The process may take `SPARE` bytes more than it has when it starts.
"""

import json
import resource
import shutil
import struct
import sys
import tempfile
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from gannb.data.arrays import ANY, ArrayError, Arrays
from gannb.data.image_files import ImageFiles, NoUsableImages
from gannb.data.images import read_images
from tests.data.containers import BOTH, GREY

SPARE = 2 * 2**30
PER_FOLDER = 20
FILES = {name: write for name, write in (BOTH | GREY).items() if not name.startswith("npz")}
DTYPES = ("u1", "i1", "u2", ">u2", "i4", "i8", "u8", "f2", "f4", "f8", "c8", "?", "U3", "S2", "M8[s]", "V4", "O")
EXTREMES = (0, 1, 127, 128, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**32 - 1)


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """One to three damages to a file."""
    for _ in range(rng.integers(1, 4)):
        size, kind = max(len(content), 1), rng.integers(8)
        at, length = int(rng.integers(size)), int(rng.integers(1, max(2, size // 4)))
        head = min(at, int(rng.integers(1, 200)))  # where headers are
        if kind == 0:
            content = content[:at]
        elif kind == 1:
            content = content[:at] + bytes([rng.integers(256)]) + content[at + 1 :]
        elif kind == 2:
            content = content[:head] + bytes([rng.integers(256)]) + content[head + 1 :]
        elif kind == 3:
            value = struct.pack(rng.choice(["<I", ">I"]), EXTREMES[rng.integers(len(EXTREMES))])
            content = content[:head] + value + content[head + 4 :]
        elif kind == 4:
            content = content[:at] + content[at + length :]
        elif kind == 5:
            content = content[:at] + content[at : at + length] * 2 + content[at + length :]
        elif kind == 6:
            content = content[:at] + rng.bytes(length) + content[at + length :]
        else:
            content = content[:at] + bytes(length) + content[at + length :]
    return content


def image_file(rng: np.random.Generator, path: Path) -> Path:
    """A damaged image file of a random kind."""
    name = list(FILES)[rng.integers(len(FILES))]
    side = int(rng.integers(4, 25))
    shape = (side, side, 3) if name in BOTH and rng.integers(2) else (side, side)
    FILES[name](rng.integers(0, 256, shape, dtype=np.uint8), path)
    (written,) = path.parent.glob(f"{path.name}.*")
    written.write_bytes(damaged(written.read_bytes(), rng))
    return written


def fuzz_folders(count: int, seed: int, folder: Path) -> Counter:
    """Folders of damaged files and a good one: all are used or named, and what is used is an image."""
    outcomes: Counter[str] = Counter()
    for start in range(0, count, PER_FOLDER):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        Image.fromarray(np.full((9, 9), 128, np.uint8)).save(folder / "good.png")
        numbers = range(start, min(start + PER_FOLDER, count))
        names = {image_file(np.random.default_rng([seed, i]), folder / f"{i:06d}").name for i in numbers}
        try:
            images = read_images(folder, 8)
        except Exception as escaped:
            outcomes[f"escaped: {type(escaped).__name__} in {start} … {numbers[-1]}: {escaped}"] += 1
            continue
        used = {name.partition("[")[0] for name, _ in images.report.used}
        named = {name.partition("[")[0] for name, _ in images.report.skipped}
        fine = bool(np.isfinite(images.pixels).all()) and float(images.pixels.abs().max()) <= 1
        if "good.png" not in used or not names <= used | named or not fine:
            outcomes[f"lost or wrong in {start} … {numbers[-1]}"] += 1
        outcomes["used"] += len(names & used)
        outcomes["named and skipped"] += len(names - used)
    return outcomes


def npz_file(rng: np.random.Generator, path: Path) -> Path:
    """An odd archive: arrays of any type and shape, headers that lie, or damage."""
    with zipfile.ZipFile(path, "w", (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)[rng.integers(2)]) as file:
        for name in ("x_train", "y_train", "x")[: rng.integers(1, 4)]:
            dtype = DTYPES[rng.integers(len(DTYPES))]
            shape = tuple(int(n) for n in rng.integers(0, 7, rng.integers(0, 5)))
            if rng.integers(2):  # what images look like
                dtype, shape = "u1", (int(rng.integers(1, 4)), 8, 8)
            values = b"" if dtype == "O" else rng.bytes(int(np.prod(shape)) * np.dtype(dtype).itemsize)
            if rng.integers(6) == 0:
                shape = tuple(int(EXTREMES[rng.integers(len(EXTREMES))]) for _ in range(rng.integers(1, 5)))
            header = f"{{'descr': {dtype!r}, 'fortran_order': {bool(rng.integers(2))}, 'shape': {shape!r}, }}".encode()
            header += b" " * (-(len(header) + 11) % 64) + b"\n"
            file.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + values)
    if rng.integers(3) == 0:
        path.write_bytes(damaged(path.read_bytes(), rng))
    return path


def fuzz_npz(count: int, seed: int, folder: Path) -> Counter:
    """Archives, read as arrays, as classes and as images."""
    folder.mkdir()
    outcomes: Counter[str] = Counter()
    for i in range(count):
        path = npz_file(np.random.default_rng([seed, i]), folder / "x.npz")
        for way, read in WAYS.items():
            try:
                read(path)
                outcomes[f"read as {way}"] += 1
            except (ArrayError, NoUsableImages):
                outcomes[f"refused by name as {way}"] += 1
            except Exception as escaped:
                outcomes[f"escaped: {type(escaped).__name__} as {way} in {i}: {escaped}"] += 1
    return outcomes


def all_arrays(path: Path) -> None:
    """Every array as it is."""
    arrays = Arrays(path)
    for name, (shape, dtype) in arrays.headers.items():
        values = arrays.read(name, ANY, finite=False)
        assert values.shape == shape and values.dtype == dtype


def all_classes(path: Path) -> None:
    """The first array as class numbers, as many as it says."""
    arrays = Arrays(path)
    for name, (shape, _) in list(arrays.headers.items())[:1]:
        found = arrays.classes(name, shape[0] if shape else 1)
        assert int(found.min()) >= 0 if len(found) else True


def all_images(path: Path) -> None:
    """The one array of images."""
    files = ImageFiles(path)
    for picture, stored in files.read():
        values = files.unit(picture, stored)
        assert np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1


WAYS = {"arrays": all_arrays, "classes": all_classes, "images": all_images}


def main() -> None:
    """Fuzz one reader, and say what came of it."""
    reader, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    warnings.simplefilter("ignore")
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + SPARE, size + SPARE))
    with tempfile.TemporaryDirectory() as temporary:
        found = {"folder": fuzz_folders, "npz": fuzz_npz}[reader](count, seed, Path(temporary, "inputs"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"inputs": count, "seed": seed, "peak_megabytes": peak, "outcomes": dict(found)}))


if __name__ == "__main__":
    main()
