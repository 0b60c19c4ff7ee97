"""Captured turns: what is right, what stays eager and why. On a CPU a tape of operations stands in for the graph.

The tape is as blind as a graph: Python is not run at a replay. So a loss that reads what a graph cannot know would end
in other weights here too.
"""

from __future__ import annotations

import itertools
import random
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.amp.grad_scaler import OptState

from gannb.control.commands import Command
from gannb.control.numbers import Numbers
from gannb.control.schedules import Schedule
from gannb.data.batches import Batches
from gannb.random import Draws, generator, seeded
from gannb.training import capture
from gannb.training.capture import MOST, WARM_UP
from gannb.training.graphs import GraphMemory
from gannb.training.guards import Guards
from gannb.training.player import Player
from gannb.training.precision import Precision
from gannb.training.trainer import Trainer
from gannb.training.turn import Turn
from tests.training.regimes import POINTS, REGIMES, graphs_of, number, open_run

STEPS = 30


pytestmark = pytest.mark.usefixtures("one_thread")


def model():
    with seeded(0, "model"):
        return nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.1), nn.GELU(), nn.Linear(8, 2))


def build(folder, loss, capture="on", network=model, schedule=None, precision="fp32"):
    """One player on a toy; `loss` may be a function that makes a loss, or a loss."""
    player = Player("model", network(), loss, lr=lambda now: now.lr, ema=0.9)
    numbers = Numbers([number("weight", 1.0, 0, 10), number("frames", 2, 1, 99), number("lr", 1e-2, 1e-9, 1)])
    if schedule:
        numbers.drive(schedule)
    run = open_run(folder, capture=capture)
    return Trainer([player], Batches(POINTS, 16, seed=0), numbers, run, precision=precision, checkpoint_every=0)


def both(tmp_path, make_loss, prepare=lambda trainer: None, **more):
    """A run that captures, after making sure that it ends where an eager one ends."""
    trainers = []
    for how in ("off", "on"):
        trainer = build(tmp_path, make_loss(), how, **more)
        prepare(trainer)
        trainer.fit(steps=STEPS, quiet=True)
        trainers.append(trainer)
    eager, captured = trainers
    assert captured.weights() == eager.weights()
    lines = [(t.run.folder / "metrics.jsonl").read_text() for t in trainers]
    assert lines[0] == lines[1]
    return captured


def square(output: torch.Tensor, target: torch.Tensor | float) -> torch.Tensor:
    return (output - target).square().mean()


def distance(turn: Turn) -> torch.Tensor:
    noisy = turn.batch + 0.1 * turn.draws.randn("noise", *turn.batch.shape)
    return square(turn.model(noisy), turn.batch) * turn.now.weight


def state(trainer) -> str:
    return str(trainer.captured["model"])


# ---- what is captured --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("regime", REGIMES)
def test_captured_runs_are_bit_equal(regime, tmp_path):
    runs = []
    for how in ("off", "on"):
        trainer = REGIMES[regime](open_run(tmp_path, capture=how))
        trainer.fit(steps=60, quiet=True)
        runs.append((trainer.weights(), (trainer.run.folder / "metrics.jsonl").read_text()))
    assert runs[0] == runs[1]
    assert {name: str(captured) for name, captured in trainer.captured.items()} == graphs_of(regime, trainer)
    assert trainer.run.events("capture") == []


def test_the_loss_is_not_run_at_a_replay(tmp_path, monkeypatch):
    """Or nothing here would show anything."""
    calls, body = [], capture._Graph._body
    monkeypatch.setattr(capture._Graph, "_body", lambda graph: (calls.append(graph), body(graph))[1])
    trainer = build(tmp_path, distance)
    trainer.fit(steps=STEPS, quiet=True)
    assert len(calls) == WARM_UP < STEPS
    assert state(trainer) == "1 graph"


def test_numbers_and_learning_rates_move_between_replays(tmp_path):
    def prepare(trainer):
        trainer.watchers.append(
            lambda t: t.step in (8, 17) and t.session.inbox.put(Command("move", "weight", float(t.step)))
        )

    trainer = both(tmp_path, lambda: distance, prepare, schedule=Schedule("lr", lambda step: 1e-2 / (step + 1)))
    assert state(trainer) == "1 graph" and trainer.numbers["weight"].value == 8.0


def test_plain_and_whole_numbers_that_a_loss_reads_make_a_graph_each(tmp_path):
    def loss(turn):
        factor = 2 if turn.now.plain.weight > 5 else 1
        return factor * distance(turn) / turn.now.frames

    def prepare(trainer):
        trainer.watchers.append(lambda t: t.step == 9 and t.session.inbox.put(Command("move", "weight", 8.0)))
        trainer.watchers.append(lambda t: t.step == 19 and t.session.inbox.put(Command("move", "frames", 3)))

    assert state(both(tmp_path, lambda: loss, prepare)) == "3 graphs"


