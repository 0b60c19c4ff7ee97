"""What the document says of its curriculum and rules, worked out; the figures are those of claims M1 to M17."""

import pytest

from gannb.experiments.motion_balance.closed_forms import curriculum_claims, rule_claims, trace_claims
from gannb.runs.claims import claims, verdict


def test_the_curriculum_is_the_formulas_not_the_texts() -> None:
    found = curriculum_claims()
    assert (found["M1.detail_25"], found["M1.physics_25"]) == pytest.approx((0.5625, 1.0625))
    assert (found["M1.when"], found["M3.duration"], found["M3.disjoint"]) == (30, 40, 2)
    assert found["M2.gradual"] == pytest.approx(0.15)
    assert (found["M15.curriculum"], found["M15.mixed"]) == (0.0, 0.0)


def test_the_rules_in_cases_that_can_be_worked_out() -> None:
    found = rule_claims()
    assert found["M4.resets"] == 20 and found["M4.consecutive"] == 20
    assert found["M5.perfect_d"] == pytest.approx(0.64 - 0.90)
    assert found["M5.overshoot"] == pytest.approx(0.9 - 0.9**0.5 - 0.1)
    assert (found["M7.ratio"], found["M7.fires"]) == (pytest.approx(0.628, abs=5e-4), 0.0)
    assert (found["M10.d_falls"], found["M10.reaches_2"], found["M10.repaired_2"]) == (0, 1, 2)
    assert found["M11.triggers"] == 11
    assert found["M11.way_back"] == pytest.approx(0.1) and found["M11.repaired"] == 1.0
    assert (found["table.g_turns"], found["table.g_limit"], found["table.d_rate"]) == (2, 8, pytest.approx(0.8))


def test_a_trace_in_which_d_wins_without_overshooting_is_seen_by_the_repaired_rule_alone() -> None:
    winning = {"D/loss": 0.01, "G/loss": 0.7, "G/adversarial": 0.62, "D/accuracy": 1.0}
    found = trace_claims([winning] * 60)
    assert (found["M5.unweighted"], found["M5.literal"]) == (0, 0)
    assert found["M5.repaired"] > 20
    assert found["M9.one_trigger"] == 0


def test_every_claim_is_stated_and_every_exact_one_worked_out_or_measured_in_the_notebook(root) -> None:
    stated = claims("motion_balance")
    worked_out = {
        **curriculum_claims(),
        **rule_claims(),
        **trace_claims([{"D/loss": 1.0, "G/loss": 1.0, "G/adversarial": 1.0, "D/accuracy": 0.5}] * 3),
    }
    assert worked_out.keys() <= stated.keys()
    notebook = (root / "notebooks" / "01_motion_balance.ipynb").read_text()
    missing = [
        name for name, claim in stated.items() if claim.executable and name not in worked_out and name not in notebook
    ]
    assert missing == []
    assert {name.split(".")[0] for name in stated} >= {f"M{n}" for n in range(1, 21)}
    assert sum(claim.executable for claim in stated.values()) >= 0.9 * len(stated)


@pytest.mark.parametrize(
    ("claim", "expected"),
    [("M1.detail_25", "contradicted"), ("M2.gradual", "contradicted"), ("M4.resets", "contradicted"),
     ("M5.perfect_d", "contradicted"), ("M6.stricter", "contradicted"), ("M7.fires", "contradicted"),
     ("M10.d_falls", "contradicted"), ("M11.way_back", "contradicted"), ("M1.detail_0", "reproduced"),
     ("M4.consecutive", "reproduced"), ("M8.one_base", "reproduced"), ("M11.repaired", "reproduced")],
)  # fmt: skip
def test_verdicts(claim: str, expected: str) -> None:
    value = {**curriculum_claims(), **rule_claims()}[claim]
    assert verdict([value], claims("motion_balance")[claim].expect) == expected
