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


def looks(*shares: float) -> list[dict[str, float]]:
    """Rows of shares of the real variety, each with one between that does not tell."""
    return [row for share in shares for row in ({"G/diversity_share": share}, {"G/loss": 1.0})]


def test_motions_that_come_to_differ_hardly_ring_at_the_second_look() -> None:
    assert rung(1, looks(0.9, 0.2, 0.2, 0.2)) == [4]
    assert rung(1, looks(0.9, 0.2, 0.3, 0.2)) == []


def test_motions_that_do_not_differ_yet_are_no_collapse() -> None:
    """On BEAT2 the older strategy begins so: shares of real variety at its first looks."""
    begins = (0.03, 0.02, 0.06, 0.47, 0.74, 1.03)
    assert rung(1, looks(*begins)) == []
    assert rung(1, looks(*begins, 0.1, 0.1)) == [2 * len(begins) + 2]
    assert rung(4, looks(*begins)) == []


def test_motions_that_never_differ_ring_at_the_tenth_look() -> None:
    assert rung(1, looks(*[0.01] * 12)) == []
    assert rung(4, looks(*[0.01] * 12)) == [18]


def test_gradients_that_explode_ring_and_an_early_rise_does_not() -> None:
    usual, high = [{"G/grad_norm": 2.0}] * 100, [{"G/grad_norm": 5e3}] * 3
    assert rung(2, [*usual, *high]) == [102]
    assert rung(2, [*usual, *high[:2], *usual]) == []
    assert rung(2, high * 40) == []


def test_a_gradient_norm_that_overflows_rings() -> None:
    assert rung(3, [{"G/grad_norm": float("inf")}] * 19) == []
    assert rung(3, [{"G/grad_norm": float("inf")}] * 20) == [19]
