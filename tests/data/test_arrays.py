"""Arrays are read right, or refused with the file's and the array's name and what is wrong."""

import io
import struct
import zipfile

import numpy as np
import pytest
import torch

from gannb.data.arrays import ANY, ArrayError, Arrays
from gannb.data.image_files import ImageFiles
from gannb.data.images import read_images


def stored(path, **arrays):
    np.savez(path / "x.npz", **arrays)
    return path / "x.npz"


def member(path, header: str, content: bytes = b"", compression=zipfile.ZIP_STORED):
    """An `.npz` whose one array has a header written by hand."""
    padded = header.encode() + b" " * (63 - (len(header) + 10) % 64) + b"\n"
    with zipfile.ZipFile(path / "x.npz", "w", compression) as file:
        file.writestr("x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded + content)
    return path / "x.npz"


def test_arrays_are_listed_before_they_are_read(tmp_path):
    arrays = Arrays(stored(tmp_path, images=np.zeros((4, 8, 8), np.uint8), names=np.array(["a", "b"])))
    assert arrays.headers["images"] == ((4, 8, 8), np.dtype(np.uint8))
    assert "images" in arrays and "labels" not in arrays
    assert str(arrays) == "images [4, 8, 8] uint8, names [2] <U1"
    assert arrays.read("names", ANY).tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("values", "kinds", "message"),
    [
        (np.array([1, None]), "biuf", r"x\.npz: a holds Python objects; write numbers, not objects"),
        (np.array(["a"]), "biuf", r"x\.npz: a holds <U1; real numbers are needed"),
        (np.array([1 + 2j]), "biuf", r"x\.npz: a holds complex128; real numbers are needed"),
        (np.array([1, np.nan, np.inf]), "biuf", r"x\.npz: a holds NaN or infinity \(2 of 3 values, first at \[1\]\)"),
        (np.array(np.nan), "biuf", r"a holds NaN or infinity \(1 of 1 values"),
    ],
)
def test_what_an_array_holds_is_checked(tmp_path, values, kinds, message):
    with pytest.raises(ArrayError, match=message):
        Arrays(stored(tmp_path, a=values)).read("a", kinds)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_in_blocks_are_the_array(tmp_path, save, order):
    values = np.arange(7 * 3 * 2, dtype=np.float64).reshape(7, 3, 2)
    save(tmp_path / "x.npz", a=np.asarray(values, order=order))
    blocks = list(Arrays(tmp_path / "x.npz").rows("a", 3))
    assert [len(block) for block in blocks] == [3, 3, 1] and np.array_equal(np.concatenate(blocks), values)


def test_rows_are_checked_as_they_come(tmp_path):
    values = np.zeros((9, 2))
    values[7, 1] = np.nan
    arrays = Arrays(stored(tmp_path, a=values, b=np.array(["x"])))
    rows = arrays.rows("a", 4)
    next(rows)
    with pytest.raises(ArrayError, match=r"x\.npz: a holds NaN or infinity \(first at \[7, 1\]\)"):
        next(rows)
    with pytest.raises(ArrayError, match="b holds <U1; real numbers"):
        next(arrays.rows("b", 4))
    whole = bytearray((tmp_path / "x.npz").read_bytes())
    whole[whole.index(b"NUMPY") + 140] ^= 1
    (tmp_path / "x.npz").write_bytes(whole)
    with pytest.raises(ArrayError, match=r"x\.npz: a cannot be read \(Bad CRC"):
        list(arrays.rows("a", 4))


def test_nan_may_be_left_to_who_knows_more(tmp_path):
    assert np.isnan(Arrays(stored(tmp_path, a=np.array([np.nan]))).read("a", finite=False)).all()


def test_a_name_that_is_not_there_lists_those_that_are(tmp_path):
    with pytest.raises(ArrayError, match=r"x\.npz has no array 'b'; it holds a \[2\] int64"):
        Arrays(stored(tmp_path, a=np.zeros(2, np.int64))).read("b")


@pytest.mark.parametrize(
    ("header", "content"),
    [
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}", b"1234567"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4)}", bytes(13)),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (-3,)}", bytes(3)),
        ("{'descr': '<f9', 'fortran_order': False, 'shape': (3,)}", bytes(27)),
        ("{'shape': (3,)}", bytes(3)),
        ("__import__('os').system('false')", b""),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (2**40,)}", b""),
    ],
)
def test_a_header_is_checked_before_it_sizes_anything(tmp_path, header, content):
    with pytest.raises(ArrayError, match=r"x\.npz"):
        Arrays(member(tmp_path, header, content))


