"""`gannb sample`: images, points, gestures as files; a folder is whole or not there; bad input ends at once."""

import subprocess
import sys
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from gannb import cli
from gannb.batch import samples
from gannb.experiments.motion.data import recordings
from gannb.experiments.motion.data.clips import FPS
from gannb.experiments.motion.inference import GestureModel, save_speakers
from gannb.experiments.motion.networks import building
from gannb.experiments.motion_balance.params import MotionBalance
from gannb.experiments.particles_sagan.params import ParticlesSagan
from gannb.experiments.schedules.params import Schedules
from gannb.experiments.tour.params import Tour
from gannb.networks import registry
from gannb.networks.toys import PointGenerator
from gannb.random import generator
from gannb.runs.folder import Run
from gannb.training.checkpoint import Checkpoint
from gannb.training.trained import Trained
from tests.trained_runs import files_below, run_of

SIZES = {"latent_dim": 8, "image_size": 16, "ngf": 8}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Runs by what they generate."""
    home = str(tmp_path_factory.mktemp("runs"))

    def particles(network: str, **options) -> Run:
        p = ParticlesSagan(runs=home, network=network, network_options=options, **SIZES)
        return run_of(p, "G", lambda: registry.generator(network, 8, 8, 16, 1, **options))

    def conditional(network: str) -> Run:
        p = Schedules(
            runs=home, network=network, conditional=True, transfer_to="", latent_dim=8, image_size=16, width=8
        )
        run = run_of(p, "G", lambda: registry.generator(network, 8, 8, 16, 1, classes=3))
        (run.folder / "classes.json").write_text('{"cat": 10, "dog": 30, "7": 0}')
        return run

    gestures = MotionBalance(runs=home, n_mels=16, compared=[])
    found = {"images": particles("sagan", attention_at=[8]), "stylegan2": particles("stylegan2")}
    found |= {"classes": conditional("dcgan"), "classes of a mapping": conditional("stylegan2")}
    found["points"] = run_of(Tour(runs=home), "G", lambda: PointGenerator(width=64, depth=2))
    found["gestures"] = run_of(gestures, "G", lambda: building.generator(gestures, 2))
    save_speakers(found["gestures"], ["ada", "ben"])
    return found


def sample(run: Run, out: Path, *options: object) -> Path:
    assert cli.main(["sample", str(run.folder), "--out", str(out), *map(str, options)]) == 0
    return out


def array(folder: Path, name: str = "images") -> np.ndarray:
    with np.load(folder / "samples.npz") as found:
        return found[name]


def test_images_are_the_same_as_files_and_as_an_array(runs, tmp_path) -> None:
    folder = sample(runs["images"], tmp_path / "out", "-n", 120)
    pixels = array(folder)
    assert pixels.shape == (120, 16, 16, 1) and pixels.dtype == np.uint8 and pixels.std() > 0
    names = sorted((folder / "images").iterdir())
    assert len(names) == 120
    assert all((np.asarray(Image.open(path)) == image[..., 0]).all() for path, image in zip(names, pixels))
    network = Trained.of(runs["images"].folder).network()
    expected = torch.cat(list(samples.batches(network, network.module, 120, 0)))
    assert (pixels[..., 0] == ((expected[:, 0].clamp(-1, 1) + 1) * 127.5).round().byte().numpy()).all()


def test_the_first_images_of_a_seed_do_not_depend_on_how_many_there_are(runs, tmp_path) -> None:
    many = array(sample(runs["images"], tmp_path / "many", "-n", 70))
    few = array(sample(runs["images"], tmp_path / "few", "-n", 57))
    assert (many[:57] == few).all()
    assert len({image.tobytes() for image in many}) == 70, "no latent is drawn twice"
    assert not (array(sample(runs["images"], tmp_path / "other", "-n", 57, "--seed", 1)) == few).all()


def test_truncation_draws_towards_the_image_of_the_mean_latent(runs) -> None:
    network = Trained.of(runs["stylegan2"].folder).network()

    def spread(psi: float) -> torch.Tensor:
        return torch.cat(list(samples.batches(network, samples.truncated(network, psi), 20, 0)))

    plain = torch.cat(list(samples.batches(network, network.module, 20, 0)))
    torch.testing.assert_close(spread(1.0), plain)
    assert spread(0.0).std(0).max() < 1e-5
    assert 0 < spread(0.5).std(0).mean() < plain.std(0).mean()


def test_a_class_is_sampled_alone_and_all_as_they_are_frequent(runs, tmp_path) -> None:
    network = Trained.of(runs["classes"].folder).network()
    classes = network.inputs(400, torch.Generator().manual_seed(0))[1]
    assert classes.bincount(minlength=3).tolist() == pytest.approx([100, 300, 0], abs=30)
    by_name, by_number = (array(sample(runs["classes"], tmp_path / c, "-n", 9, "--class", c)) for c in ("dog", "1"))
    other, named = (array(sample(runs["classes"], tmp_path / c, "-n", 9, "--class", c)) for c in ("0", "7"))
    assert (by_name == by_number).all() and (by_name != other).any(axis=(1, 2, 3)).all()
    with torch.no_grad():
        z = samples.of_class(network, 2).inputs(samples.BATCH, generator("latents", 0, 0))[0]
        wanted = network.module(z, torch.full((samples.BATCH,), 2))[:9]
    assert (named == samples._pixels(wanted)).all(), "a name takes precedence over a number"


@pytest.mark.parametrize("kind", ["classes", "classes of a mapping"])
def test_a_class_is_interpolated_and_truncated(runs, tmp_path, kind: str) -> None:
    truncation = ["--truncation", 0] if kind == "classes of a mapping" else []
    folder = sample(runs[kind], tmp_path / "out", "-n", 9, "--class", "cat", "--interpolate", "webp", *truncation)
    images = array(folder).reshape(9, -1)
    assert (len(np.unique(images, axis=0)) == 1) == bool(truncation), "the image of the class's mean latent alone"


@pytest.mark.parametrize("form, suffix, kind", [("webp", "webp", "WEBP"), ("apng", "png", "PNG")])
def test_an_animation_is_a_loop_through_the_latents(runs, tmp_path, form: str, suffix: str, kind: str) -> None:
    folder = sample(runs["images"], tmp_path / "out", "-n", 1, "--interpolate", form, "--frames", 3)
    with Image.open(folder / f"interpolation.{suffix}") as film:
        assert film.format == kind and film.n_frames == 3 * samples.LATENTS and film.info["loop"] == 0
        frames = []
        for index in range(film.n_frames):
            film.seek(index)
            frames.append(np.asarray(film.convert("RGB"), dtype=float))
    steps = [np.abs(a - b).mean() for a, b in zip(frames, [*frames[1:], frames[0]])]
    assert 0 < max(steps) < np.abs(frames[0] - frames[3]).mean() * 1.5, "no jump, at the end of the loop either"


def test_points(runs, tmp_path) -> None:
    folder = sample(runs["points"], tmp_path / "out", "-n", 3000)
    assert array(folder, "points").shape == (3000, 2)
    assert files_below(folder) == {"samples.npz", "grid.png", "gannb.json"}


def test_speech_of_any_length_becomes_a_gesture(runs, tmp_path) -> None:
    voice, t = tmp_path / "voice.wav", np.arange(int(9.1 * 16_000)) / 16_000
    soundfile.write(voice, 0.3 * np.sin(2 * np.pi * 180 * t) * (1 + np.sin(2 * np.pi * 3 * t)), 16_000)
    folder = sample(runs["gestures"], tmp_path / "out", "--speech", voice, "--speaker", "ben")
    poses = [recordings.read_motion(folder / f"gesture.{suffix}")[0] for suffix in ("npz", "bvh")]
    assert len(poses[0]) == len(poses[1]) == int(9.1 * FPS)
    assert "<html" in (folder / "gesture.html").read_text()[:200].lower()


def test_only_one_batch_is_in_memory(runs, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(samples, "SHOWN", samples.BATCH)
    alive, most = weakref.WeakSet(), []

    def batches(*given):
        for _ in range(8):
            batch = torch.zeros(samples.BATCH, 1, 16, 16)
            alive.add(batch)
            most.append(len(alive))
            yield batch
            del batch

    monkeypatch.setattr(samples, "batches", batches)
    assert len(array(sample(runs["images"], tmp_path / "out", "-n", 400))) == 400
    assert max(most) <= 3, "the one that is written, the one that follows, the one that the grid shows"


# ------------------------------------------------------------------------------------------------ folders


def test_a_folder_is_replaced_only_if_asked_and_only_if_it_is_ours(runs, tmp_path, capsys) -> None:
    out = sample(runs["points"], tmp_path / "out", "-n", 10)
    again = ["sample", str(runs["points"].folder), "-n", "20", "--out", str(out)]
    assert cli.main(again) == 2 and "add --overwrite" in capsys.readouterr().err
    assert cli.main([*again, "--overwrite"]) == 0 and len(array(out, "points")) == 20
    (out / "gannb.json").unlink()
    assert cli.main([*again, "--overwrite"]) == 2 and "did not write it" in capsys.readouterr().err
    assert files_below(tmp_path) == {"out/samples.npz", "out/grid.png"}


@pytest.mark.parametrize("fault, code", [(KeyboardInterrupt, 130), (ValueError("NaN"), 2), (OSError(28, "full"), 1)])
def test_what_ends_half_way_leaves_the_old_folder_alone(runs, tmp_path, monkeypatch, fault, code: int) -> None:
    out = sample(runs["points"], tmp_path / "out", "-n", 10)
    before = array(out, "points")

    def end(*given):
        yield torch.zeros(50, 2)
        raise fault

    monkeypatch.setattr(samples, "batches", end)
    argv = ["sample", str(runs["points"].folder), "-n", "100", "--out", str(out), "--overwrite"]
    assert cli.main(argv) == code
    assert (array(out, "points") == before).all() and [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_interrupted_gesture_leaves_nothing(runs, tmp_path, monkeypatch) -> None:
    voice = tmp_path / "voice.wav"
    soundfile.write(voice, 0.3 * np.sin(np.arange(3 * 16_000) / 9), 16_000)
    stream = GestureModel.stream

    def end(*given):
        yield next(stream(*given))
        raise KeyboardInterrupt

    monkeypatch.setattr(GestureModel, "stream", end)
    argv = ["sample", str(runs["gestures"].folder), "--speech", str(voice), "--out", str(tmp_path / "out")]
    assert cli.main(argv) == 130 and [path.name for path in tmp_path.iterdir()] == ["voice.wav"]


# ---------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "kind, options, expected",
    [
        ("images", ["--checkpoint", "best"], "has: last, 1"),
        ("images", ["-n", "0"], "-n: given 0; allowed: 1 … 1000000"),
        ("images", ["-n", "many"], "invalid int value"),
        ("images", ["--seed", "-1"], "--seed: given -1"),
        ("images", ["--truncation", "0.5"], "sagan has no mapping network; allowed with: stylegan2"),
        ("stylegan2", ["--truncation", "nan"], "--truncation: given nan"),
        ("images", ["--speech", "x.wav"], "--speech: only for gestures"),
        ("images", ["--frames", "9"], "only with --interpolate"),
        ("images", ["--class", "cat"], "is not conditional; train with conditional=true"),
        ("classes", ["--class", "cow"], "--class: given 'cow'; "),
        ("classes", ["--class", "3"], "has: cat, dog, 7, or 0 … 2"),
        ("points", ["--class", "0"], "--class: only for images"),
        ("points", ["--interpolate", "webp"], "only for images; tour generates points"),
        ("gestures", [], "--speech: needed for gestures"),
        ("gestures", ["--speech", "gone.wav"], "no such file"),
        ("gestures", ["--speech", __file__], "a .py file; allowed: a .wav or .ogg or .flac file"),
        ("images", ["--out", __file__], "is a file; name a folder"),
    ],
)
def test_bad_arguments_end_before_torch_is_loaded(runs, tmp_path, kind, options, expected: str) -> None:
    script = "import sys; from gannb import cli; code = cli.main(sys.argv[1:]); "
    script += "sys.exit(9 if 'torch' in sys.modules else code)"
    began = time.perf_counter()
    argv = [sys.executable, "-c", script, "sample", str(runs[kind].folder), *options]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and expected in done.stderr and done.stderr.count("\n") == 1
    assert time.perf_counter() - began < 4 and not list(tmp_path.iterdir())


def test_a_diverged_generator_is_named(tmp_path, capsys) -> None:
    run = run_of(Tour(runs=str(tmp_path)), "G", lambda: PointGenerator(width=64, depth=2))
    file = run.folder / "checkpoints" / "step-00000001.safetensors"
    saved = Checkpoint.read(file)
    Checkpoint({name: tensor * float("nan") for name, tensor in saved.tensors.items()}, saved.state).write(file)
    assert cli.main(["sample", str(run.folder), "--out", str(tmp_path / "out")]) == 2
    assert "NaN or infinity: the training diverged" in capsys.readouterr().err and not (tmp_path / "out").exists()
