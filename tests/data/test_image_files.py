"""A folder is read whole, each file used or named: hidden files, links, names, ranges, reports."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from gannb.comparison.results import hardware, keep, numbers
from gannb.data.image_files import ImageFiles
from gannb.data.images import read_images
from gannb.data.pixels import to_channels
from gannb.metrics.score_folders import FileImages


def save(path, seed=0, side=16):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)).save(path)
    return path


def test_hidden_files_and_folders_are_no_data(tmp_path):
    for name in ("a.png", ".hidden.png", ".ipynb_checkpoints/a-checkpoint.png", "sub/.git/b.png", "sub/c.png"):
        save(tmp_path / name)
    files = ImageFiles(tmp_path)
    assert [picture.name for picture in files.pictures] == ["a.png", "sub/c.png"]
    assert files.skipped == [(".ipynb_checkpoints/", "hidden folder"), ("sub/.git/", "hidden folder")]


def test_linked_folders_are_read_and_each_folder_once(tmp_path):
    for name in ("data/own.png", "elsewhere/b.png", "elsewhere/c.png"):
        save(tmp_path / name)
    (tmp_path / "data" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "again").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "one.png").symlink_to(tmp_path / "elsewhere" / "b.png")
    files = ImageFiles(tmp_path / "data")
    assert [p.name for p in files.pictures] == ["again/b.png", "again/c.png", "one.png", "own.png"]
    assert dict(files.skipped) == {
        "linked/": "the same folder as one that is read already",
        "again/back/": "the same folder as one that is read already",
    }


def test_a_link_to_a_hidden_folder_is_read(tmp_path):
    save(tmp_path / ".kept" / "a.png")
    (tmp_path / "shown").symlink_to(tmp_path / ".kept")
    assert [picture.name for picture in ImageFiles(tmp_path).pictures] == ["shown/a.png"]


def test_a_folder_is_read_before_a_link_to_it(tmp_path):
    save(tmp_path / "zebra" / "a.png")
    (tmp_path / "ape").symlink_to(tmp_path / "zebra")
    assert [picture.name for picture in ImageFiles(tmp_path).pictures] == ["zebra/a.png"]


def test_names_in_any_bytes(tmp_path):
    save(tmp_path / "a.png").rename(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.png"))
    save(tmp_path / "ä b.png")
    names = read_images(tmp_path, 16).names
    assert names == ("ä b.png", "\\xff\\xfe.png")
    assert "\n".join(names).encode("utf-8")


def test_training_and_scores_read_the_same_pixels(tmp_path):
    values = np.random.default_rng(0).integers(0, 4096, (6, 16, 16), dtype=np.uint16)
    for index, one in enumerate(values):
        Image.fromarray(one).save(tmp_path / f"{index}.png")
    scored = torch.cat(list(FileImages(tmp_path).batches()))
    assert torch.equal(scored, read_images(tmp_path, 16).pixels)
    assert torch.equal(FileImages(tmp_path).some(2), scored[[0, 5]])
    np.savez(tmp_path / "x.npz", x=values)
    assert torch.equal(FileImages(tmp_path / "x.npz").some(9), scored)


def test_the_report_says_what_was_done(tmp_path):
    save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "b.tif", np.full((2, 16, 16), 1000, np.uint16), photometric="minisblack")
    Image.fromarray(np.full((16, 16, 4), 200, np.uint8)).save(tmp_path / "c.png")
    (tmp_path / "notes.txt").write_text("no image")
    assert ImageFiles(tmp_path).report().lines == [
        ("1 used", "16×16 grey, 8-bit"),
        ("2 used", "16×16 grey, 10-bit in uint16"),
        ("1 used", "16×16 colour, 8-bit, transparent on white"),
        ("skipped notes.txt", "not an image"),
    ]


def test_floats_in_a_range_of_their_own_share_one_scale(tmp_path):
    for name, low, high in (("a", -5, 5), ("b", 0, 15)):
        tifffile.imwrite(tmp_path / f"{name}.tif", np.linspace(low, high, 256).reshape(16, 16).astype(np.float32))
    images = read_images(tmp_path, 16)
    assert images.pixels[0].max() == pytest.approx(0) and images.pixels[1].max() == 1
    assert "floats -5 … 15" in repr(images.report)


def test_a_digest_knows_content_and_names(tmp_path):
    save(tmp_path / "a.png", 1), save(tmp_path / "b.png", 2)
    first = ImageFiles(tmp_path).digest()
    assert ImageFiles(tmp_path).digest() == first
    (tmp_path / "b.png").rename(tmp_path / "c.png")
    renamed = ImageFiles(tmp_path).digest()
    save(tmp_path / "c.png", 3)
    assert len({first, renamed, ImageFiles(tmp_path).digest()}) == 3


def test_a_file_that_changes_meanwhile_is_named(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 8, 8), np.uint8), photometric="minisblack")
    files = ImageFiles(tmp_path)
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((2, 8, 8), np.uint8), photometric="minisblack")
    with pytest.raises(ValueError, match=r"a\.tif changed while it was read"):
        list(files.read())


def test_the_grey_of_equal_channels_is_theirs():
    values = np.linspace(0, 1, 1001, dtype=np.float32).reshape(-1, 1, 1)
    assert np.array_equal(to_channels(np.repeat(values, 3, axis=2), 1), values)


MEASURED = (
    "import resource, sys; from gannb.data.images import read_images\n"
    "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
    "before, images = peak(), read_images(sys.argv[1], 64)\n"
    "print(len(images), before, peak())"
)


def photographs(folder, count):
    """(images, megabytes before, megabytes at most) of reading so many photographs of 12 megapixels."""
    Image.linear_gradient("L").resize((4000, 3000)).convert("RGB").save(folder / "0.jpg")
    for index in range(1, count):
        (folder / f"{index}.jpg").symlink_to(folder / "0.jpg")
    command = [sys.executable, "-c", MEASURED, str(folder)]
    return map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_large_photographs_are_decoded_one_at_a_time(tmp_path):
    count, before, peak = photographs(tmp_path, 6)
    assert count == 6 and peak - before < 600, "all at once would be 864 MB"


@pytest.mark.gate
@pytest.mark.timeout(3600)
def test_three_hundred_photographs_need_less_than_a_gigabyte(tmp_path):
    """`pytest -m gate tests/data/test_image_files.py` keeps what was measured in `results/photographs.json`."""
    began = sum(os.times()[2:4])
    count, before, peak = photographs(tmp_path, 300)
    seconds = round(sum(os.times()[2:4]) - began, 1)
    trial = numbers("read to 64×64", images=count, peak_megabytes=peak, before_megabytes=before, cpu_seconds=seconds)
    question = "How much memory does a folder of 300 photographs of 12 megapixels take?"
    head = {"question": question, "command": "pytest -m gate tests/data/test_image_files.py", "hardware": hardware()}
    keep("photographs", [trial], metric="peak_megabytes", better="low", **head)
    assert peak <= 1000
