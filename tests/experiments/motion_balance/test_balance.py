import json
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gannb.control.numbers import Numbers
from gannb.experiments.motion_balance.balance import Balance, replay
from gannb.experiments.motion_balance.invariants import Invariants, epoch_line
from gannb.experiments.motion_balance.params import MotionBalance
from gannb.experiments.motion_balance.strategies import INGREDIENTS, LIMITS, MERGED, NUMBERS, STRATEGIES

LEGACY = STRATEGIES["legacy"]
CALM = {"D/loss": 0.4, "G/loss": 0.6, "D/accuracy": 0.7, "G/adversarial": 0.2}
STRONG = {"D/loss": 0.05, "G/loss": 1.2, "D/accuracy": 1.0, "G/adversarial": 0.64}
WINNING = {"D/loss": 0.1, "G/loss": 1.2, "D/accuracy": 1.0, "G/adversarial": 0.6}  # not enough for a skip
G_AHEAD = {"D/loss": 0.4, "G/loss": 0.05, "D/accuracy": 0.5, "G/adversarial": 0.05}


def skips(rows):
    return [row["d_turns"] == 0 for row in rows]


def test_table_of_strategies_is_the_documents():
    assert set(asdict(MERGED)) == {*NUMBERS, *INGREDIENTS}
    assert {f: getattr(MERGED, f) for f in NUMBERS} == {
        "d_strong_below": 0.08,
        "g_weak_above": 0.90,
        "max_skips": 20,
        "g_turns_up": 2,
        "d_lr_factor": 0.8,
        "real_label": 0.90,
        "fake_label": 0.10,
        "label_noise": 0.005,
        "label_offset": 0.02,
    }
    for f in NUMBERS:
        assert getattr(STRATEGIES["baseline_branch"], f) == getattr(MERGED, f)
        assert getattr(STRATEGIES["enhanced_branch"], f) == getattr(LEGACY, f)
    assert [STRATEGIES[n].curriculum for n in STRATEGIES] == [False, False, True, True]


def test_unknown_rules_are_refused():
    with pytest.raises(ValueError, match="literal, repaired"):
        Balance(MERGED, "fixed")


def test_the_skip_threshold_cannot_be_reached_against_a_perfect_d():
    assert MERGED.g_loss_at_perfect_d == pytest.approx(0.64)
    assert MERGED.g_loss_at_perfect_d < MERGED.g_weak_above
    assert MERGED.d_fake_where_skip_fires == pytest.approx(-0.0487, abs=1e-4)
    perfect = {"D/loss": 0.0, "G/loss": 0.64, "G/adversarial": 0.64, "D/accuracy": 1.0}
    assert not any(skips(replay(Balance(MERGED, "literal"), [perfect] * 50)))
    assert any(skips(replay(Balance(MERGED, "repaired"), [perfect] * 50)))


def test_literal_rule_fires_when_fed_the_weighted_total():
    total = {"D/loss": 0.05, "G/loss": 1.5, "G/adversarial": 0.3, "D/accuracy": 0.6}
    assert any(skips(replay(Balance(MERGED, "literal"), [total] * 5)))
    assert not any(skips(replay(Balance(MERGED, "repaired"), [total] * 5)))


def test_the_21st_step_is_forced_and_repaired_starts_counting_again():
    rows = replay(Balance(MERGED, "repaired", check_every=10**9), [STRONG] * 100)
    assert skips(rows) == [False] + ([True] * 20 + [False]) * 4 + [True] * 15
    assert max(row["consecutive_skips"] for row in rows) == 20
    assert rows[21]["action"] == "forced"


def test_literal_pseudo_code_never_skips_again_after_the_allowance():
    trace = [STRONG] * 12 + [CALM] * 30 + [STRONG] * 60
    rows = replay(Balance(MERGED, "literal", check_every=10**9), trace)
    assert sum(skips(rows)) == 20
    assert not any(skips(rows)[70:])


def test_the_documents_log_does_not_throttle():
    # D 0.3215, G 0.5123: the ratio is 0.628 and D is above 0.2, so "D too strong" is an illustration (M7).
    rows = replay(Balance(MERGED), [{"D/loss": 0.3215, "G/loss": 0.5123}] * 401)
    assert {row["action"] for row in rows} == {""}


