"""Alarms that say when a discriminator has ended the learning."""

from gannb.experiments.motion.collapse import collapse_alarms


def rung(which: int, rows: list[dict[str, float]], steps: int = 5) -> list[int]:
    alarm = collapse_alarms(steps=steps)[which]
    return [step for step, row in enumerate(rows) if alarm(step, row)]


def test_a_discriminator_that_is_right_long_enough_rings_once() -> None:
    assert rung(0, [{"D/accuracy": 1.0}] * 12) == [4]
    assert rung(0, [{"D/accuracy": 1.0}] * 4 + [{"D/accuracy": 0.98}] + [{"D/accuracy": 1.0}] * 4) == []


def test_a_skipped_discriminator_neither_rings_nor_begins_anew() -> None:
    assert rung(0, [{"D/accuracy": 1.0}] * 3 + [{"G/loss": 1.0}] * 5 + [{"D/accuracy": 1.0}] * 2) == [9]


def test_motions_that_hardly_differ_ring_at_the_second_look() -> None:
    look, between = {"G/diversity_share": 0.2}, {"G/loss": 1.0}
    assert rung(1, [look, between, between, look]) == [3]
    assert rung(1, [look, {"G/diversity_share": 0.3}, look]) == []


def test_gradients_that_explode_ring_and_an_early_rise_does_not() -> None:
    usual, high = [{"G/grad_norm": 2.0}] * 100, [{"G/grad_norm": 5e3}] * 3
    assert rung(2, [*usual, *high]) == [102]
    assert rung(2, [*usual, *high[:2], *usual]) == []
    assert rung(2, high * 40) == []


def test_a_gradient_norm_that_overflows_rings() -> None:
    assert rung(3, [{"G/grad_norm": float("inf")}] * 19) == []
    assert rung(3, [{"G/grad_norm": float("inf")}] * 20) == [19]