def test_what_is_due_every_so_many_steps(tmp_path):
    def loss(turn):
        return distance(turn) + (turn.model(turn.batch).square().mean() if turn.due(3) else 0.0)

    assert state(both(tmp_path, lambda: loss)) == "2 graphs"


def test_a_loss_with_other_numbers_in_their_place(tmp_path):
    def loss(turn):
        turn.now = turn.now.replace(weight=turn.now.weight * 0.5)
        return distance(turn)

    def fresh():
        return lambda turn: distance(Turn("model", turn.networks, turn.batch, turn.now.replace(), turn.draws, 0)) * 0.5

    assert state(both(tmp_path, fresh)) == "1 graph"


def test_a_rollback_and_a_load_leave_graphs_valid(tmp_path):
    def prepare(trainer):
        trainer.checkpoint_every = 5
        trainer.watchers.append(lambda t: t.step == 13 and t.session.inbox.put(Command("rollback", "10")))

    assert state(both(tmp_path, lambda: distance, prepare)) == "1 graph"


def test_the_number_of_graphs_is_bounded_and_said_once(tmp_path):
    trainer = both(
        tmp_path,
        lambda: lambda turn: distance(turn) * turn.now.plain.weight,
        schedule=Schedule("weight", lambda step: 1.0 + step / 100),
    )
    expected = f"eager beyond {MOST} graphs: weight changes too often"
    assert state(trainer) == expected
    assert [e["says"] for e in trainer.run.events("capture")] == [expected]
    assert trainer.finish()["captured"] == {"model": expected}


