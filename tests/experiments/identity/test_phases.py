"""Two phases: first values, a linear ramp, final values; and the alarm on a score that keeps falling."""

import pytest

from gannb.control.numbers import Numbers
from gannb.experiments.identity.phases import DecreaseAlarm, TwoPhases

LENGTHS = {"phase_epochs": 2, "ramp_epochs": 4}


def phases() -> TwoPhases:
    return TwoPhases({"identity": 5.0, "pose": 0.0}, {"identity": 2.0, "pose": 0.4}, steps_per_epoch=10)


@pytest.mark.parametrize(
    ("step", "identity", "pose"), [(0, 5, 0), (19, 5, 0), (20, 5, 0), (40, 3.5, 0.2), (60, 2, 0.4), (999, 2, 0.4)]
)
def test_weights_by_step(step: int, identity: float, pose: float) -> None:
    assert phases()(step, {}, LENGTHS) == pytest.approx({"identity": identity, "pose": pose})


def test_without_a_ramp_it_is_a_step() -> None:
    lengths = {"phase_epochs": 1, "ramp_epochs": 0}
    assert phases()(9, {}, lengths)["identity"] == 5 and phases()(10, {}, lengths)["identity"] == 2


def test_a_longer_phase_takes_effect_at_once_and_a_held_weight_stays() -> None:
    numbers = Numbers.plain(identity=2.0, pose=0.4, phase_epochs=1, ramp_epochs=0).drive(phases())
    numbers.advance(12, {})
    assert numbers.values()["identity"] == 2
    numbers.move(13, "phase_epochs", 5, "person")
    numbers["pose"].held = True
    numbers.advance(13, {})
    assert numbers.values()["identity"] == 5 and numbers.values()["pose"] == 0.4


def test_bad_phases_are_named() -> None:
    with pytest.raises(ValueError, match="names must be the same"):
        TwoPhases({"a": 1.0}, {"b": 1.0}, steps_per_epoch=1)
    with pytest.raises(ValueError, match="at least 1"):
        TwoPhases({}, {}, steps_per_epoch=0)


def rung(scores: list[float], alarm: DecreaseAlarm) -> list[int]:
    return [step for step, score in enumerate(scores) if alarm(step, {"similarity": score})]


def test_the_alarm_rings_once_at_the_third_fall_in_a_row() -> None:
    assert rung([0.9, 0.8, 0.7, 0.6, 0.5], DecreaseAlarm("similarity")) == [3]
    assert rung([0.9, 0.8, 0.7, 0.75, 0.7, 0.6, 0.5], DecreaseAlarm("similarity")) == [6]
    assert rung([0.1, 0.2, 0.3, 0.4], DecreaseAlarm("similarity")) == []


def test_rows_without_the_score_do_not_count_and_the_state_is_kept() -> None:
    alarm = DecreaseAlarm("similarity", patience=2)
    assert alarm(0, {"similarity": 0.9}) is None and alarm(1, {"loss": 1.0}) is None
    assert alarm(2, {"similarity": 0.8}) is None
    other = DecreaseAlarm("similarity", patience=2)
    other.load_state_dict(alarm.state_dict())
    assert "fell 2 times in a row, to 0.7" in other(3, {"similarity": 0.7})
