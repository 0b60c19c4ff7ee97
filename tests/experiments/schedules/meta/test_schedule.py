"""A controller's gradient is right, it finds schedules that are known to be best, and its runs are reproducible."""

from __future__ import annotations

import shutil

import pytest
import torch
from torch import nn

from gannb.control.commands import Command
from gannb.control.numbers import Numbers
from gannb.experiments.schedules.meta.control_space import Range, State
from gannb.experiments.schedules.meta.controller import LSTMController, MetaController
from gannb.experiments.schedules.meta.evolution import Evolution
from gannb.experiments.schedules.meta.hypergradient import Hypergradient, reach
from gannb.experiments.schedules.meta.policy_gradient import PolicyGradient
from gannb.experiments.schedules.meta.schedule import LearnedSchedule, load_controller, save_controller
from gannb.random import generator, seeded
from tests.experiments.schedules.meta.regressions import STEPS, Problem, build
from tests.experiments.schedules.meta.test_lookahead import build as gan
from tests.training.regimes import POINTS, number, open_run

SEEDS = (0, 1, 2)


pytestmark = pytest.mark.usefixtures("one_thread")


def exact(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


def quality(ahead, weights, now):
    return {"quality": ahead.loss("D", weights, now.replace(noise=exact(0.0)), POINTS[:32].double(), "held out")}


def learned_gan(tmp_path, kind, unroll):
    """A GAN in float64 with smooth activations, spectral norm in eval, and a controller that looks ahead through it."""
    trainer = gan(open_run(tmp_path))
    trainer.fit(steps=5)
    trainer.players["D"].module.eval()
    if unroll > 1:
        trainer.players["G"].module[1] = nn.Identity()  # BatchNorm has no third derivative
    ranges = [Range("noise", 0.05, 1.0), Range("lr", 3e-3, 3e-2)]
    state = State(("loss_d", "progress", "values"), ranges, 20)
    with seeded("controller"):
        controller = kind(state.size, 2).double()
        nn.init.normal_(controller.head.weight, std=0.3)
    estimator = Hypergradient(quality, {"quality": 1.0}, unroll=unroll)
    return LearnedSchedule(controller, ranges, state, steps_per_move=5, estimator=estimator).attach(trainer)


@pytest.mark.parametrize("unroll", [1, 2])
@pytest.mark.parametrize("kind", [MetaController, LSTMController])
def test_the_controllers_gradient_is_that_of_finite_differences(kind, unroll, tmp_path):
    learned = learned_gan(tmp_path, kind, unroll)
    state = torch.tensor([0.7, -0.5, 0.2, -0.4], dtype=torch.float64)
    learned._memory = None if kind is MetaController else tuple(torch.full((1, 32), 0.3).double() for _ in range(2))
    slopes, _ = learned.estimator(learned, state)
    random = generator("ways")
    ways = [torch.randn(w.shape, generator=random, dtype=torch.float64) for w in learned.weights]
    along, h = sum(float((slope * way).sum()) for slope, way in zip(slopes, ways)), 1e-5
    sides = []
    for sign in (1, -1):
        with torch.no_grad():
            [weight.add_(sign * h * way) for weight, way in zip(learned.weights, ways)]
            answer = learned.answer(state)
            [weight.sub_(sign * h * way) for weight, way in zip(learned.weights, ways)]
        sides.append(learned.estimator.loss(learned._ahead, answer)[0].item())
    assert along == pytest.approx((sides[0] - sides[1]) / (2 * h), rel=1e-6)
    assert abs(along) > 1e-5, "a slope of zero would show nothing"


def test_two_steps_through_batch_norm_are_refused_before_training(tmp_path):
    estimator = Hypergradient(quality, {"quality": 1.0}, unroll=2)
    with pytest.raises(ValueError, match="unroll=2: G with BatchNorm"):
        frozen(estimator=estimator).attach(gan(open_run(tmp_path)))


def test_evolution_finds_the_way_of_the_hypergradient(tmp_path):
    learned = learned_gan(tmp_path, MetaController, 1)
    state = torch.tensor([0.7, -0.5, 0.2, -0.4], dtype=torch.float64)
    exactly, _ = learned.estimator(learned, state)
    learned.weights = list(learned.controller.head.parameters())  # 130 of the weights: fewer pairs are enough
    estimator = Evolution(quality, {"quality": 1.0}, pairs=60, spread=1e-3)
    found, _ = estimator(learned, state)
    a, b = (torch.cat([s.flatten() for s in slopes]) for slopes in (exactly[-2:], found))
    assert float(torch.cosine_similarity(a, b, dim=0)) > 0.3  # √(60 / (60 + 130)) = 0.56 is expected


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """(where, seed, variant) → the model's risk, and the mean noise of the run's second half."""
    torch.set_num_threads(1)
    found = {}
    for where, (count, blur, span) in {"scarce": (20, 1.0, (0.1, 0.8)), "plenty": (400, 0.3, (1.0, 0.01))}.items():
        for seed in SEEDS:
            problem = Problem(count, blur, seed)
            for variant in ("fixed", "learned"):
                run = open_run(tmp_path_factory.mktemp("known"), seed=seed)
                trainer = build(run, problem, variant, span)
                path = []
                trainer.every(steps=5, do=lambda trainer, path=path: path.append(trainer.numbers["noise"].value))
                trainer.fit(steps=STEPS)
                weight = trainer.players["model"].module.weight
                found[where, seed, variant] = problem.risk(weight), sum(path[len(path) // 2 :]) / (len(path) // 2)
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_best_is_known(seed):
    grid = torch.linspace(0, 1, 51)
    assert Problem(20, 1.0, seed).best_noise(grid) > 0.5
    assert Problem(400, 0.3, seed).best_noise(grid) < 0.15


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_rises_where_data_is_scarce_and_the_model_is_better(seed, outcomes):
    (plain, start), (better, noise) = outcomes["scarce", seed, "fixed"], outcomes["scarce", seed, "learned"]
    assert start == pytest.approx(0.1) and noise > 2 * start
    assert better < 0.85 * plain


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_falls_where_data_is_plenty_and_the_model_is_better(seed, outcomes):
    (plain, start), (better, noise) = outcomes["plenty", seed, "fixed"], outcomes["plenty", seed, "learned"]
    assert start == pytest.approx(1.0) and noise < 0.3
    assert better < 0.2 * plain


CASES = {
    "mlp": {},
    "lstm": {"kind": LSTMController},
    "evolution": {"method": lambda *given: Evolution(*given, pairs=1)},
    "policy": {"method": PolicyGradient},
    "policy, lstm": {"method": PolicyGradient, "kind": LSTMController},
}


def learner(run, case):
    return build(run, Problem(60, 0.3, 0), "learned", (1.0, 0.01), **CASES[case])


@pytest.mark.parametrize("case", CASES)
def test_resumed_and_replayed_runs_are_bit_equal(case, tmp_path):
    """A person's move, checkpoints at every step, cuts on both sides of updates (every fifth step)."""
    whole, cuts, copies = learner(open_run(tmp_path), case), (0, 5, 6, 14, 15), {}

    def watch(trainer):
        if trainer.step in cuts and trainer.step not in copies:
            trainer.checkpoint()
            copies[trainer.step] = shutil.copytree(trainer.run.folder, tmp_path / "cut" / str(trainer.step))
        if trainer.step == 8 and not trainer.run.events("command"):
            trainer.session.inbox.put(Command("move", "lr", 0.01))

    whole.watchers.append(watch)
    whole.fit(steps=22)
    log = whole.run.folder / "interventions.yaml"
    assert len(moves(whole)) == 4, "the controller must move, or resuming shows nothing"
    for step, folder in copies.items():
        (folder / "interventions.yaml").write_bytes(log.read_bytes())
        again = learner(open_run(tmp_path, resume=str(folder)), case).start()
        assert again.step == step
        again.fit(steps=22)
        assert same(again, whole), f"resumed at {step}"
    replayed = learner(open_run(tmp_path, replay=str(log)), case)
    replayed.fit(steps=22)
    assert same(replayed, whole)


def moves(trainer):
    return [(e["step"], e["new"]) for e in trainer.run.events("move") if e["name"] == "noise"]


def same(one, other):
    return (
        one.weights() == other.weights()
        and one.numbers.state_dict() == other.numbers.state_dict()
        and moves(one) == moves(other)
    )


# ---- the driver ----------------------------------------------------------------------------------------------------


def frozen(**given):
    ranges = [Range("noise", 1.0, 0.01)]
    state = State(("loss_d", "progress"), ranges, 40)
    with seeded("frozen"):
        return LearnedSchedule(MetaController(2, 1, start=[0.9]), ranges, state, steps_per_move=4, **given)


def test_the_first_move_follows_the_first_evidence():
    driver = frozen()
    assert driver(0, {}, {"noise": 1.0}) == {}
    assert driver(4, {}, {"noise": 1.0}) == {}, "an epoch in which D did not play"
    assert driver(7, {"D/loss": 0.5}, {"noise": 1.0}) == {}, "between two epochs"
    (moved,) = driver(8, {"D/loss": 0.6}, {"noise": 1.0}).values()
    assert 0.01 <= moved <= 1.0


def test_it_stays_within_its_range_whatever_its_weights():
    driver = frozen()
    for bias in (-1e4, 1e4):
        nn.init.constant_(driver.controller.head.bias, bias)
        (moved,) = driver(4, {"D/loss": 0.5}, {"noise": 1.0}).values()
        assert moved == pytest.approx(0.01 if bias < 0 else 1.0)
        assert number("noise", 0.5, 0.01, 1.0).fault(moved) is None


def test_a_learner_without_a_trainer_says_what_to_do():
    driver = frozen(estimator=Hypergradient(quality, {"quality": 1.0}), moves_per_update=1)
    with pytest.raises(RuntimeError, match=r"learned\.attach\(trainer\)"):
        driver(4, {"D/loss": 0.5}, {"noise": 1.0})


def test_a_held_number_is_no_part_of_the_update(tmp_path):
    trainer = build(open_run(tmp_path), Problem(60, 0.3, 0), "learned", (1.0, 0.01))
    learned = trainer.numbers.drivers[0]
    trainer.numbers["noise"].held = True
    before = learned.state_dict()["weights"]
    trainer.fit(steps=11)
    assert learned.updates == 0 and learned.state_dict()["weights"] == before
    trainer.numbers["noise"].held = False
    trainer.fit(steps=16)
    assert learned.updates == 1 and learned.state_dict()["weights"] != before


def test_an_update_that_diverged_is_logged_and_not_made(tmp_path):
    trainer = build(open_run(tmp_path), Problem(60, 0.3, 0), "learned", (1.0, 0.01))
    learned = trainer.numbers.drivers[0]
    before = learned.state_dict()["weights"]
    learned.estimator.objective = lambda ahead, weights, now: {"quality": now.noise * float("nan")}
    trainer.fit(steps=6)
    assert learned.logged["meta/skipped"] == 1.0 and learned.state_dict()["weights"] == before


def test_a_saturated_controller_comes_back(tmp_path):
    """The penalty on its logits, without which it would stay at 1: the sigmoid's slope is 2e-9 there."""
    trainer = build(open_run(tmp_path), Problem(60, 0.3, 0), "learned", (1.0, 0.01), rate=0.1)
    learned = trainer.numbers.drivers[0]
    nn.init.constant_(learned.controller.head.bias, 20.0)
    trainer.fit(steps=120)
    assert trainer.numbers["noise"].value < 0.9


def test_another_controllers_weights_are_refused():
    with pytest.raises(ValueError, match="another controller"):
        frozen().load_state_dict(wider().state_dict())


def wider():
    ranges = [Range("noise", 1.0, 0.01)]
    return LearnedSchedule(
        MetaController(2, 1, (8,)), ranges, State(("loss_d", "progress"), ranges, 40), steps_per_move=4
    )


def test_a_saved_controller_answers_as_before(tmp_path):
    learned, other = frozen(), frozen()
    nn.init.normal_(learned.controller.head.weight)
    path = save_controller(learned, tmp_path / "controller.json")
    load_controller(path, other.controller)
    state = torch.tensor([0.3, -0.7])
    assert torch.equal(learned.controller(state)[0], other.controller(state)[0])


def test_what_is_no_controller_is_refused(tmp_path):
    path = save_controller(wider(), tmp_path / "controller.json")
    with pytest.raises(ValueError, match="a MetaController that observes loss_d, progress; its weights do not fit"):
        load_controller(path, frozen().controller)
    path.write_text('{"weights": 3}')
    with pytest.raises(ValueError, match=r"controller\.json holds no controller"):
        load_controller(path, frozen().controller)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_controller(tmp_path / "none.json", frozen().controller)


def test_an_objective_of_the_networks_as_they_stand_reaches_no_controller(tmp_path):
    """Contradictions S1: the document's backward gives nothing, a look-ahead something."""
    trainer = build(open_run(tmp_path), Problem(60, 0.3, 0), "learned", (1.0, 0.01))
    learned = trainer.numbers.drivers[0]
    trainer.fit(steps=2)
    written, ahead = reach(learned.estimator, learned)
    assert written == 0.0 and ahead > 1e-6
    learned.estimator.objective = lambda ahead, weights, now: {"quality": now.noise}  # one that reads the answer itself
    assert reach(learned.estimator, learned)[0] > 0


def test_a_weight_without_its_part_is_refused(tmp_path):
    trainer = build(open_run(tmp_path), Problem(60, 0.3, 0), "learned", (1.0, 0.01))
    trainer.numbers.drivers[0].estimator.weighting["stability"] = 0.1
    with pytest.raises(ValueError, match="no part stability; it has quality"):
        trainer.fit(steps=6)


def test_the_look_ahead_takes_fewer_samples_where_configured(tmp_path):
    trainer = build(open_run(tmp_path), Problem(60, 0.3, 0), "learned", (1.0, 0.01))
    seen, plain = [], trainer.players["model"].loss
    trainer.players["model"].loss = lambda turn: (seen.append((turn.who, len(turn.batch))), plain(turn))[1]
    trainer.numbers.drivers[0].estimator.batch = 7
    trainer.fit(steps=6)
    assert [n for _, n in seen] == [20] * 5 + [7, 256, 20]


def test_numbers_take_it_as_a_driver():
    numbers = Numbers([number("noise", 1.0, 0, 1)]).drive(frozen())
    assert numbers["noise"].driver == "learned" and numbers.reads
