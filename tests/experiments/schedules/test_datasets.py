"""Three parts that share no picture, every reader, and pickles that are only read where they are plain."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gannb.experiments.schedules.datasets import BATCHES, load, read_plain_pickle

CIFAR = Path(__file__).parents[4] / "shared" / "data" / "cifar10" / "cifar10_subset.npz"


def rows(images):
    return {row.numpy().tobytes() for row in images.pixels}


def test_digits_come_in_three_parts_with_every_class():
    found = load(size=16)
    assert found.train.pixels.shape[1:] == (1, 16, 16) and found.channels == 1
    assert sum(map(len, (found.train, found.guide, found.test))) == 1797
    assert not rows(found.train) & rows(found.guide) and not rows(found.train) & rows(found.test)
    assert not rows(found.guide) & rows(found.test)
    assert (len(found.test), len(found.guide)) == (pytest.approx(0.2 * 1797, abs=5), pytest.approx(0.1 * 1797, abs=5))
    for name, part in (("train", found.train), ("guide", found.guide), ("test", found.test)):
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
    for pixels, digit in zip(found.guide.pixels, found.classes["guide"]):
        assert known[((pixels[0] + 1) * 8).round().to(torch.uint8).numpy().tobytes()] == int(digit)


def test_a_count_bounds_what_is_learned_from_and_not_the_test():
    whole, some = load(size=8), load(size=8, count=200)
    assert len(some.train) + len(some.guide) == 200
    assert some.test.hash == whole.test.hash
    assert len(some.classes["train"].unique()) == 10


def batch(path, count, value, labels=None):
    """A file as CIFAR-10 has them, red where `value` says, the rest black."""
    data = np.zeros((count, 3072), np.uint8)
    data[:, :1024] = value
    held = {b"batch_label": b"one", b"data": data, b"filenames": [b"a.png"]}
    held[b"labels"] = labels or [i % 10 for i in range(count)]
    path.write_bytes(pickle.dumps(held, protocol=2))


@pytest.fixture
def official(tmp_path):
    for i, name in enumerate(BATCHES):
        batch(tmp_path / name, 20, 10 * (i + 1))
    return tmp_path


def test_official_batch_files_are_read(official):
    found = load(str(official))
    assert (len(found.train) + len(found.guide), len(found.test)) == (100, 20)
    red = ((found.test.pixels[:, 0] + 1) * 127.5).round()
    assert (red == 60).all(), "the test batch is the test part"
    assert (found.train.pixels[:, 1:] == -1).all()
    assert found.classes["test"].tolist() == [i % 10 for i in range(20)]
    assert {round(float(v)) for v in (found.train.pixels[:, 0, 0, 0] + 1) * 127.5} == {10, 20, 30, 40, 50}


def test_cifar10_is_taken_from_the_root_where_it_is(official, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    official_files = [official / name for name in BATCHES]
    (root / "cifar-10-batches-py").mkdir()
    for file in official_files:
        file.rename(root / "cifar-10-batches-py" / file.name)
    assert len(load("cifar10", root=root).test) == 20


class Evil:
    def __reduce__(self):
        return (os.system, ("touch owned",))


@pytest.mark.parametrize("held", [Evil(), {b"data": Evil()}, np.array([Evil()], dtype=object), {"a": Path("x")}])
def test_a_pickle_that_would_run_code_is_refused(held, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(held, protocol=2))
    with pytest.raises(ValueError, match="data_batch_1 is no plain pickle"):
        read_plain_pickle(tmp_path / "data_batch_1")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_plain_pickles_come_back(protocol, tmp_path):
    held = {b"data": np.arange(6, dtype=np.uint8).reshape(2, 3), b"labels": [1, 2], b"x": b"\xff\x00"}
    path = tmp_path / "p"
    path.write_bytes(pickle.dumps(held, protocol=protocol))
    if protocol == 5:  # arrays there come from another function, which the official files do not use
        with pytest.raises(ValueError, match="no plain pickle"):
            read_plain_pickle(path)
        return
    again = read_plain_pickle(path)
    assert np.array_equal(again.pop(b"data"), held.pop(b"data")) and again == held


def test_damaged_batches_say_what_is_wrong(official):
    content = (official / "data_batch_2").read_bytes()
    (official / "data_batch_2").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="data_batch_2 is no plain pickle, or damaged"):
        load(str(official))
    batch(official / "data_batch_2", 20, 1, labels=[11] * 20)
    with pytest.raises(ValueError, match="labels from 0 to 9"):
        load(str(official))
    (official / "data_batch_2").write_bytes(pickle.dumps({b"other": 1}, protocol=2))
    with pytest.raises(ValueError, match="data_batch_2: not a batch of CIFAR-10"):
        load(str(official))
    (official / "test_batch").unlink()
    with pytest.raises(FileNotFoundError, match="wanted: test_batch"):
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
    assert len(found.train) + len(found.guide) == 40


def test_particles_are_rendered_in_three_parts_without_classes():
    found = load("rendered", 16)
    assert [len(part) for part in (found.train, found.guide, found.test)] == [210, 30, 60]
    assert found.channels == 1 and not found.classes and found.train.pixels.shape[2:] == (16, 16)


def test_a_folder_and_an_array_are_read(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "folder").mkdir()
    for i in range(10):
        Image.fromarray(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)).save(tmp_path / "folder" / f"{i}.png")
    found = load(str(tmp_path / "folder"), 8)
    assert [len(part) for part in (found.train, found.guide, found.test)] == [7, 1, 2] and found.classes == {}
    assert found.test.names == ("8.png", "9.png"), "without classes by file order"
    np.savez(tmp_path / "a.npz", x_train=rng.integers(0, 255, (20, 8, 8, 3), dtype=np.uint8), y_train=[0, 1] * 10)
    found = load(str(tmp_path / "a.npz"), 8)
    assert sorted(found.classes["test"].tolist()) == [0, 0, 1, 1]


@pytest.mark.skipif(not CIFAR.is_file(), reason="the real CIFAR-10 subset is not here")
def test_the_real_subset_keeps_its_own_test_part():
    found = load(str(CIFAR), count=500)
    assert (len(found.test), len(found.train) + len(found.guide)) == (932, 500)
    assert found.train.pixels.shape[1:] == (3, 32, 32)
    with np.load(CIFAR) as stored:
        assert torch.equal(found.classes["test"], torch.from_numpy(stored["y_test"]).long())


@pytest.mark.parametrize(
    ("given", "says"),
    [({"guide": 0.0}, "guide=0.0"), ({"test": 0.95}, "together below 1"), ({"size": 4}, "size ≥ 8"),
     ({"guide": 1e-5}, "leaves one side empty")],
)  # fmt: skip
def test_bad_input_is_named(given, says):
    with pytest.raises(ValueError, match=says):
        load(**given)


def test_unknown_data_is_named():
    with pytest.raises(FileNotFoundError, match="no such folder or file, and none of digits, rendered, cifar10"):
        load("digit")


def test_data_that_cannot_be_had_says_what_to_do(tmp_path, monkeypatch):
    def offline(*args, **more):
        raise OSError("no network")

    monkeypatch.setattr("torchvision.datasets.CIFAR10", offline)
    monkeypatch.setattr("torchvision.datasets.LSUN", offline)
    with pytest.raises(FileNotFoundError, match=r"could not be downloaded \(no network\); put its batch files there"):
        load("cifar10", root=tmp_path)
    with pytest.raises(FileNotFoundError, match="name a folder of images instead"):
        load("lsun", root=tmp_path)