def test_graphs_of_shapes_that_are_past_give_way(tmp_path, monkeypatch):
    """As clips grow: more shapes than a player may have graphs, each for longer than a graph may stand idle."""
    monkeypatch.setattr(capture, "MOST", 2)
    monkeypatch.setattr(capture, "IDLE", 5)
    trainer = both(
        tmp_path,
        lambda: lambda turn: distance(turn) / turn.now.frames,
        schedule=Schedule("frames", lambda step: 1 + step // 6),
    )
    assert trainer.numbers["frames"].value == 5 and state(trainer) == "2 graphs"


class Shapes:
    """Batches of three shapes and layouts, one after the other."""

    def __init__(self, batches):
        self.batches, self.per_epoch, self.digest = batches, batches.per_epoch, batches.digest

    def __getitem__(self, step):
        batch = self.batches[step]
        return (batch, batch[:8], batch.T.contiguous().T)[step % 3]


def test_a_graph_for_each_shape_and_layout_of_a_batch(tmp_path):
    def prepare(trainer):
        trainer.batches = Shapes(trainer.batches)

    assert state(both(tmp_path, lambda: distance, prepare)) == "3 graphs"


@pytest.mark.parametrize("kind", ["bf16", "fp16"])
def test_a_graph_for_each_precision(kind, tmp_path):
    trainer = both(tmp_path, lambda: distance, precision=Precision(kind, from_epoch=2))
    assert state(trainer) == "2 graphs" and 4 * trainer.batches.per_epoch < STEPS


def test_a_capture_that_fails_is_said_once_and_not_tried_again(tmp_path, monkeypatch):
    """CUDA refuses when the scaler has begun its step already: the turn is played eagerly, as all later ones."""
    tried = []

    def refuse(memory, body):
        player = trainers[-1].players["model"]
        player.scaler._per_optimizer_states[id(player.optimiser)]["stage"] = OptState.UNSCALED
        tried.append(body)
        raise RuntimeError("operation not permitted when stream is capturing\nCompile with …")

    def prepare(trainer):
        trainers.append(trainer)
        trainer.graphs.on_cuda = True

    trainers = []
    monkeypatch.setattr(GraphMemory, "capture", refuse)
    monkeypatch.setattr(GraphMemory, "aside", lambda memory, body: body())
    trainer = both(tmp_path, lambda: distance, prepare, precision="fp16")
    assert state(trainer) == "eager: the capture failed: operation not permitted when stream is capturing"
    assert [e["says"] for e in trainer.run.events("capture")] == [state(trainer)] and len(tried) == 1


def test_several_ranks_play_eagerly_and_say_so_once(tmp_path, monkeypatch):
    monkeypatch.setattr(capture, "distributed", SimpleNamespace(ranks=lambda: 2))
    trainer = build(tmp_path, distance)
    trainer.fit(steps=STEPS, quiet=True)
    assert state(trainer) == "eager: several ranks"
    assert [e["says"] for e in trainer.run.events("capture")] == ["eager: several ranks"]


def test_an_off_switch_and_the_cpu(tmp_path):
    for how, says in (("off", "eager: capture is off"), ("auto", "eager: a CPU has nothing to capture")):
        trainer = build(tmp_path, distance, how)
        trainer.fit(steps=5, quiet=True)
        assert state(trainer) == says


# ---- what stays eager, or is right all the same ------------------------------------------------------------------


def reads_the_clock():
    began = time.perf_counter()
    return lambda turn: distance(turn) * (1.0 + 0.0 * (time.perf_counter() - began))


def reads_a_clock_by_name():
    from time import perf_counter

    return lambda turn: distance(turn) + 0.0 * perf_counter()


def imports_a_clock():
    def loss(turn):
        import datetime

        return distance(turn) + 0.0 * datetime.datetime.now().second

    return loss


def draws_from_python():
    return lambda turn: distance(turn) + 0.0 * random.random()


def draws_from_numpy():
    return lambda turn: distance(turn) + 0.0 * float(np.random.rand())


def counts_in_a_closure():
    count = 0

    def loss(turn):
        nonlocal count
        count += 1
        return distance(turn) * (1.0 if count < 20 else 2.0)

    return loss


def counts_in_an_attribute():
    class Loss:
        def __init__(self):
            self.count = 0

        def __call__(self, turn):
            self.count += 1
            return distance(turn) * (1.0 if self.count < 20 else 2.0)

    return Loss()


def counts_in_a_dictionary():
    seen = {"turns": 0}

    def loss(turn):
        seen["turns"] += 1
        return distance(turn) * (1 + seen["turns"] // 20)

    return loss


def goes_on_with_an_iterator():
    counter = itertools.count(1)
    return lambda turn: distance(turn) * (1 if next(counter) < 20 else 2)


def takes_a_fresh_tensor_from_the_host():
    factors = [1.0 + step / 10 for step in range(99)]
    return lambda turn: distance(turn) * torch.tensor(factors[3])


def takes_a_fresh_array_from_the_host():
    return lambda turn: distance(turn) * torch.from_numpy(np.full((), 2.0, np.float32))


def takes_a_buffer_of_the_host():
    return lambda turn: distance(turn) * torch.from_dlpack(np.full((), 2.0, np.float32))


def reads_a_large_array():
    table = np.ones(5000)
    return lambda turn: distance(turn) * float(table[7])


def reads_the_step():
    return lambda turn: distance(turn) * (1.0 if turn.step < 20 else 2.0)


def reads_a_number_back():
    return lambda turn: distance(turn) * (2.0 if float(turn.batch.mean()) > 0 else 1.0)


def has_shapes_that_follow_the_data():
    return lambda turn: square(turn.model(turn.batch)[turn.batch[:, 0] > 0], 0.5)


def draws_from_a_generator_of_its_own():
    return lambda turn: distance(turn) + torch.rand((), generator=generator("own", turn.batch.shape[0]))


def takes_the_draws_generator():
    return lambda turn: distance(turn) + 0.1 * torch.rand(2, generator=turn.draws.generator("own")).sum()


EAGER = {
    reads_the_clock: "it can reach time",
    reads_a_clock_by_name: "it can reach perf_counter",
    imports_a_clock: "it can reach datetime",
    draws_from_python: "it can reach random",
    draws_from_numpy: "it can reach numpy.random",
    counts_in_a_closure: "count changes, which it can reach",
    counts_in_an_attribute: "count changes, which it can reach",
    counts_in_a_dictionary: "an entry ('turns') changes, which it can reach",
    goes_on_with_an_iterator: "it can reach an iterator (count)",
    takes_a_fresh_tensor_from_the_host: "it makes a tensor from numbers of the host",
    takes_a_fresh_array_from_the_host: "it makes a tensor from numbers of the host",
    takes_a_buffer_of_the_host: "it takes in a tensor that is another one at every turn",
    reads_a_large_array: "it can reach an array of 5000 numbers of the host",
    reads_the_step: "it reads turn.step",
    reads_a_number_back: "it reads a number back from the device",
    has_shapes_that_follow_the_data: "its shapes follow its data",
    draws_from_a_generator_of_its_own: "it draws from a generator of its own",
    takes_the_draws_generator: "it takes draws.generator",
}


@pytest.mark.parametrize("plant", EAGER, ids=lambda plant: plant.__name__)
def test_what_a_graph_cannot_know_stays_eager_and_says_why_once(plant, tmp_path):
    trainer = both(tmp_path, plant)
    assert state(trainer).startswith(f"eager: {EAGER[plant]}")
    assert [e["says"] for e in trainer.run.events("capture")] == [state(trainer)]
    assert trainer.finish()["captured"] == {"model": state(trainer)}


TABLE = np.zeros(3)


def weighted(turn: Turn) -> torch.Tensor:
    return distance(turn) * float(TABLE[0] + 1)


def test_a_batch_of_things_that_nobody_can_compare_stays_eager(tmp_path):
    class Held:
        __hash__ = None

        def __init__(self, points):
            self.points = points

    def prepare(trainer):
        plain = trainer.batches
        trainer.batches = SimpleNamespace(per_epoch=plain.per_epoch, digest=plain.digest)
        kind = type("Batches", (SimpleNamespace,), {"__getitem__": lambda self, step: Held(plain[step])})
        trainer.batches = kind(per_epoch=plain.per_epoch, digest=plain.digest)

    trainer = both(tmp_path, lambda: lambda turn: square(turn.model(turn.batch.points), 0.5), prepare)
    assert state(trainer) == "eager: its batch holds a Held"


def at_step(step, do):
    """Have something done between two steps, long after the capture."""
    return lambda trainer: trainer.every(steps=1, do=lambda t: do(t) if t.step == step else None)


def test_a_closure_that_another_cell_changes_is_noticed(tmp_path):
    factor = SimpleNamespace(value=1.0)

    def make_loss():
        factor.value = 1.0
        return lambda turn: distance(turn) * factor.value

    assert state(both(tmp_path, make_loss, at_step(15, lambda t: setattr(factor, "value", 3.0)))) == "1 graph"


def test_a_tensor_that_is_put_in_anothers_place_is_noticed(tmp_path):
    target = {}

    def make_loss():
        target["at"] = torch.zeros(2)
        return lambda turn: square(turn.model(turn.batch), target["at"])

    def prepare(trainer):
        at_step(15, lambda t: target.update(at=torch.ones(2)))(trainer)
        at_step(20, lambda t: target.update(at=target["at"].mul_(2.0)))(trainer)  # in place: a graph reads it anyway

    assert state(both(tmp_path, make_loss, prepare)) == "1 graph"


@pytest.mark.parametrize(
    "change",
    [
        lambda t: TABLE.fill(1.0),
        lambda t: setattr(t.players["model"].module[1], "p", 0.7),
        lambda t: t.players["model"].module.eval() and None,
        lambda t: t.players["model"].optimiser.param_groups[0].update(betas=(0.5, 0.99)),
        lambda t: setattr(t.players["model"], "clip_norm", 0.01),
        lambda t: setattr(t.players["model"], "loss", lambda turn: 2 * distance(turn)),
        lambda t: t.players["model"].module.__setitem__(0, model()[0].requires_grad_(False)),
    ],
    ids=["an array", "dropout", "eval mode", "Adam's betas", "clipping", "another loss", "another layer"],
)
def test_what_is_changed_by_hand_is_noticed(change, tmp_path):
    def make_loss():
        TABLE.fill(0.0)
        return weighted

    assert state(both(tmp_path, make_loss, at_step(15, lambda t: change(t) and None))) == "1 graph"


def test_a_hook_that_keeps_things_is_noticed(tmp_path):
    def hooked():
        network, kept = model(), []
        network[0].register_forward_hook(lambda *call: kept.append(len(kept)))
        return network

    assert "changes, which it can reach" in state(both(tmp_path, lambda: distance, network=hooked))


def test_a_failing_loss_is_no_matter_of_capture(tmp_path):
    with pytest.raises(ZeroDivisionError):
        build(tmp_path, lambda turn: distance(turn) / (0 * turn.batch.ndim)).fit(steps=3, quiet=True)
        build(tmp_path, lambda turn: 1 / 0).fit(steps=3, quiet=True)


# ---- the parts ---------------------------------------------------------------------------------------------------


def test_draws_are_those_of_torch():
    draws = Draws(0, 5, 1)
    address = ("z", 0, 0, 5, 1)
    assert torch.equal(draws.randn("z", 3, 2), torch.randn(3, 2, generator=generator(*address)))
    assert torch.equal(Draws(0, 5, 1).rand("z", 3), torch.rand(3, generator=generator(*address)))
    whole = torch.randint(2, 9, (4,), generator=generator(*address))
    assert torch.equal(Draws(0, 5, 1).randint("z", 4, low=2, high=9), whole)


def test_guards_find_what_was_changed_by_its_name():
    limits, other = {"low": 1, "high": 2.5}, SimpleNamespace(used=1, unused=1)

    def function():
        return limits["low"] + other.used

    guards = Guards(function)
    assert guards.fault == guards.changed() == ""
    other.unused = 2
    limits["high"] = 2.5 + 0.0  # another object of the same value
    assert guards.changed() == ""
    other.used = 2
    assert guards.changed() == "used"
    assert Guards(lambda: time.time()).fault == "it can reach time, whose answer changes from turn to turn"
