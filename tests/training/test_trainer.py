"""The loop: what is due when, the best that is kept, copies to look at, and what a run says of itself."""

from __future__ import annotations

import json
import math
import os

import pytest
import safetensors.torch
import torch

from gannb.control.alarms import not_finite
from gannb.runs.folder import RunError
from gannb.training.diversity import Diversity, spread
from gannb.training.trainer import Trainer
from tests.training.regimes import REGIMES, fake, open_run


@pytest.fixture
def trainer(tmp_path):
    return REGIMES["balance"](open_run(tmp_path))  # six steps an epoch


def test_what_is_due_by_steps_and_epochs(trainer):
    seen = {"steps": [], "epochs": []}
    trainer.every(steps=4, do=lambda t: seen["steps"].append(t.step))
    trainer.every(epochs=2, do=lambda t: seen["epochs"].append(t.epoch))
    trainer.fit(epochs=5)
    assert seen == {"steps": [4, 8, 12, 16, 20, 24, 28], "epochs": [2, 4]}


def test_making_a_trainer_writes_nothing_and_it_starts_once(tmp_path):
    run = open_run(tmp_path)
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    trainer = REGIMES["balance"](run)
    assert before == {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    trainer.start().start()
    trainer.fit(steps=1)
    assert [e["step"] for e in run.events("checkpoint")] == [0, 1]
    assert (run.folder / "interventions.yaml").is_file()


def test_a_resumed_trainer_may_be_looked_at_before_it_goes_on(trainer, tmp_path):
    trainer.fit(steps=4)
    again = REGIMES["balance"](open_run(tmp_path, resume=str(trainer.run.folder)))
    assert again.step == 0
    assert again.start().step == 4 and again.weights() == trainer.weights()


def test_a_start_that_fails_is_tried_again(trainer, tmp_path):
    with pytest.raises(RunError, match="branch: no checkpoint"):
        (branch := REGIMES["balance"](open_run(tmp_path, branch="nowhere"))).fit(steps=1)
    with pytest.raises(RunError, match="branch: no checkpoint"):
        branch.fit(steps=1)


def test_an_adaptive_cadence(trainer):
    """As the document scores: often at first, then seldom; here every epoch, from 4 on every third."""
    seen = []
    trainer.every(epochs=lambda epoch: 1 if epoch < 4 else 3, do=lambda t: seen.append(t.epoch))
    trainer.fit(epochs=10)
    assert seen == [1, 2, 3, 6, 9]


def test_what_is_measured_beside_training_is_recorded_at_its_step(trainer):
    trainer.every(steps=5, do=lambda t: {"score": t.step / 2})
    trainer.fit(steps=12)
    assert trainer.run.history["score"].steps.tolist() == [5, 10]
    assert trainer.run.history["score"].values.tolist() == [2.5, 5.0]
    assert trainer.run.history["G/loss"].steps.tolist() == list(range(1, 13))


def test_alarms_hear_scores_too(trainer):
    trainer.alarms = [not_finite()]
    trainer.every(steps=10, do=lambda t: {"score": math.inf})
    trainer.fit(steps=10)
    assert [(e["step"], e["name"]) for e in trainer.run.events("alarm")] == [(10, "not finite")]


def test_the_best_is_kept_with_its_score_and_protocol(trainer):
    scores = {3: 5.0, 6: math.nan, 9: 4.0, 12: 4.5}
    told = []
    trainer.every(steps=3, do=lambda t: told.append(t.keep_best("faed", scores[t.step], {"n": 100})))
    hashes = {}
    trainer.watchers.append(lambda t: hashes.setdefault(t.step, t.ema("G").state_dict()))
    trainer.fit(steps=12)
    assert told == [True, False, True, False]
    folder = trainer.checkpoints.folder
    best = json.loads((folder / "best_faed.json").read_text())
    assert best == {"name": "faed", "value": 4.0, "step": 9, "epoch": 1, "protocol": {"n": 100}}
    kept = safetensors.torch.load_file(folder / "generator_best_faed.safetensors")
    assert all(torch.equal(kept[name], value) for name, value in hashes[9].items())
    best_now = trainer.best_network("G").state_dict()
    assert all(torch.equal(best_now[name], value) for name, value in hashes[9].items())
    assert (folder / "discriminator_best_faed.safetensors").is_file() and trainer.checkpoints.find("best").is_file()


def test_a_first_score_that_is_nan_does_not_block_the_best(trainer):
    assert not trainer.keep_best("fid", math.nan)
    assert trainer.keep_best("fid", 1e9)


def test_a_resumed_run_never_starts_before_its_best(trainer, tmp_path):
    trainer.checkpoint_every = 0
    trainer.every(steps=7, do=lambda t: t.keep_best("fid", -t.step) and None)
    trainer.fit(steps=8)
    assert [step for step, _ in trainer.checkpoints.by_step()] == [8, 7]
    assert REGIMES["balance"](open_run(tmp_path, resume=str(trainer.run.folder))).start().best["step"] == 7


def test_a_checkpoint_of_the_best_forgets_nothing_that_was_due_at_its_step(trainer, tmp_path):
    """Scores are recorded, and what is due after the score has been done, before the checkpoint is written."""
    done = []
    trainer.every(steps=7, do=lambda t: {"score": float(t.keep_best("fid", -t.step))})
    trainer.every(steps=7, do=lambda t: done.append(len(t.checkpoints.by_step())))
    trainer.checkpoint_every = 0
    trainer.fit(steps=7)
    assert done == [1], "only that of the start"
    assert trainer.run.history["score"].steps.tolist() == [7]


def test_copies_are_in_eval_mode_frozen_and_of_their_own(trainer):
    trainer.fit(steps=3)
    before = trainer.weights()
    for copy in (trainer.network("G"), trainer.ema("G"), trainer.ema("D")):
        assert not copy.training and not any(p.requires_grad for p in copy.parameters())
        with torch.no_grad():
            next(copy.parameters()).fill_(7.0)
    assert trainer.weights() == before
    assert not torch.equal(next(trainer.ema("G").parameters()), next(trainer.network("G").parameters()))


def test_a_summary_of_the_run(trainer):
    trainer.fit(steps=9)
    summary = trainer.finish()
    assert summary == json.loads((trainer.run.folder / "summary.json").read_text())
    assert summary["steps"] == 9 and summary["epochs"] == 1 and summary["weights_sha256"] == trainer.weights()
    assert summary["seconds"] > 0 and summary["peak_memory_bytes"] > 0 and summary["metrics"] == {}
    assert 0 < trainer.processor_seconds <= 1.1 * trainer.seconds * (os.cpu_count() or 1)


def test_what_it_cost_is_carried_by_a_checkpoint(trainer, tmp_path):
    trainer.fit(steps=6)
    other = REGIMES["balance"](open_run(tmp_path / "other"))
    other.load(trainer.save())
    assert (other.seconds, other.processor_seconds) == (trainer.seconds, trainer.processor_seconds)


def test_fit_says_how_far_it_is_without_a_time(trainer, capsys):
    trainer.fit(steps=8)
    trainer.fit(steps=8)
    out = capsys.readouterr().out
    assert out == (
        "step 2 of 8 (epoch 0.3333)\nstep 4 of 8 (epoch 0.6667)\nstep 6 of 8 (epoch 1)\nstep 8 of 8 (epoch 1.333)\n"
        "done at step 8 (epoch 1)\ndone at step 8 (epoch 1)\n"
    )


def test_a_quiet_fit_says_nothing(trainer, capsys):
    trainer.fit(steps=8, quiet=True)
    assert trainer.step == 8 and capsys.readouterr().out == ""


def test_names_of_their_own(tmp_path, trainer):
    D = trainer.players["D"]
    with pytest.raises(ValueError, match="players need names of their own; given twice: D"):
        Trainer([D, D], trainer.batches, trainer.numbers, open_run(tmp_path))
    with pytest.raises(ValueError, match="alarms need names of their own; given twice: not finite"):
        Trainer([D], trainer.batches, trainer.numbers, open_run(tmp_path), alarms=[not_finite(), not_finite()])


def test_diversity_is_of_a_fixed_latent_batch_and_changes_nothing(trainer):
    look = Diversity(fake)
    trainer.fit(steps=2)
    before = trainer.weights()
    first, second = look(trainer), look(trainer)
    assert first == second and first["G/diversity"] > 0
    assert trainer.weights() == before
    with torch.no_grad():
        trainer.players["G"].module[0].weight.zero_()  # the latent reaches nothing any more
    assert look(trainer)["G/diversity"] == pytest.approx(0, abs=1e-6)


def test_spread_in_closed_form():
    assert float(spread(torch.ones(4, 3, 2, 2))) == 0
    assert float(spread(torch.tensor([[0.0, 0.0], [2.0, 4.0]]))) == pytest.approx(math.sqrt((1 + 4) / 2))
