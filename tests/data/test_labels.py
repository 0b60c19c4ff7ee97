"""Classes of a folder's images: by subfolder or by CSV; whatever lacks a class is named."""

from pathlib import Path

import pytest
import torch

from gannb.data.labels import check, of_names


def table(folder: Path, text: str) -> Path:
    path = folder / "classes.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_subfolders_are_classes_in_natural_order() -> None:
    classes, names = of_names(["10/a.png", "2/b.png", "2/deeper/c.png", "x/d.png"])
    assert names == ("2", "10", "x") and classes.tolist() == [1, 0, 0, 2]


@pytest.mark.parametrize("head", ["", "file,class\n", "\ufeff", "\n"])
def test_a_table_with_and_without_a_header(tmp_path: Path, head: str) -> None:
    path = table(tmp_path, head + 'b.png, dog\n"a, 1.png",cat\nunused.png,cow\n')
    assert of_names(["a, 1.png", "b.png", "b.png[3]"], path)[0].tolist() == [0, 1, 1]
    assert of_names(["b.png"], path)[1] == ("dog",), "only classes of images that are there"


@pytest.mark.parametrize(
    "text, message",
    [
        ("a.png,cat\n", "no class for 1 of 2 images, such as b.png"),
        ("a.png,cat\nb.png\n", r"row 2 is \['b.png'\]; two columns"),
        ("a.png,cat\nb.png,\n", "row 2"),
        ("a.png,cat\nb.png,dog,1\n", "row 2"),
        ("a.png,cat\nb.png,dog\na.png,dog\n", "row 3 gives a.png a second class, dog"),
        ("", "no class for 2 of 2"),
    ],
)
def test_a_table_that_does_not_fit_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        of_names(["a.png", "b.png"], table(tmp_path, text))


def test_images_outside_subfolders_are_named() -> None:
    with pytest.raises(ValueError, match="1 of 2 images lie in no subfolder, such as b"):
        of_names(["x/a.png", "b.png"])


def test_there_has_to_be_something_to_tell_apart() -> None:
    check(torch.tensor([0, 1, 1]), ("a", "b"))
    with pytest.raises(ValueError, match=r"one class \(a\); at least 2"):
        check(torch.tensor([0, 0]), ("a",))
    with pytest.raises(ValueError, match="no training image of class b, d"):
        check(torch.tensor([0, 2]), ("a", "b", "c", "d"))
