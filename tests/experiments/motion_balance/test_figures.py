"""The explorers' figures: what they draw is what the rules and the curriculum do."""

import numpy as np
import pytest

from gannb.experiments.motion.curriculum import Stages
from gannb.experiments.motion_balance.figures import curriculum_figure, replay_figure, replay_table
from gannb.experiments.motion_balance.strategies import STRATEGIES

WINNING = [{"D/loss": 0.01, "G/loss": 0.7, "G/adversarial": 0.62, "D/accuracy": 1.0}] * 60


def line(figure, name: str) -> tuple[np.ndarray, np.ndarray]:
    (found,) = [trace for trace in figure.data if trace.name == name]
    return np.asarray(found.x), np.asarray(found.y)


def test_the_ramps_are_drawn_as_they_are() -> None:
    figure = curriculum_figure(Stages(10, 50))
    x, y = line(figure, "detail, document")
    assert y[x < 10] == pytest.approx(0.15) and y[x >= 50] == pytest.approx(1.0)
    assert y[np.isclose(x, 10)].max() == pytest.approx(0.3)
    x, y = line(figure, "physics, smooth")
    assert np.diff(y).min() >= -1e-6 and y[-1] == pytest.approx(2.0)
    x, y = line(figure, "label offset × 10")
    assert y[0] == pytest.approx(0.2) and y[x >= 10] == pytest.approx(0.0)


def test_a_replay_marks_where_rules_act() -> None:
    names = {trace.name for trace in replay_figure(WINNING, STRATEGIES["merged"], "repaired", check_every=20).data}
    assert {"skip", "G/adversarial", "D/loss", "G's turns", "D's rate ×"} <= names
    literal = {trace.name for trace in replay_figure(WINNING, STRATEGIES["merged"], "literal", check_every=20).data}
    assert "skip" not in literal and "G/loss" in literal and "D too strong" in literal


def test_each_plot_of_a_replay_has_its_own_legend_and_no_colour_twice() -> None:
    figure = replay_figure(WINNING, STRATEGIES["merged"], "repaired", check_every=20)
    legends: dict[str, list[tuple]] = {}
    for trace in figure.data:
        look = (trace.line.color or trace.marker.color, trace.line.dash)
        legends.setdefault(trace.legend or "legend", []).append(look)
    assert {name: len(looks) == len(set(looks)) for name, looks in legends.items()} == {"legend": True, "legend2": True}
    assert {trace.yaxis for trace in figure.data if trace.legend == "legend2"} == {"y2"}
    assert figure.layout.legend2.y == figure.layout.yaxis2.domain[1]
    colours = {trace.name: trace.line.color for trace in figure.data}
    assert colours["D/loss"] == colours["D's turns"] and colours["G/adversarial"] == colours["G's turns"]


def test_the_table_counts_what_was_done() -> None:
    arms = {"literal": (STRATEGIES["merged"], "literal"), "repaired": (STRATEGIES["merged"], "repaired")}
    table = replay_table(WINNING, arms, check_every=20, window=10)
    assert table.column("skipped")[0] == 0 < table.column("skipped")[1]
    assert table.column("longest row")[1] == 20
    assert table.column("G turns")[0] == 8
