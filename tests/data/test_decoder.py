"""Equal pictures give equal tensors in any container; what cannot be read right is refused by name."""

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from gannb.data.decoder import decode, upright
from gannb.data.images import read_images
from tests.data.containers import BOTH, GREY, deep


def picture(seed, colour, height=9, width=12):
    """Bytes `[H, W]` or `[H, W, 3]` with a black and a white pixel."""
    shape = (height, width, 3) if colour else (height, width)
    values = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    values[4, 4], values[4, 5] = 0, 255
    return values


def read(folder, channels, side=9):
    """The one image of a folder, or of the one npz in it."""
    (file,) = folder.iterdir()
    return read_images(file if file.suffix == ".npz" else folder, side, channels=channels, fit="crop")


@pytest.mark.parametrize("name", [*BOTH, *GREY])
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1), colour=st.booleans(), channels=st.sampled_from([1, 3]))
def test_equal_pictures_are_equal_tensors(tmp_path_factory, name, seed, colour, channels):
    values = picture(seed, colour and name in BOTH)
    folders = [tmp_path_factory.mktemp(part) for part in ("png", "other")]
    BOTH["png"](values, folders[0] / "one")
    (BOTH | GREY)[name](values, folders[1] / "one")
    expected, found = (read(folder, channels) for folder in folders)
    assert torch.equal(found.pixels, expected.pixels), found.report
    assert found.pixels.min() == -1 and found.pixels.max() == 1


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("name", ["tiff", "png", "npz", "jpeg 2000"])
def test_the_depth_is_that_of_the_brightest(tmp_path, bits, name):
    values = np.random.default_rng(bits).integers(0, 2**bits, (9, 9), dtype=np.uint16)
    values[0, 0] = 2**bits - 1
    if name == "png":
        Image.fromarray(values).save(tmp_path / "one.png")
    else:
        BOTH[name](values, tmp_path / "one")
    found = read(tmp_path, 1)
    assert np.allclose(found.pixels[0, 0], values / (2**bits - 1) * 2 - 1, atol=1e-6)
    assert f"{bits}-bit in uint16" in repr(found.report)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", "16.tif", "16.png", "stack.tif"])
def test_pictures_stand_upright(tmp_path, orientation, suffix):
    stored = picture(3, False, 9, 12)
    folders = [tmp_path / "tagged", tmp_path / "plain"]
    for folder in folders:
        folder.mkdir()
    tags = Image.Exif()
    tags[274] = orientation
    if suffix == "stack.tif":
        extra = [(274, "H", 1, orientation, False)]
        tifffile.imwrite(folders[0] / "a.tif", np.stack([stored] * 2), photometric="minisblack", extratags=extra)
    else:
        image = Image.fromarray(deep(stored) if "16" in suffix else stored)
        image.save(folders[0] / f"a{suffix}", exif=tags, **({"lossless": True} if suffix == ".webp" else {}))
    # What each orientation says: where the stored top-left corner lies when the picture stands upright.
    shown = {
        1: stored, 2: np.fliplr(stored), 3: np.rot90(stored, 2), 4: np.flipud(stored),
        5: stored.T, 6: np.rot90(stored, -1), 7: np.rot90(stored, 2).T, 8: np.rot90(stored),
    }[orientation]  # fmt: skip
    Image.fromarray(np.ascontiguousarray(shown)).save(folders[1] / "a.png")
    found, expected = (read_images(folder, 9, fit="crop") for folder in folders)
    assert torch.equal(found.pixels[-1], expected.pixels[0])
    assert ("turned upright" in repr(found.report)) == (orientation > 1)


def test_an_unknown_orientation_turns_nothing():
    values = np.arange(6).reshape(2, 3, 1)
    assert upright(values, 0) is values and upright(values, 99) is values


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_colours_hidden_under_transparency_do_not_show(tmp_path, mode):
    for name, hidden in (("a", 10), ("b", 200)):
        values = np.full((9, 9, 4), 100, dtype=np.uint8)
        values[:4, :, :3], values[:4, :, 3] = hidden, 0
        image = Image.fromarray(values)
        if mode == "P":
            image = Image.fromarray(np.where(values[..., 3], 1, 0).astype(np.uint8))
            image.putpalette([hidden] * 3 + [100] * 3)
            image.info["transparency"] = 0
        elif mode == "LA":
            image = image.convert("LA")
        image.save(tmp_path / f"{name}.png")
    first, second = read_images(tmp_path, 9, channels=3).pixels
    assert torch.equal(first, second)
    assert (first[:, :4] == 1).all(), "what is transparent lies on white"


def test_a_half_transparent_colour_lies_on_white(tmp_path):
    Image.fromarray(np.full((9, 9, 2), (0, 51), dtype=np.uint8)).save(tmp_path / "a.png")
    assert read_images(tmp_path, 9).pixels.mean() == pytest.approx(0.8 * 2 - 1)


