"""`gannb score REAL FAKE` on folders and arrays, good and bad."""

import argparse
import json

import numpy as np
import pytest
import torch
from PIL import Image

from gannb.batch.score_command import add_parser
from gannb.metrics.score_folders import FileImages, score_folders


def save(folder, images, suffix="png"):
    folder.mkdir(parents=True, exist_ok=True)
    pixels = ((images + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    for index, one in enumerate(pixels):
        Image.fromarray(one.squeeze()).save(folder / f"{index:03d}.{suffix}")
    return folder


def run(*words):
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    args = parser.parse_args(["score", *map(str, words)])
    return args.command(args)


@pytest.fixture
def folders(tmp_path, blobs):
    return save(tmp_path / "real", blobs(40, 1)), save(tmp_path / "fake", blobs(50, 2))


def test_folder_and_array_and_tensor_score_the_same(folders, tmp_path, blobs):
    from gannb.metrics.evaluator import Evaluator

    real, fake = folders
    by_folder = score_folders(real, fake, features="faed", lpips=False)
    for name, images in (("real", blobs(40, 1)), ("fake", blobs(50, 2))):
        np.savez(tmp_path / f"{name}.npz", images=((images + 1) * 127.5).round().byte().squeeze(1).numpy())
    by_array = score_folders(tmp_path / "real.npz", tmp_path / "fake.npz:images", features="faed", lpips=False)
    assert by_array.as_dict()["metrics"] == by_folder.as_dict()["metrics"]
    by_tensor = Evaluator(blobs(40, 1), features="faed")(blobs(50, 2))
    assert by_tensor.faed.value == pytest.approx(by_folder.faed.value, rel=1e-9)


def test_fid_and_its_protocol_in_the_json(folders, tmp_path, with_inception, capsys):
    real, fake = (save(tmp_path / f"few_{f.name}", FileImages(f).some(12)) for f in folders)
    assert run(real, fake, "--features", "inception", "--no-lpips", "--json", tmp_path / "out" / "scores.json") == 0
    metrics = json.loads((tmp_path / "out" / "scores.json").read_text())["metrics"]
    assert metrics["fid"]["value"] > 0
    assert {"n_real": 12, "n_fake": 12, "features": "inception"}.items() <= metrics["fid"]["protocol"].items()
    assert {"kid", "precision", "recall", "density", "coverage", "inception_score"} <= set(metrics)
    shown = capsys.readouterr()
    assert "fid" in shown.out and "generated images" in shown.err  # the table, and a progress bar


def test_what_cannot_be_read_is_named_and_left_out(folders, capsys):
    real, fake = folders
    (fake / "notes.txt").write_text("no image")
    (fake / "broken.png").write_bytes((fake / "000.png").read_bytes()[:60])
    (fake / ".hidden").write_text("")
    assert run(real, fake, "--features", "faed", "--no-lpips") == 0
    shown = capsys.readouterr().out
    assert "fake: 50 used: 16×16 grey, 8-bit; skipped broken.png: " in shown
    assert "skipped notes.txt: not an image" in shown and ".hidden" not in shown


def test_subfolders_and_training_images(folders, tmp_path, blobs):
    save(tmp_path / "fake" / "more", blobs(10, 5), "bmp")
    scores = score_folders(*folders, train=save(tmp_path / "train", blobs(60, 4)), features="faed", lpips=False)
    assert scores.faed.protocol["n_fake"] == 60 and scores.copies.available and scores.faed_60_all.available


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        (lambda x: torch.nn.functional.interpolate(x, 32), "--resize 16 brings all to one size"),
        (lambda x: x.expand(-1, 3, -1, -1), "--channels grey"),
    ],
)
def test_different_images_are_an_error_that_says_what_to_do(folders, tmp_path, blobs, change, remedy, capsys):
    real, _ = folders
    other = save(tmp_path / "other", change(blobs(20, 3)))
    assert run(real, other, "--features", "faed") == 2
    assert remedy in capsys.readouterr().err
    mixed = save(tmp_path / "mixed", blobs(15, 3))
    (mixed / "odd.png").write_bytes((other / "000.png").read_bytes())
    assert run(real, mixed, "--features", "faed") == 2
    said = capsys.readouterr().err
    assert remedy in said and "odd.png" in said
    assert run(real, other, "--features", "faed", "--resize", "16", "--channels", "grey", "--no-lpips") == 0
    assert "resized to 16×16" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "FAKE: given 'nowhere'; no such file or folder"),
        (["empty"], "an empty folder"),
        (["text"], r"notes\.txt: not an image"),
        (["two.npz"], r"no array chosen; it holds a .*, b .*; two\.npz:NAME"),
        (["wide.npz"], r"shape \(4, 8, 8, 7\)"),
        (["ints.npz"], r"int64 from -1 to 0; whole numbers may be 0 … 65535"),
        (["nan.npz"], "NaN"),
        (["real", "--features", "nonsense"], "given 'nonsense'; unknown; allowed: auto"),
        (["real", "--features", "net=nowhere.th"], "given 'net=nowhere.th'; no such file"),
        (["real", "--resize", "2"], "--resize: given 2; allowed: 8 … 4096"),
        (["real", "--json", "."], "is a folder"),
    ],
)
def test_bad_input_ends_with_a_reason(folders, tmp_path, monkeypatch, capsys, words, message):
    import re

    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "notes.txt").write_text("no image")
    pixels = np.zeros((4, 8, 8, 3), np.uint8)
    np.savez("two.npz", a=pixels, b=pixels)
    np.savez("wide.npz", a=np.zeros((4, 8, 8, 7), np.uint8))
    np.savez("ints.npz", a=pixels.astype(np.int64) - np.eye(8, dtype=np.int64)[..., None])
    np.savez("nan.npz", a=np.full((4, 8, 8, 3), np.nan, np.float32))
    assert run("real", *words) == 2
    assert re.search(message, capsys.readouterr().err.rpartition("gannb score:")[2])


def test_sixteen_bits_transparency_and_palettes_are_read(tmp_path):
    deep = np.linspace(0, 65535, 256).reshape(16, 16).astype(np.uint16)
    folder = tmp_path / "deep"
    folder.mkdir()
    Image.fromarray(deep).save(folder / "deep.png")
    grey = FileImages(folder).some(1)
    assert grey.shape == (1, 1, 16, 16) and grey.min() == -1 and grey.max() == 1
    colour = tmp_path / "colour"
    colour.mkdir()
    Image.new("RGBA", (16, 16), (255, 0, 0, 255)).save(colour / "a.png")
    Image.new("RGB", (16, 16), (255, 0, 0)).quantize(4).save(colour / "b.gif")
    both = FileImages(colour).some(2)
    assert both.shape == (2, 3, 16, 16) and torch.equal(both[0], both[1])


def test_floats_may_be_in_either_range(tmp_path):
    unit = np.random.default_rng(0).random((5, 8, 8, 3)).astype(np.float32)
    np.savez(tmp_path / "unit.npz", x=unit)
    np.savez(tmp_path / "both.npz", x=unit.transpose(0, 3, 1, 2) * 2 - 1)
    first, second = (FileImages(tmp_path / f"{name}.npz").some(9) for name in ("unit", "both"))
    assert torch.allclose(first, second, atol=1e-6)


def test_reading_again_gives_the_same_fingerprint_and_another_reading_another(folders):
    real, _ = folders
    assert FileImages(real).fingerprint() == FileImages(real).fingerprint()
    assert FileImages(real, resize=8).fingerprint() != FileImages(real).fingerprint()
