"""Readers: every format is used or named, order and splits follow the files, contents are identified by a hash."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gannb.data.images import Images, NoUsableImages, read_images


def numbered(n: int) -> Images:
    return Images(torch.arange(n).float().view(n, 1, 1, 1).expand(n, 1, 4, 4) / n, tuple(f"{i}.png" for i in range(n)))


def save(folder: Path, name: str, array: np.ndarray, **kwargs: object) -> None:
    Image.fromarray(array).save(folder / name, **kwargs)


@pytest.fixture
def mixed(tmp_path):
    """Seven formats that can be used, and three files that cannot."""
    grey = np.full((70, 90), 128, dtype=np.uint8)
    save(tmp_path, "a_grey.png", grey)
    save(tmp_path, "b_colour.jpg", np.stack([grey] * 3, axis=2))
    save(tmp_path, "c_deep.png", np.full((80, 80), 2048, dtype=np.uint16))
    save(tmp_path, "d_deeper.tif", np.full((80, 80), 4095, dtype=np.uint16))
    save(tmp_path, "e_float.tif", np.linspace(-5, 5, 6400, dtype=np.float32).reshape(80, 80))
    save(tmp_path, "f_alpha.png", np.dstack([grey, grey, grey, grey]))
    Image.fromarray(grey).convert("1").save(tmp_path / "g_bits.png")
    (tmp_path / "notes.txt").write_text("taken on Tuesday")
    whole = (tmp_path / "a_grey.png").read_bytes()
    (tmp_path / "x_broken.png").write_bytes(whole[: len(whole) // 2])
    save(tmp_path, "y_small.png", np.zeros((20, 300), dtype=np.uint8))
    (tmp_path / ".DS_Store").write_bytes(b"hidden")
    return tmp_path


def test_a_mixed_folder_is_used_or_named(mixed):
    images = read_images(mixed, 64, fit="crop")
    assert [name for name, _ in images.report.used] == [
        "a_grey.png", "b_colour.jpg", "c_deep.png", "d_deeper.tif", "e_float.tif", "f_alpha.png", "g_bits.png",
    ]  # fmt: skip
    skipped = dict(images.report.skipped)
    assert set(skipped) == {"notes.txt", "x_broken.png", "y_small.png"}
    assert "not an image" in skipped["notes.txt"]
    assert "broken" in skipped["x_broken.png"]
    assert "300×20" in skipped["y_small.png"] and "resize" in skipped["y_small.png"]
    assert images.pixels.shape == (7, 1, 64, 64)
    assert images.pixels.dtype == torch.float32
    assert "skipped notes.txt" in repr(images.report)


def test_values_of_every_depth_arrive_where_they_belong(mixed):
    means = dict(zip("abcdefg", read_images(mixed, 64, fit="crop").pixels.mean(dim=(1, 2, 3)).tolist()))
    assert means["a"] == pytest.approx(128 / 127.5 - 1, abs=1e-6)
    assert means["b"] == pytest.approx(means["a"], abs=0.02)
    assert means["c"] == pytest.approx(2048 / 4095 * 2 - 1, abs=1e-6), "12 bits hold the brightest of both"
    assert means["d"] == pytest.approx(1, abs=1e-6)
    assert means["e"] == pytest.approx(0, abs=0.01)


def test_colour_is_kept_where_it_is_asked_for(tmp_path):
    save(tmp_path, "red.png", np.full((64, 64, 3), (255, 0, 0), dtype=np.uint8))
    assert read_images(tmp_path, channels=3).pixels.mean(dim=(0, 2, 3)).tolist() == [1, -1, -1]
    assert read_images(tmp_path, channels=1).pixels.mean().item() == pytest.approx(0.299 * 2 - 1, abs=1e-6)


def test_files_come_in_natural_order_with_subfolders_and_pages(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("frame_10.png", "frame_2.png", "sub/frame_1.png"):
        save(tmp_path, name, np.zeros((64, 64), dtype=np.uint8))
    pages = [Image.fromarray(np.full((64, 64), level, dtype=np.uint8)) for level in (0, 255)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    images = read_images(tmp_path)
    assert images.names == ("frame_2.png", "frame_10.png", "stack.tif[0]", "stack.tif[1]", "sub/frame_1.png")
    assert images.pixels[2].max() == -1 and images.pixels[3].min() == 1


def test_large_frames_give_seeded_crops_that_keep_their_pixels(tmp_path):
    ramp = np.add.outer(np.arange(200), np.arange(200)).astype(np.uint8)
    save(tmp_path, "frame.png", ramp)
    first = read_images(tmp_path, 32, fit="crop", seed=1)
    assert first.names == tuple(f"frame.png#{i}" for i in range(36)), "no more than fit side by side"
    steps = ((first.pixels[..., 1:] - first.pixels[..., :-1]) * 127.5).round() % 256
    assert (steps == 1).all(), "neighbours in the crop are neighbours in the frame"
    assert first.hash == read_images(tmp_path, 32, fit="crop", seed=1).hash
    assert first.hash != read_images(tmp_path, 32, fit="crop", seed=2).hash


def test_resizing_takes_the_middle_square_and_averages(tmp_path):
    array = np.zeros((128, 256), dtype=np.uint8)
    array[:, 64:192] = 255
    array[:, 64:192:2] = 0
    save(tmp_path, "wide.png", array)
    assert read_images(tmp_path, 64).pixels[0, 0, 8:56, 8:56].abs().max() < 0.05, "stripes of one pixel become grey"


@pytest.mark.parametrize(
    ("array", "shape"),
    [
        (np.full((5, 8, 8), 255, dtype=np.uint8), (5, 1, 8, 8)),
        (np.full((5, 8, 8, 3), 255, dtype=np.uint8), (5, 1, 8, 8)),
        (np.ones((5, 3, 8, 8), dtype=np.float32), (5, 1, 8, 8)),
    ],
)
def test_npz_files_are_read_in_any_layout(tmp_path, array, shape):
    np.savez(tmp_path / "x.npz", x_train=array, y_train=np.arange(5))
    images = read_images(tmp_path / "x.npz", 8)
    assert images.pixels.shape == shape
    assert images.pixels.min() == pytest.approx(1, abs=1e-5)


def test_npz_files_that_do_not_say_which_array_name_their_arrays(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.zeros((2, 8, 8)), b=np.zeros((3, 8, 8)))
    with pytest.raises(ValueError, match=r"no array chosen.*a, b"):
        read_images(tmp_path / "x.npz", 8)
    assert len(read_images(f"{tmp_path / 'x.npz'}:b", 8)) == 3
    np.savez(tmp_path / "y.npz", a=np.full((2, 8, 8), 700.5))
    with pytest.raises(ValueError, match=r"700\.5"):
        read_images(tmp_path / "y.npz", 8)


def test_nothing_usable_is_an_error_with_reasons(tmp_path):
    (tmp_path / "a.txt").write_text("no")
    with pytest.raises(NoUsableImages, match=r"a\.txt: not an image"):
        read_images(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoUsableImages, match="empty"):
        read_images(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_images(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"a\.txt: allowed are"):
        read_images(tmp_path / "a.txt")


@pytest.mark.parametrize("bad", [{"channels": 2}, {"fit": "stretch"}])
def test_wrong_choices_end_before_anything_is_read(tmp_path, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        read_images(tmp_path / "not even there", **bad)


def test_excluded_images_are_left_out_and_typos_named(tmp_path):
    for name in ("a.png", "b.png"):
        save(tmp_path, name, np.zeros((64, 64), dtype=np.uint8))
    images = read_images(tmp_path).without(["a.png"])
    assert images.names == ("b.png",)
    assert ("a.png", "on the exclusion list") in images.report.skipped
    with pytest.raises(ValueError, match=r"'c\.png' is not there; nearest"):
        images.without(["c.png"])
    with pytest.raises(NoUsableImages, match="exclusion list"):
        images.without(["b.png"])


def test_excluding_a_file_leaves_out_all_its_crops():
    images = Images(torch.zeros(3, 1, 4, 4), ("a.png#0", "a.png#1", "b.png#0"))
    assert images.without(["a.png"]).names == ("b.png#0",)
    assert images.without(["a.png#1"]).names == ("a.png#0", "b.png#0")


@settings(deadline=None)
@given(n=st.integers(2, 50), data=st.data())
def test_splits_part_by_file_order(n, data):
    held_out = data.draw(st.integers(1, n - 1))
    train, held = numbered(n).split(held_out)
    assert len(held) == held_out
    assert sorted(train.names + held.names) == sorted(numbered(n).names)
    places = [int(name.partition(".")[0]) for name in held.names]
    assert places == sorted(places)
    torch.testing.assert_close(held.pixels[:, 0, 0, 0] * n, torch.tensor(places).float())


def test_the_last_are_held_out():
    assert numbered(10).split(3)[1].names == ("7.png", "8.png", "9.png")
    assert numbered(10).split(0.2)[1].names == ("8.png", "9.png")
    for wrong in (0, 10, 1.0):
        with pytest.raises(ValueError, match="leaves one side empty"):
            numbered(10).split(wrong)


def test_slices_keep_names_and_the_hash_knows_every_pixel():
    images = numbered(6)
    assert images[1:3].names == ("1.png", "2.png")
    assert images[torch.tensor([5, 0])].names == ("5.png", "0.png")
    assert images[2].pixels.shape == (1, 1, 4, 4)
    assert images[::-1].hash != images.hash
    changed = images.pixels.clone()
    changed[3, 0, 2, 2] += 1e-6
    assert Images(changed, images.names).hash != images.hash
    assert "6" in repr(images) and images.hash in repr(images)


def test_names_and_shapes_are_held_together():
    with pytest.raises(ValueError, match="1 names for 2 images"):
        Images(torch.zeros(2, 1, 4, 4), ("a",))
    with pytest.raises(ValueError, match=r"\(2, 4, 4\)"):
        Images(torch.zeros(2, 4, 4), ("a", "b"))


def test_real_frames_give_three_hundred_crops(shared_data):
    images = read_images(shared_data / "particles" / "frames", 64, fit="crop")
    assert images.pixels.shape == (300, 1, 64, 64)
    assert images.report.used[0] == ("frame000.png", "640×424 grey, 8-bit")


def test_real_colour_images_from_npz(shared_data):
    images = read_images(f"{shared_data / 'cifar10' / 'cifar10_subset.npz'}:x_test", 32, channels=3)
    assert images.pixels.shape == (932, 3, 32, 32)
    assert abs(images.pixels.mean()) < 0.2