def test_reduced_copies_and_masks_are_no_images_and_said(tmp_path):
    with tifffile.TiffWriter(tmp_path / "pyramid.tif") as file:
        for level, kind in ((0, 0), (1, 1)):
            file.write(picture(level, False, 36 >> level, 36 >> level), subfiletype=kind, photometric="minisblack")
        file.write(np.ones((36, 36), dtype=bool), subfiletype=4, photometric="mask")
    images = read_images(tmp_path, 9)
    assert images.names == ("pyramid.tif",)
    skipped = dict(images.report.skipped)
    assert (
        set(skipped) == {"pyramid.tif[1]", "pyramid.tif[2]"} and "reduced copy or a mask" in skipped["pyramid.tif[1]"]
    )


def test_a_phones_second_picture_is_a_preview(tmp_path):
    first, second = (Image.fromarray(picture(seed, True)) for seed in (1, 2))
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second])
    assert read_images(tmp_path, 9).names == ("a.jpg",)


def test_every_page_of_a_stack_is_an_image(tmp_path):
    pages = np.stack([picture(seed, False) for seed in range(5)])
    for folder in ("deep", "imagej", "one directory"):
        (tmp_path / folder).mkdir()
    tifffile.imwrite(tmp_path / "deep" / "a.tif", deep(pages), photometric="minisblack", compression="zlib")
    tifffile.imwrite(tmp_path / "imagej" / "a.tif", deep(pages), imagej=True)
    whole = (tmp_path / "imagej" / "a.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "imagej" / "a.tif") as file:  # as ImageJ writes stacks above 4 GB
        places = [page.offset for page in file.pages]
        link = file.pages[0].offset + 2 + 12 * len(file.pages[0].tags)
    assert int.from_bytes(whole[link : link + 4], "little" if whole[:2] == b"II" else "big") == places[1]
    (tmp_path / "one directory" / "a.tif").write_bytes(whole[:link] + bytes(4) + whole[link + 4 :])
    expected = torch.from_numpy(pages).float() / 127.5 - 1
    for folder in ("deep", "imagej", "one directory"):
        images = read_images(tmp_path / folder, 9, fit="crop")
        assert images.names == tuple(f"a.tif[{i}]" for i in range(5)), folder
        assert torch.allclose(images.pixels[:, 0], expected[:, :, 1:10], atol=1e-6)


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("keep", [0.3, 0.5, 0.8, 0.97])
def test_a_stack_that_is_cut_off_is_no_image_at_all(tmp_path, compression, keep):
    pages = np.stack([picture(seed, False) for seed in range(6)])
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="minisblack", compression=compression)
    with tifffile.TiffWriter(tmp_path / "b.tif") as file:  # the directory of each page beside it
        for page in pages:
            file.write(page, photometric="minisblack", compression=compression, contiguous=False, metadata=None)
    for name in ("a.tif", "b.tif"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: int(len(whole) * keep)])
    Image.fromarray(pages[0]).save(tmp_path / "good.png")
    images = read_images(tmp_path, 9)
    assert images.names == ("good.png",)
    assert {name for name, _ in images.report.skipped} == {"a.tif", "b.tif"}


@pytest.mark.parametrize(
    ("name", "write", "reason"),
    [
        ("a.tif", lambda path: tifffile.imwrite(path, np.full((9, 9), -5, np.int16)), "int16 from -5 to -5"),
        ("a.tif", lambda path: tifffile.imwrite(path, np.full((9, 9), 2**20, np.int32)), "may be 0 … 65535"),
        ("a.tif", lambda path: tifffile.imwrite(path, np.full((9, 9), np.nan, np.float32)), "not finite"),
        ("a.tif", lambda path: tifffile.imwrite(path, np.ones((9, 9), np.complex64)), "complex64"),
        ("a.tif", lambda path: tifffile.imwrite(path, np.ones((9, 9, 5), np.uint16), photometric="minisblack",
                                                planarconfig="contig"), "5 samples"),
        ("a.ppm", lambda path: path.write_bytes(b"P6\n9 9\n65535\n" + bytes(9 * 9 * 6)), "save it as PNG or TIFF"),
        ("a.png", lambda path: path.write_bytes(b"notes"), "not an image"),
        ("a.png", lambda path: path.symlink_to(path.parent / "nowhere"), "No such file"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_right_is_refused_with_the_reason(tmp_path, name, write, reason):
    write(tmp_path / name)
    Image.fromarray(picture(0, False)).save(tmp_path / "good.png")
    images = read_images(tmp_path, 9)
    assert images.names == ("good.png",)
    ((skipped, why),) = images.report.skipped
    assert skipped == name and reason in why


def test_single_pages_are_decoded_on_request(tmp_path):
    pages = np.stack([picture(seed, False) for seed in range(4)])
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="minisblack")
    frames = [Image.fromarray(page) for page in pages]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    for file in ("a.tif", "a.png"):
        found = list(decode(tmp_path / file, {1, 3}))
        assert [page.index for page in found] == [1, 3]
        assert all(np.array_equal(page.values[..., 0], pages[page.index]) for page in found)
