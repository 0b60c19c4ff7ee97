"""Every notebook from its first cell to its last figure, and the commands on its run, with nothing left on the host."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from gannb import cli
from gannb.config import presets
from gannb.experiments.motion.data.speech import SAMPLE_RATE
from gannb.experiments.motion_wgan_gp import critic_metrics
from gannb.runs.folder import Run
from gannb.training.tape import Tape
from gannb.widgets import live_view
from gannb.widgets.picture import packed
from tests.card import card  # noqa: F401 - a fixture
from tests.notebooks.trainers import NOTEBOOKS as FOLDER
from tests.notebooks.trainers import trainer_of
from tests.training.regimes import REGIMES, open_run

NOTEBOOKS = ("00_tour", "01_motion_balance", "02_motion_wgan_gp", "03_schedules", "04_particles_sagan", "05_identity")

CLIPS = {"seconds": 10.0, "warmup_epochs": 1, "curriculum_epochs": 2, "evaluate_every": 1}
SHORT: dict[str, dict[str, Any]] = {
    "00_tour": {"steps": 4, "evaluate_every": 2},
    "01_motion_balance": CLIPS | {"epochs": 2, "batch_size": 4, "precision": "fp32", "compared": ["repaired"]},
    "02_motion_wgan_gp": CLIPS
    | {"epochs": 2, "batch_size": 4, "clip_frames": [16, 32], "grow_every": 1, "n_critic": 2, "evaluated": 16}
    | {"toys": ["8 Gaussians", "sequences"], "toy_steps": 10, "defect_steps": 10, "lambdas": [1.0], "lambda_steps": 10},
    "03_schedules": {"count": 96, "epochs": 2, "fid_samples": 40, "seeds": 1, "variants": ["fixed", "learned"]}
    | {"move_every": 1, "lookahead_batch": 8, "objective_count": 16},
    "04_particles_sagan": {"epochs": 2, "fid_samples": 40, "score_every": 1, "samples_every": 1},
    "05_identity": {"people": 24, "images": 8, "epochs": 2, "evaluate_every": 1, "compared": ["before", "after"]},
    "06_compare_runs": {"steps": 16},
}
"""What makes a notebook as short as its figures allow; the commands are tried on the runs of `NOTEBOOKS`."""
FEWER = ("steps=300", "steps=30")
"""Steps that a cell of 02 names itself, and how many do here."""

EVERY = {"penalty_every": 2, "path_length_every": 2}
GESTURES = CLIPS | {"batch_size": 4, "width": 16, "d_width": 16, "mixed_from": 0}
SMALL: dict[str, dict[str, Any]] = {
    "00_tour": {},
    "01_motion_balance": GESTURES | {"g_turns": 2, "compared": ["repaired"]},
    "02_motion_wgan_gp": GESTURES | {"clip_frames": [16], "n_critic": 2, "toys": ["8 Gaussians"]},
    "03_schedules": {"count": 96, "data": "digits", "image_size": 16, "width": 8, "batch_size": 8, "seeds": 1},
    "04_particles_sagan": EVERY | {"image_size": 32, "ngf": 8, "ndf": 8, "latent_dim": 8, "batch_size": 4},
    "05_identity": {"people": 24, "images": 8, "width": 32, "depth": 1, "batch_size": 8, "compared": ["before"]},
}
"""What makes a step of any preset small, and every kind of turn come round four times in eight steps."""
PRESETS = [
    (name, which)
    for name in NOTEBOOKS
    for which in presets.presets(name.split("_", 1)[1])
    if which not in ("tuned", "laboratory")  # their steps differ from the others' in rates and sizes alone
]
QUICK = "quick and not motion_wgan"
"""Presets that are tried at every run of the tests; the others as a gate."""

ON_CARD = "GANNB_TESTS_ON_CARD"
alone = pytest.mark.skipif(ON_CARD not in os.environ, reason="run by test_on_a_card")
elsewhere = pytest.mark.skipif(ON_CARD in os.environ, reason="it is that process")


def on_a_card(tests: str) -> None:
    """Tests in a process of their own: autograd counts the devices at its first backward pass."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", __file__, "-k", tests]
    child = {"cwd": Path(__file__).parents[2], "env": os.environ | {ON_CARD: "1"}}
    done = subprocess.run(command, capture_output=True, text=True, **child)
    assert done.returncode == 0 and "skipped" not in done.stdout and " passed" in done.stdout, done.stdout[-6000:]


@elsewhere
@pytest.mark.timeout(1200)
def test_on_a_card() -> None:
    on_a_card("test_all_of_a_notebook or planted or meet or copy")


@elsewhere
@pytest.mark.timeout(1800)
def test_captured_on_a_card() -> None:
    on_a_card(f"test_a_captured_step and ({QUICK})")


