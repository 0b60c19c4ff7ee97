"""Three parts that share no image, every reader, and pickles that are only read where they are the published ones."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import CIFAR10

from gannb.experiments.schedules.image_splits import load

CIFAR = Path(__file__).parents[4] / "shared" / "data" / "cifar10" / "cifar10_subset.npz"


def rows(images):
    return {row.numpy().tobytes() for row in images.pixels}


def test_digits_come_in_three_parts_with_every_class():
    found = load(size=16)
    assert found.train.pixels.shape[1:] == (1, 16, 16) and found.channels == 1
    assert sum(map(len, (found.train, found.validation, found.test))) == 1797
    assert not rows(found.train) & rows(found.validation) and not rows(found.train) & rows(found.test)
    assert not rows(found.validation) & rows(found.test)
    assert (len(found.test), len(found.validation)) == (
        pytest.approx(0.2 * 1797, abs=5),
        pytest.approx(0.1 * 1797, abs=5),
    )
    for name, part in (("train", found.train), ("validation", found.validation), ("test", found.test)):
        assert len(found.classes[name]) == len(part)
        assert found.classes[name].bincount(minlength=10).min() >= 0.08 * len(part)
    assert found.train.pixels.min() == -1 and found.train.pixels.max() == 1


def test_a_seed_parts_them_and_another_parts_them_otherwise():
    first, same, other = load(size=8), load(size=8), load(size=8, seed=1)
    assert first.test.hash == same.test.hash != other.test.hash


def test_a_class_stays_with_its_picture():
    """At 8×8 the digits are not resized, so each is found again in scikit-learn's own list."""
    from sklearn.datasets import load_digits

    raw = load_digits()
    known = {image.astype(np.uint8).tobytes(): int(digit) for image, digit in zip(raw.images, raw.target)}
    found = load(size=8)
    for pixels, digit in zip(found.validation.pixels, found.classes["validation"]):
        assert known[((pixels[0] + 1) * 8).round().to(torch.uint8).numpy().tobytes()] == int(digit)


def test_a_count_bounds_what_is_learned_from_and_not_the_test():
    whole, some = load(size=8), load(size=8, count=200)
    assert len(some.train) + len(some.validation) == 200
    assert some.test.hash == whole.test.hash
    assert len(some.classes["train"].unique()) == 10


BATCHES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"]


@pytest.fixture
def official(tmp_path, monkeypatch):
    """A folder as CIFAR-10's: 20 images per batch, red by its number, with the checksums that torchvision verifies."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    sums = []
    for i, name in enumerate(BATCHES):
        data = np.zeros((20, 3072), np.uint8)
        data[:, :1024] = 10 * (i + 1)
        held = {"data": data, "labels": [k % 10 for k in range(20)]}
        meta = {"label_names": [str(k) for k in range(10)]}
        (folder / name).write_bytes(pickle.dumps(meta if name == "batches.meta" else held, protocol=2))
        sums.append([name, hashlib.md5((folder / name).read_bytes()).hexdigest()])
    monkeypatch.setattr(CIFAR10, "train_list", sums[:5])
    monkeypatch.setattr(CIFAR10, "test_list", sums[5:6])
    monkeypatch.setattr(CIFAR10, "meta", {"filename": "batches.meta", "key": "label_names", "md5": sums[6][1]})
    return folder


def test_official_batch_files_are_read(official):
    found = load(str(official), conditional=True)
    assert found.names == tuple("0123456789")
    assert (len(found.train) + len(found.validation), len(found.test)) == (100, 20)
    red = ((found.test.pixels[:, 0] + 1) * 127.5).round()
    assert (red == 60).all(), "the test batch is the test part"
    assert (found.train.pixels[:, 1:] == -1).all()
    assert found.classes["test"].tolist() == [i % 10 for i in range(20)]
    assert {round(float(v)) for v in (found.train.pixels[:, 0, 0, 0] + 1) * 127.5} == {10, 20, 30, 40, 50}


def test_cifar10_is_taken_from_the_root_where_it_is(official):
    assert len(load("cifar10", root=official.parent).test) == 20


def test_a_folder_of_another_name_is_read_too(official):
    assert len(load(str(official.rename(official.with_name("mine")))).test) == 20


class Evil:
    def __reduce__(self):
        return (os.system, ("touch owned",))


def test_batches_that_are_not_the_published_ones_are_refused_unread(official, tmp_path, monkeypatch):
    """A pickle can run any code, so that nothing is unpickled whose checksum is another."""
    monkeypatch.chdir(tmp_path)
    (official / "data_batch_2").write_bytes(pickle.dumps({"data": Evil(), "labels": []}, protocol=2))
    with pytest.raises(FileNotFoundError, match="batch files as published"):
        load(str(official))
    assert not (tmp_path / "owned").exists()
    (official / "data_batch_2").unlink()
    with pytest.raises(FileNotFoundError, match="put all of them there"):
        load(str(official))


class Folder:
    """Stands for torchvision's CelebA: pictures taller than wide, split as asked."""

    def __init__(self, root, split, download):
        self.shade = {"train": 50, "valid": 100, "test": 150}[split]

    def __len__(self):
        return 30

    def __getitem__(self, index):
        return Image.new("RGB", (20, 26), (self.shade, index, 0)), 0


def test_celeba_keeps_its_own_test_part(monkeypatch):
    monkeypatch.setattr("torchvision.datasets.CelebA", Folder)
    found = load("celeba", 16, count=40)
    assert found.classes == {} and found.train.pixels.shape[1:] == (3, 16, 16)
    assert {round(float(v)) for v in (found.test.pixels[:, 0, 0, 0] + 1) * 127.5} == {150}
    assert len(found.train) + len(found.validation) == 40