def test_throttle_moves_turns_and_rates_together_every_200_steps():
    rows = replay(Balance(MERGED), [{"D/loss": 0.15, "G/loss": 0.4}] * 401)
    moved = [row["step"] for row in rows if row["action"]]
    assert moved == [200, 400]
    assert (rows[200]["g_turns"], rows[200]["d_turns"]) == (6, 1)
    # The rates of the document's log follow from bases of 5e-6 (M8).
    assert 5e-6 * rows[200]["lr_g_scale"] == pytest.approx(5.50e-6)
    assert 5e-6 * rows[200]["lr_d_scale"] == pytest.approx(4.00e-6)


def test_legacy_steps_are_smaller():
    row = replay(Balance(LEGACY), [{"D/loss": 0.15, "G/loss": 0.4}] * 201)[-1]
    assert (row["g_turns"], row["lr_d_scale"]) == (5, pytest.approx(0.9))


def test_eleven_triggers_reach_the_floor_of_d_and_there_is_no_way_back():
    low, calm = [{"D/loss": 0.15, "G/loss": 0.4}], [{"D/loss": 0.4, "G/loss": 0.6}]
    rows = replay(Balance(MERGED, check_every=20), low * 221 + calm * 400)
    assert rows[200]["lr_d_scale"] > 0.1
    assert rows[220]["lr_d_scale"] == 0.1
    assert rows[220]["lr_g_scale"] == 1.5
    assert rows[-1]["lr_d_scale"] == 0.1


def test_repaired_rates_recover_exactly_to_one():
    rows = replay(Balance(MERGED, "repaired", check_every=20), [WINNING] * 61 + [CALM] * 700)
    assert rows[60]["lr_d_scale"] < 1 < rows[60]["lr_g_scale"]
    assert rows[-1]["lr_d_scale"] == 1.0
    assert rows[-1]["lr_g_scale"] == 1.0
    assert "recover" in {row["action"] for row in rows}


def test_repaired_adds_the_opposite_rule():
    rows = replay(Balance(MERGED, "repaired", check_every=20), [G_AHEAD] * 400)
    assert rows[-1]["d_turns"] == LIMITS.max_d_turns
    assert rows[-1]["g_turns"] == 1
    assert rows[-1]["lr_g_scale"] == LIMITS.g_lr_floor
    literal = replay(Balance(MERGED, "literal", check_every=20), [G_AHEAD] * 400)
    assert literal[-1]["d_turns"] == 1


def test_d_at_chance_is_not_too_strong_under_repaired_rules():
    # Half-sum least-squares loss of a D that says 0.5 to everything on labels 0.90/0.10.
    chance = {"D/loss": 0.16, "G/loss": 0.16, "G/adversarial": 0.16, "D/accuracy": 0.5}
    assert {r["action"] for r in replay(Balance(MERGED, "repaired", check_every=20), [chance] * 100)} == {""}
    assert "d_too_strong" in {r["action"] for r in replay(Balance(MERGED, "literal", check_every=20), [chance] * 100)}


def test_a_skipped_d_leaves_no_stale_loss_in_the_average():
    balance = Balance(MERGED, "repaired", check_every=10**9)
    replay(balance, [CALM] * 10 + [STRONG] * 15)
    # Of the strong steps only the first was played: nine calm losses and one strong one.
    assert balance.throttle_rule.mean("d") == pytest.approx((9 * 0.4 + 0.05) / 10)


def test_a_persons_hold_is_where_the_rules_go_on_from():
    balance = Balance(MERGED, check_every=20)
    held = LIMITS.start() | {"lr_d_scale": 0.5, "d_turns": 2}
    for step in range(20):
        balance(step, {"D/loss": 0.15, "G/loss": 0.4}, held)
    move = balance(20, {"D/loss": 0.15, "G/loss": 0.4}, held)
    assert move["lr_d_scale"] == pytest.approx(0.4)
    assert move["d_turns"] == 1


def test_thresholds_that_are_numbers_of_the_run_are_followed():
    balance = Balance(MERGED)
    values = LIMITS.start() | {"d_strong_below": 0.5, "g_weak_above": 0.5}
    seen = {"D/loss": 0.4, "G/loss": 0.6}
    assert balance(1, seen, values)["d_turns"] == 0
    assert Balance(MERGED)(1, seen, LIMITS.start())["d_turns"] == 1


def perfect(real, fake):
    """What a D that meets its labels exactly leaves to be seen."""
    against_g = (real - fake) ** 2
    return {"D/loss": 0.0, "D/accuracy": 1.0, "G/adversarial": against_g, "G/loss": against_g}