@elsewhere
@pytest.mark.gate
@pytest.mark.timeout(1800)
def test_captured_on_a_card_in_every_preset() -> None:
    """All but WGAN-GP's, whose first step, before any capture, was not always the same to the last bit here."""
    on_a_card(f"test_a_captured_step and not ({QUICK}) and not motion_wgan")


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def on_card(card, monkeypatch):  # noqa: F811
    """Has every run train on the card."""
    opened = Run.open.__func__

    def open_on_card(cls, params):
        run = opened(cls, params)
        run.device = card
        return run

    monkeypatch.setattr(Run, "open", classmethod(open_on_card))


@pytest.fixture
def run_notebook(on_card, tmp_path, monkeypatch):
    """Runs all cells of a notebook as JupyterLab does, figures drawn, and returns their names; any error is raised."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    errors: list[BaseException | None] = []

    def draw(trainer, samples=None, *, lasting=0.0):  # what the panel shows of the samples
        return samples and packed(samples(trainer), "") and None

    def note(*_args, **_kwargs):  # what went wrong in a cell or in showing its result
        errors.append(sys.exc_info()[1])

    monkeypatch.setattr(live_view, "live", draw)
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    monkeypatch.setattr(shell, "showtraceback", note)
    shell.display_formatter.active_types = shell.display_formatter.format_types

    def run(name: str, wrong: str = "", right: str = "") -> dict[str, Any]:
        cells = json.loads((FOLDER / f"{name}.ipynb").read_text())["cells"]
        cells = [cell for cell in cells if cell["cell_type"] == "code"]
        text = "\n".join("".join(cell["source"]) for cell in cells)
        assert not right or text.count(right) == 1
        for cell in cells:
            source = "".join(cell["source"]).replace(*FEWER)
            shell.run_cell(source.replace(right or wrong, wrong)).raise_error()
            if errors:
                raise errors[0]
            if "parameters" in cell["metadata"].get("tags", []):
                shell.user_ns |= SHORT[name] | {"runs": str(tmp_path), "live": "on"}
        return shell.user_ns

    yield run
    InteractiveShell.clear_instance()


@alone
@pytest.mark.parametrize("name", SHORT)
def test_all_of_a_notebook_stays_on_the_device(name, run_notebook, card, tmp_path):  # noqa: F811
    names = run_notebook(name)
    if name not in NOTEBOOKS:
        return
    on_the_card_with_all_that_is_due(names["trainer"], card)
    commands_work(name, names["run"].folder, tmp_path)


def on_the_card_with_all_that_is_due(trainer, card):  # noqa: F811
    """What is due after more steps than these included."""
    assert {p.device for player in trainer.players.values() for p in player.parameters} == {card}
    for _, do in trainer._due:
        do(trainer)


def commands_work(name: str, folder: Path, tmp_path: Path) -> None:
    """What is done with a finished run from the command line."""
    commands = [["export", str(folder), str(tmp_path / "exported")]]
    if name == "05_identity":
        raw, cleaned = (str(folder / "samples" / f"{kind}.npz") for kind in ("raw", "cleaned"))
        commands += [["clean", raw, "--model", str(folder), "--out", cleaned, "--overwrite"]]
        commands += [["diagnose", raw, "--model", str(folder), "--out", str(tmp_path / "diagnosed")]]
    else:
        voice = tmp_path / "voice.wav"
        soundfile.write(voice, np.random.default_rng(0).normal(0, 0.1, 2 * SAMPLE_RATE), SAMPLE_RATE)
        given = ["--speech", str(voice)] if "motion" in name else ["-n", "40"]
        commands += [["sample", str(folder), "--out", str(tmp_path / "sampled"), *given]]
    if name in ("03_schedules", "04_particles_sagan"):
        commands += [["score", str(tmp_path / "sampled" / "images"), str(folder), "-n", "40", "--no-lpips"]]
    for command in commands:
        assert cli.main(command) == 0


PLANTED = {
    "a figure": ('trainer.network("D")(plane)', 'trainer.network("D")(plane.to(run.device))'),
    "a score": ('points.coverage(trainer.ema("G")(z.cpu()),', 'points.coverage(trainer.ema("G")(z),'),
}


@alone
@pytest.mark.parametrize("planted", PLANTED)
def test_a_tensor_of_the_host_planted_in_a_notebook_is_found(planted, run_notebook):
    with pytest.raises(RuntimeError, match=r"same device: .* of the host"):
        run_notebook("00_tour", *PLANTED[planted])


@alone
def test_samples_of_the_host_planted_in_the_scores_of_a_critic_are_found(run_notebook, monkeypatch):
    """The fault of `motion_wgan_gp` that a card showed first: samples stayed where they were."""
    monkeypatch.setattr(critic_metrics, "_place", lambda critic: torch.device("cpu"))
    with pytest.raises(RuntimeError, match=r"same device: .* of the host"):
        run_notebook("02_motion_wgan_gp")


def held_on_the_host(trainer):
    factor = torch.ones(())
    return lambda loss, turn: loss * factor


def moved_from_the_host(trainer):
    return lambda loss, turn: loss * torch.ones(()).to(trainer.device)


def logged_on_the_host(trainer):
    return lambda loss, turn: (turn.log(size=loss.detach().cpu()), loss)[1]


@alone
@pytest.mark.parametrize("fault", [held_on_the_host, moved_from_the_host, logged_on_the_host])
def test_a_planted_number_of_the_host_keeps_turns_eager(fault, on_card, tmp_path):
    ends = []
    for how in ("off", "on"):
        trainer = REGIMES["single"](open_run(tmp_path, capture=how))
        player, wrong = trainer.players["model"], fault(trainer)
        player.loss = lambda turn, plain=player.loss, wrong=wrong: wrong(plain(turn), turn)
        trainer.fit(steps=8, quiet=True)
        ends.append(trainer.weights())
    assert str(trainer.captured["model"]).startswith("eager: it copies between the host and the device"), ends
    assert ends[0] == ends[1]


@alone
def test_seeds_that_an_operation_leaves_on_the_host_are_no_planted_numbers(card):  # noqa: F811
    """Fused attention hands its seed to its backward pass as single numbers, on the host outside a capture."""
    tape, x = Tape(), torch.ones(3, device=card)
    seed, add = torch.ones(()), torch.ops.aten.add.Tensor
    tape._fault(add, (x,), {}, [x, seed])
    assert tape._fault(add, (x, seed), {}, [x]) == ""
    assert tape._fault(add, (x, torch.ones(())), {}, [x]).startswith("it copies between the host and the device")


def captured_and_eager(name: str, folder: Path, steps: int = 5, **given: Any) -> dict[str, str]:
    """A notebook's trainer, captured and eager, which end alike; what became of each player's turns."""
    ends = {}
    for how in ("off", "on"):
        trainer = trainer_of(name, runs=str(folder), capture=how, **given)
        trainer._due.clear()
        for _ in range(steps):
            trainer.advance()
        ends[how] = trainer.weights()
    assert ends["on"] == ends["off"]
    return {player: str(captured) for player, captured in trainer.captured.items()}


def captured_preset(name: str, preset: str, folder: Path, **given: Any) -> None:
    """A few small steps of a preset, all of whose kinds of turns are captured."""
    steps = {"02_motion_wgan_gp": 10, "04_particles_sagan": 8}.get(name, 4)  # of G's rare turns, of lazy penalties
    given = presets.preset(name.split("_", 1)[1], preset) | SMALL[name] | given
    states = captured_and_eager(name, folder, steps=steps, **given)
    assert all(re.fullmatch(r"\d graphs?", state) for state in states.values()), states


@alone
@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_a_captured_step_of_a_preset_is_the_eager_one(name, preset, on_card, tmp_path):
    captured_preset(name, preset, tmp_path)


def test_turns_of_a_critic_are_captured(tmp_path):
    assert captured_and_eager("02_motion_wgan_gp", tmp_path)["D"] == "1 graph"


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_gesture_turns_are_captured_in_reduced_precision(precision, tmp_path):
    states = captured_and_eager("01_motion_balance", tmp_path, **SMALL["01_motion_balance"], precision=precision)
    assert states == {"D": "1 graph", "G": "1 graph"}


def host_input(network, x):
    return network(torch.from_numpy(np.zeros((4, 3), np.float32)))


def host_constant(network, x):
    return network(x) * torch.arange(4.0)[:, None]


def host_part(network, x):
    return torch.cat([network(x), torch.zeros(4, 2)])


def host_index(network, x):
    return torch.zeros(9)[network(x).argmax(1)]


@alone
@pytest.mark.parametrize("fault", [host_input, host_constant, host_part, host_index])
def test_a_planted_tensor_of_the_host_is_found(fault, card):  # noqa: F811
    network, x = nn.Linear(3, 2).to(card), torch.zeros(4, 3, device=card)
    assert network(x).device == card and float(network(x).sum()) == pytest.approx(4 * float(network.bias.sum()))
    with pytest.raises(RuntimeError, match=r"same device: .* of the host"):
        fault(network, x)


@alone
def test_numbers_indices_and_moves_may_meet_it(card):  # noqa: F811
    x = torch.zeros(4, 3, device=card)
    assert (x + 1).device == (x * torch.tensor(2.0)).device == x[torch.tensor([0, 2])].device == card
    assert x.cpu().device.type == "cpu" and x.copy_(torch.ones(4, 3)).sum().item() == 12.0


@alone
def test_a_copy_has_its_own_numbers(card):  # noqa: F811
    network = nn.BatchNorm1d(3).to(card).requires_grad_(False)
    network.tied = network.weight.requires_grad_(True)
    network.register_buffer("part", torch.ones(2, 3, device=card)[1])  # torch's own copy of a view crashes here
    copied = copy.deepcopy(network)
    assert copied.part.tolist() == [1.0] * 3
    assert isinstance(copied.weight, nn.Parameter) and copied.tied is copied.weight and copied.weight.requires_grad
    assert not copied.bias.requires_grad and {t.device for t in copied.state_dict().values()} == {card}
    copied.running_mean += 1
    assert copied.running_mean.tolist() == [1.0] * 3 and network.running_mean.tolist() == [0.0] * 3
    with pytest.raises(RuntimeError, match="created explicitly"):
        copy.deepcopy(network.weight * 2)
