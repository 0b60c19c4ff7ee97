"""The document's columns and invariants, watched in a real training of a toy."""

import torch
from torch import nn

from gannb.control.numbers import Numbers
from gannb.data.batches import Batches
from gannb.experiments.motion_balance.balance import Balance
from gannb.experiments.motion_balance.invariants import Invariants
from gannb.experiments.motion_balance.monitor import Monitor, before_and_after, columns, unanswered
from gannb.experiments.motion_balance.params import MotionBalance
from gannb.experiments.motion_balance.strategies import LIMITS, MERGED
from gannb.runs.folder import Run
from gannb.training.player import Player
from gannb.training.trainer import Trainer


def trained(
    tmp_path, steps: int, mixed: float = 0.0, mixed_from: int | None = None, watched: bool = False, **told
) -> Run:
    """A toy whose losses are constants: D far too strong by the literal rule, fed a total of 2."""
    p = MotionBalance(runs=str(tmp_path), compared=[], check_every=6, window=3, **told)
    run = Run.open(p)
    rules = Balance(p.balance, "literal", p.limits, check_every=p.check_every, window=p.window)

    def d_loss(turn):
        return 0.01 + 0 * turn.D.weight.sum()

    def g_loss(turn):
        turn.log(mixed=mixed)
        return 2.0 + 0 * turn.G.weight.sum()

    players = [Player(name, nn.Linear(1, 1), loss, lr=lambda now: 0.0) for name, loss in (("D", d_loss), ("G", g_loss))]
    trainer = Trainer(
        players, Batches(torch.zeros(8, 1), 4, seed=0), Numbers.of(p).drive(rules), run,
        turns=lambda now, step: ["D"] * now.d_turns + ["G"],
    )  # fmt: skip
    trainer.every(steps=1, do=Monitor(rules, Invariants(p.balance, p.limits, 2, mixed_from), epochs=steps // 2))
    trainer.session.live = watched
    trainer.fit(steps=steps)
    return run


def test_columns_status_lines_and_skips_are_recorded(tmp_path, capsys) -> None:
    run = trained(tmp_path, 30)
    assert run.events("invariant") == []
    assert len(run.events("epoch")) == 15
    assert "Epoch 3/15 | detail weight 0.150 | physics weight 0.250" in capsys.readouterr().err
    skips = run.history["D/skips"].values
    assert skips.max() == 20, "the allowance of the literal rule"
    table = columns(run.history, [0, 14, 99], 2)
    assert table.columns[:3] == ("epoch", "recent D", "recent G")
    assert [row[0] for row in table.rows] == [0, 14], "an epoch that was not reached has no row"
    assert unanswered(run.history, 0.08, 0.90) == 8, "steps after the allowance at which D plays on"


def test_where_a_person_watches_the_status_line_does_not_look_like_a_fault(tmp_path, capsys) -> None:
    trained(tmp_path, 4, mixed=0.0, mixed_from=1, watched=True)
    said = capsys.readouterr()
    assert "Epoch 1/2 |" in said.out and "Epoch" not in said.err
    assert "should be on" in said.err, "what is broken stays red"


def test_what_breaks_an_invariant_is_said_as_it_happens(tmp_path, capsys) -> None:
    run = trained(tmp_path, 4, mixed=0.0, mixed_from=1)
    says = [event["says"] for event in run.events("invariant")]
    assert len(says) == 2 and all("mixed precision is off, and should be on" in one for one in says)
    assert "should be on" in capsys.readouterr().err


def test_before_and_after_compares_equal_turns_only(tmp_path) -> None:
    run = Run.open(MotionBalance(runs=str(tmp_path), compared=[]))
    turns = [4, 4, 4, 4, 4, 6, 6]
    run.record(
        [
            {"step": s, "G/turns": float(t), "seconds": 2.0 if s <= 3 else 1.0 if t == 4 else 9.0}
            for s, t in enumerate(turns, 1)
        ]
    )
    assert before_and_after(run.history, "seconds", since=3) == (2.0, 1.0)
    assert before_and_after(run.history, "seconds", since=100) is None
    assert before_and_after(run.history, "memory", since=3) is None


def test_a_limit_that_is_passed_is_named() -> None:
    broken = Invariants(MERGED, LIMITS)(0, {"d_turns": 1, "g_turns": 9, "lr_d_scale": 0.05, "lr_g_scale": 1})
    assert len(broken) == 2 and "g_turns is 9" in broken[0]