def test_a_size_that_no_compression_reaches_is_refused(tmp_path):
    whole = bytearray(
        member(tmp_path, "{'descr': '|u1', 'fortran_order': False, 'shape': (9,)}", bytes(9)).read_bytes()
    )
    place = whole.rindex(b"PK\x01\x02") + 24  # the size that the archive's directory claims
    whole[place : place + 4] = struct.pack("<I", 2**31)
    (tmp_path / "x.npz").write_bytes(bytes(whole))
    with pytest.raises(ArrayError, match=r"x\.npz"):
        Arrays(tmp_path / "x.npz")


@pytest.mark.parametrize("content", [b"", b"PK", b"not an archive", b"\x93NUMPY\x01\x00"])
def test_what_is_no_npz_says_so(tmp_path, content):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(ArrayError, match=r"x\.npz is (no readable|a single array)"):
        Arrays(tmp_path / "x.npz")
    with pytest.raises(FileNotFoundError, match="no file"):
        Arrays(tmp_path / "y.npz")


def test_damage_inside_an_array_is_named(tmp_path):
    buffer = io.BytesIO()
    np.savez(buffer, a=np.arange(1000))
    whole = bytearray(buffer.getvalue())
    whole[500] ^= 255
    (tmp_path / "x.npz").write_bytes(bytes(whole))
    with pytest.raises(ArrayError, match=r"x\.npz: a cannot be read \(Bad CRC"):
        Arrays(tmp_path / "x.npz").read("a")


# -- classes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values", [np.arange(6), np.arange(6)[:, None], np.arange(6).astype(np.float32), np.arange(6).astype(np.uint8)]
)
def test_classes_are_whole_numbers(tmp_path, values):
    found = Arrays(stored(tmp_path, y=values)).classes("y", 6)
    assert found.dtype == torch.int64 and found.tolist() == list(range(6))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.eye(6), r"y has shape \[6, 6\]; class numbers \[N\] are needed"),
        (np.array(list("abcdef")), "y holds <U1; real numbers are needed"),
        (np.arange(5), r"y has shape \[5\]; needed is one class for each of 6 images"),
        (np.zeros((6, 1, 1)), r"shape \[6, 1, 1\]"),
        (np.array(3), r"shape \[\]"),
        (np.arange(6) - 1, r"y holds -1 … 4; classes are whole numbers from 0"),
        (np.arange(6) / 2, "whole numbers"),
        (np.array([0, 1, 2, 3, 4, np.nan]), "NaN"),
        (np.full(6, 1e18), "whole numbers"),
    ],
)
def test_what_are_no_classes_is_refused(tmp_path, values, message):
    with pytest.raises(ArrayError, match=message):
        Arrays(stored(tmp_path, y=values)).classes("y", 6)


# -- images ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((2, 8, 8), -1, np.int8), r"x\.npz: a: int8 from -1 to -1; whole numbers may be 0 … 65535"),
        (np.full((2, 8, 8), 2**20), r"int64 from 1\.04858e\+06"),
        (np.ones((2, 8, 8), np.complex64), "complex64; real numbers"),
        (np.full((2, 8, 8), np.nan), "NaN"),
        (np.full((2, 8, 8), 1.5), r"floats 1\.5 … 1\.5; allowed are floats 0 … 1 or -1 … 1"),
        (np.zeros((2, 8, 8, 7), np.uint8), r"a has shape \(2, 8, 8, 7\)"),
        (np.zeros((0, 8, 8), np.uint8), r"x\.npz: a: 0 values"),
        (np.zeros((2, 8), np.uint8), "no array chosen"),
    ],
)
def test_arrays_that_are_no_images_are_refused(tmp_path, values, message):
    with pytest.raises(ValueError, match=message):
        read_images(stored(tmp_path, a=values), 8)


def test_one_array_of_several_is_named_in_the_path(tmp_path):
    path = stored(tmp_path, a=np.zeros((2, 8, 8), np.uint8), b=np.full((3, 8, 8), 255, np.uint8))
    assert len(ImageFiles(f"{path}:b")) == 3
    assert read_images(f"{path}:b", 8).pixels.min() == 1
    with pytest.raises(ArrayError, match="no array 'c'"):
        ImageFiles(f"{path}:c")


def test_masks_are_black_and_white(tmp_path):
    for mask in (np.eye(8) > 0, np.eye(8).astype(np.int64), np.eye(8).astype(np.float32)):
        pixels = read_images(stored(tmp_path, a=mask[None]), 8).pixels
        assert torch.equal(pixels[0, 0], torch.eye(8) * 2 - 1)
