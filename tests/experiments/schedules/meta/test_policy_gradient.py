"""Policy gradient: its slope is REINFORCE's, its reward is what it says, and it finds a schedule known to be best."""

from __future__ import annotations

import pytest
import torch

from gannb.experiments.schedules.meta.control_space import Range, State
from gannb.experiments.schedules.meta.controller import LSTMController, MetaController
from gannb.experiments.schedules.meta.policy_gradient import PolicyGradient
from gannb.experiments.schedules.meta.schedule import LearnedSchedule
from tests.experiments.schedules.meta.regressions import EPOCH, Problem, build
from tests.training.regimes import open_run

SEEDS = (0, 1, 2)
WHERE = {"scarce": (20, 1.0, (0.1, 0.8)), "plenty": (400, 0.3, (1.0, 0.01))}
EPOCHS = 100


pytestmark = pytest.mark.usefixtures("one_thread")


def outcome(folder, where, seed, variant):
    """The model's risk, and the mean noise of the run's second half."""
    count, blur, span = WHERE[where]
    problem = Problem(count, blur, seed)
    method = lambda *given: PolicyGradient(*given, width=1.0)  # noqa: E731
    trainer = build(open_run(folder, seed=seed), problem, variant, span, method=method, epochs=EPOCHS)
    trainer.checkpoint_every, path = 0, []
    trainer.every(steps=EPOCH, do=lambda trainer: path.append(trainer.numbers["noise"].value))
    trainer.fit(steps=EPOCH * EPOCHS)
    return problem.risk(trainer.players["model"].module.weight), sum(path[len(path) // 2 :]) / (len(path) // 2)


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_falls_where_data_is_plenty_and_the_model_is_better(seed, tmp_path):
    (plain, start), (better, noise) = (outcome(tmp_path, "plenty", seed, variant) for variant in ("fixed", "learned"))
    assert start == pytest.approx(1.0) and noise < 0.5
    assert better < 0.4 * plain


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_rises_where_data_is_scarce_and_the_model_is_better(seed, tmp_path):
    (plain, start), (better, noise) = (outcome(tmp_path, "scarce", seed, variant) for variant in ("fixed", "learned"))
    assert start == pytest.approx(0.1) and noise > 1.25 * start
    assert better < 0.95 * plain


# ---- the slope and the reward ------------------------------------------------------------------------------------


def of_parts(*found):
    """An estimator whose objective gives these in turn."""
    left = iter(found)
    return PolicyGradient(
        lambda ahead, weights, now: {k: torch.tensor(v) for k, v in next(left).items()},
        {"quality": 1.0, "stability": 0.5},
        width=0.5,
    )


def attached(tmp_path, estimator, kind=MetaController):
    trainer = build(open_run(tmp_path), Problem(60, 0.3, 0), "fixed", (1.0, 0.01))
    ranges = [Range("noise", 1.0, 0.01)]
    state = State(("loss", "progress"), ranges, 40)
    return LearnedSchedule(kind(2, 1), ranges, state, steps_per_move=1, estimator=estimator, moves_per_update=2).attach(
        trainer
    )


@pytest.mark.parametrize("kind", [MetaController, LSTMController])
def test_the_slope_is_that_of_the_log_probability(kind, tmp_path):
    """−advantage · ∇ mean log N(tried; logits, width²), by finite differences."""
    worse, better = {"quality": 1.0, "stability": 0.0}, {"quality": 0.2, "stability": 0.0}
    estimator = of_parts(worse, worse, better)
    learned = attached(tmp_path, estimator, kind)
    values = {"noise": 1.0, "lr": 0.05}
    for step, loss in enumerate((0.5, 0.7, 0.3, 0.9)):
        learned(2 * step + 1, {"model/loss": loss}, values)
    assert len(learned.explorations) == 4
    explored, state = list(learned.explorations), torch.tensor([0.1, 0.2])
    estimator(learned, state), estimator(learned, state)
    slopes, found = estimator(learned, state)
    assert found["advantage"] == 3.0, "the first reward above none is far above the usual"
    reached = [(learned.controller(t.state, t.memory)[0] + 0.5 * t.noise).detach() for t in explored]

    def unlikely():
        logits = [learned.controller(t.state, t.memory)[0] for t in explored]
        return 3.0 * torch.stack([((r - x) ** 2).sum() / 0.5 for r, x in zip(reached, logits)]).mean()

    expected = torch.autograd.grad(unlikely(), learned.weights)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(slopes, expected))
    assert any(slope.abs().max() > 1e-4 for slope in slopes)


def test_the_reward_is_the_fall_of_quality_less_instability(tmp_path):
    """quality 1 → 0.9 → 0.9 with stability 0, 0, 0.4: rewards 0.1, then −0.2, below the usual."""
    parts = [{"quality": q, "stability": s} for q, s in ((1.0, 0.0), (0.9, 0.0), (0.9, 0.4))]
    estimator = of_parts(*parts)
    learned = attached(tmp_path, estimator)
    learned(1, {"model/loss": 0.5}, {"noise": 1.0, "lr": 0.05})
    state = torch.tensor([0.1, 0.2])
    first, second = estimator(learned, state)[0], estimator(learned, state)[0]
    assert all(not slope.any() for slope in (*first, *second)), "no reward yet, and one that is the usual"
    assert estimator.baseline == pytest.approx([0.1, 0.0])
    assert estimator(learned, state)[1]["advantage"] == pytest.approx(-3.0)
    assert estimator.baseline[0] == pytest.approx(0.1 + 0.1 * (-0.2 - 0.1))


def test_a_held_number_is_not_tried(tmp_path):
    learned = attached(tmp_path, of_parts({"quality": 1.0, "stability": 0.0}))
    learned._ahead.trainer.numbers["noise"].held = True
    learned(1, {"model/loss": 0.5}, {"noise": 1.0, "lr": 0.05})
    assert not learned.explorations[0].noise.any()


def test_what_cannot_be_is_said():
    with pytest.raises(ValueError, match="some quality, > 0"):
        PolicyGradient(lambda *_: {}, {"stability": 1.0})
    with pytest.raises(ValueError, match="width=0"):
        PolicyGradient(lambda *_: {}, {"quality": 1.0}, width=0.0)