class Copied(Balance):
    """The fault as it was: labels are those of the start, whatever a person moves."""

    def _follow(self, values):
        super()._follow({k: v for k, v in values.items() if k not in ("real_label", "fake_label")})


def turns_of_d(rules, **moved):
    """D's turns against a perfect D after a person moved some numbers of a run under repaired rules."""
    p = MotionBalance(rules="repaired")
    numbers = Numbers.of(p).drive(rules(p.balance, p.rules, p.limits))
    assert all(numbers.move(0, name, value, "person").applied for name, value in moved.items())
    labels = numbers.values()
    numbers.advance(1, perfect(labels["real_label"], labels["fake_label"]))
    return numbers["d_turns"].value


def test_the_skip_rule_follows_the_labels_in_force():
    """At 0.7 and 0.1 G's term against a perfect D is 0.36: below 0.9 · 0.64, so a copy of the start is silent."""
    assert turns_of_d(Balance) == turns_of_d(Copied) == 0
    assert turns_of_d(Balance, real_label=0.7) == 0
    assert turns_of_d(Copied, real_label=0.7) == 1, "the planted fault: never skipped again"


@given(st.floats(0.2, 1.0), st.floats(0.0, 0.15))
def test_a_perfect_d_is_skipped_whatever_the_labels(real, fake):
    assert turns_of_d(Balance, real_label=real, fake_label=fake) == 0


def test_the_invariant_of_skips_follows_the_number_in_force():
    check, skipped = Invariants(MERGED), LIMITS.start() | {"d_turns": 0, "max_skips": 2}
    assert [len(check(step, skipped)) for step in range(4)] == [0, 0, 1, 1]


def test_rules_say_what_the_losses_have_to_log():
    with pytest.raises(ValueError, match="accuracy="):
        replay(Balance(MERGED, "repaired"), [{"D/loss": 0.0, "G/loss": 1.0, "G/adversarial": 1.0}] * 3)
    with pytest.raises(ValueError, match="adversarial="):
        replay(Balance(MERGED, "repaired"), [{"D/loss": 0.0, "G/loss": 1.0, "D/accuracy": 1.0}] * 3)


losses = st.fixed_dictionaries(
    {
        "D/loss": st.floats(0, 1),
        "G/loss": st.floats(0, 3),
        "G/adversarial": st.floats(0, 1),
        "D/accuracy": st.floats(0, 1),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(losses, min_size=30, max_size=80), st.sampled_from(sorted(STRATEGIES)), st.booleans())
def test_invariants_hold_on_any_trace_and_a_resumed_rule_goes_on_the_same(trace, name, repaired):
    def fresh():
        return Balance(STRATEGIES[name], "repaired" if repaired else "literal", check_every=5, window=4)

    rows = replay(fresh(), trace)
    check = Invariants(STRATEGIES[name])
    assert [v for row in rows for v in check(row["step"], row)] == []

    first, second = fresh(), fresh()
    values, seen = LIMITS.start(), {}
    for step, loss in enumerate(trace):
        if step == len(trace) // 2:
            second.load_state_dict(json.loads(json.dumps(first.state_dict())))
            first = second
        values |= first(step, seen, values)
        assert values == {k: rows[step][k] for k in values}
        seen = {k: v for k, v in loss.items() if values["d_turns"] or not k.startswith("D/")}


def test_invariants_name_what_broke():
    start, check = LIMITS.start(), Invariants(LEGACY, steps_per_epoch=10, mixed_from=10)
    assert check(0, start, mixed=False) == []
    assert "lr_d_scale is 0.05" in check(1, start | {"lr_d_scale": 0.05})[0]
    for step in range(2, 7):
        assert check(step, start | {"d_turns": 0}) == []
    assert "6 consecutive skips" in check(7, start | {"d_turns": 0})[0]
    assert "is off, and should be on" in check(100, start, mixed=False)[0]
    assert "is on, and should be off" in check(99, start, mixed=True)[0]


def test_epoch_line_shows_the_documents_columns():
    values = LIMITS.start() | {"detail_weight": 0.3, "physics_weight": 0.5}
    line = epoch_line(10, 500, values, True)
    assert line == "Epoch 10/500 | detail weight 0.300 | physics weight 0.500 | mixed precision on | turns G=4, D=1"