def test_particles_are_rendered_in_three_parts_without_classes():
    found = load("rendered", 16)
    assert [len(part) for part in (found.train, found.validation, found.test)] == [210, 30, 60]
    assert found.channels == 1 and not found.classes and found.train.pixels.shape[2:] == (16, 16)


def test_a_folder_and_an_array_are_read(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "folder").mkdir()
    for i in range(10):
        Image.fromarray(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)).save(tmp_path / "folder" / f"{i}.png")
    found = load(str(tmp_path / "folder"), 8)
    assert [len(part) for part in (found.train, found.validation, found.test)] == [7, 1, 2] and found.classes == {}
    assert found.test.names == ("8.png", "9.png"), "without classes by file order"
    np.savez(tmp_path / "a.npz", x_train=rng.integers(0, 255, (20, 8, 8, 3), dtype=np.uint8), y_train=[0, 1] * 10)
    found = load(str(tmp_path / "a.npz"), 8)
    assert sorted(found.classes["test"].tolist()) == [0, 0, 1, 1]


def painted(folder: Path, counts: dict[str, int]) -> Path:
    """A folder with a subfolder per class, in which every image has the class's shade."""
    for shade, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(np.full((8, 8), 20 * shade + i, np.uint8)).save(folder / name / f"{name}{i}.png")
    return folder


def test_subfolders_or_a_table_are_classes_where_they_are_wanted(tmp_path):
    folder = painted(tmp_path / "images", {"cat": 10, "dog": 20})
    found = load(str(folder), 8, conditional=True)
    assert found.names == ("cat", "dog") and found.classes["test"].bincount().tolist() == [2, 4]
    shades = ((found.train.pixels[:, 0, 0, 0] + 1) * 127.5).round()
    assert torch.equal(found.classes["train"], (shades >= 20).long())
    plain = load(str(folder), 8)
    assert plain.classes == {} and plain.test.names == tuple(f"dog/dog{i}.png" for i in range(14, 20))
    rows = [f"{path.relative_to(folder)},{int(path.stem[3:]) % 2 + 7}\n" for path in folder.rglob("*.png")]
    (tmp_path / "table.csv").write_text("".join(rows))
    found = load(str(folder), 8, conditional=True, labels=str(tmp_path / "table.csv"))
    assert found.names == ("7", "8") and found.classes["test"].bincount().tolist() == [3, 3]


def test_a_part_has_its_classes_for_conditional_networks_alone():
    found = load(size=8)
    pixels, classes = found.part("train", conditional=True)
    assert torch.equal(pixels, found.part("train", conditional=False)) and torch.equal(classes, found.classes["train"])
    assert found.names == tuple("0123456789")


@pytest.mark.parametrize(
    "kept, says",
    [
        ({"x_train": 20}, "has no classes; an .npz needs `y_train`"),
        ({"x_train": 20, "y_train": [0] * 20}, "all images are of one class"),
        ({"x_train": 20, "y_train": [0, 2] * 10}, "no training image of class 1"),
        ({"x_train": 20, "y_train": [0, 1] * 9}, "one class for each of 20 images"),
        ({"x_train": 20, "y_train": [0, 1] * 10, "x_test": 5}, "`y_test` is missing"),
        (
            {"x_train": 20, "y_train": [0, 1] * 10, "x_test": 5, "y_test": [0, 1, 2, 1, 0]},
            "no training image of class 2",
        ),
    ],
)
def test_classes_that_are_needed_and_not_there_are_named(tmp_path, kept, says):
    arrays = {name: np.zeros((n, 8, 8), np.uint8) if isinstance(n, int) else n for name, n in kept.items()}
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=says):
        load(str(tmp_path / "a.npz"), 8, conditional=True)


@pytest.mark.skipif(not CIFAR.is_file(), reason="the real CIFAR-10 subset is not here")
def test_the_real_subset_keeps_its_own_test_part():
    found = load(str(CIFAR), count=500)
    assert (len(found.test), len(found.train) + len(found.validation)) == (932, 500)
    assert found.train.pixels.shape[1:] == (3, 32, 32)
    with np.load(CIFAR) as stored:
        assert torch.equal(found.classes["test"], torch.from_numpy(stored["y_test"]).long())


@pytest.mark.parametrize(
    ("given", "says"),
    [({"validation": 0.0}, "validation=0.0"), ({"test": 0.95}, "together below 1"), ({"size": 4}, "size ≥ 8"),
     ({"validation": 1e-5}, "leaves one side empty")],
)  # fmt: skip
def test_bad_input_is_named(given, says):
    with pytest.raises(ValueError, match=says):
        load(**given)


def test_unknown_data_is_named():
    with pytest.raises(FileNotFoundError, match="no such folder or file, and none of digits, rendered, cifar10"):
        load("digit")


def test_unavailable_data_says_what_to_do(tmp_path, monkeypatch):
    def offline(*args, **more):
        raise OSError("no network")

    monkeypatch.setattr(CIFAR10, "download", offline)
    monkeypatch.setattr("torchvision.datasets.LSUN", offline)
    with pytest.raises(FileNotFoundError, match=r"as published \(no network\); put all of them there"):
        load("cifar10", root=tmp_path)
    with pytest.raises(FileNotFoundError, match="name a folder of images instead"):
        load("lsun", root=tmp_path)


def test_a_folder_says_what_was_used_and_skipped(tmp_path):
    for index in range(10):
        Image.fromarray(np.full((8, 8), index, np.uint8)).save(tmp_path / f"{index}.png")
    (tmp_path / "notes.txt").write_text("no image")
    assert repr(load(str(tmp_path), 8)).splitlines()[1:] == [
        "10 used: 8×8 grey, 8-bit", "skipped notes.txt: not an image",
    ]  # fmt: skip
