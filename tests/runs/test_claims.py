"""The ledger: verdicts as a pure function, scores that settle only their own claims, and what was not reached."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gannb.metrics.score import Score
from gannb.runs.claims import (
    BEFORE,
    CONTRADICTED,
    INCONCLUSIVE,
    NOT_TESTED,
    PARTLY,
    REPRODUCED,
    RESTATING,
    Claim,
    Ledger,
    _result,
    claims,
    counted,
    holds,
    verdict,
)  # fmt: skip
from gannb.runs.folder import Run
from gannb.runs.locations import documents
from tests.training.regimes import Toy

DOCUMENTS = documents()


@pytest.fixture
def ledger(tmp_path):
    return Ledger(Run.open(Toy(runs=str(tmp_path))), "particles_sagan")


@pytest.mark.parametrize(
    ("value", "expect", "held"),
    [
        (49.9, {"below": 50}, True),
        (50, {"below": 50}, False),
        (50, {"at_most": 50}, True),
        (0.1, {"above": 0.1}, False),
        (0.1, {"at_least": 0.1}, True),
        (0.5, {"between": [0.5, 0.8]}, True),
        (0.81, {"between": [0.5, 0.8]}, False),
        (0.54, {"equals": 0.5, "within": 0.05}, True),
        (0.56, {"equals": 0.5, "within": 0.05}, False),
        (74, {"equals": 74}, True),
        (True, {"holds": True}, True),
        (False, {"holds": True}, False),
        (float("nan"), {"below": 50}, False),
    ],
)
def test_what_holds(value, expect, held):
    assert holds(value, expect) is held


@given(st.lists(st.floats(-10, 10), max_size=5))
def test_all_some_none(values):
    held = [value < 0 for value in values]
    wanted = NOT_TESTED if not held else REPRODUCED if all(held) else PARTLY if any(held) else CONTRADICTED
    assert verdict(values, {"below": 0}) == wanted


@pytest.mark.parametrize(("value", "wanted"), [(45.0, REPRODUCED), (49.0, INCONCLUSIVE), (53.0, CONTRADICTED)])
def test_a_score_whose_errors_straddle_the_bound_is_inconclusive(ledger, value, wanted):
    assert ledger.check("P1.goal", Score("fid_500_all", value, error=1.0)).verdict == wanted


@pytest.mark.parametrize(
    ("interval", "wanted"),
    [((1.0, 2.0), REPRODUCED), ((1.0, 4.0), INCONCLUSIVE), ((-9.0, 9.0), INCONCLUSIVE), ((4.0, 9.0), CONTRADICTED)],
)
@pytest.mark.parametrize("expect", [{"between": [0, 3]}, {"equals": 1.5, "within": 1.5}])
def test_an_interval_around_all_that_is_expected_contradicts_nothing(interval, wanted, expect):
    assert verdict([interval[1]], expect, interval) == wanted


def test_an_interval_goes_before_errors_and_is_shown(ledger):
    entry = ledger.check("P1.goal", Score("fid_500_all", 45.0, error=1.0, interval=(40.0, 55.0)))
    assert (entry.verdict, entry.measured, entry.value) == (INCONCLUSIVE, "45.0 [40.0, 55.0]", 45.0)
    assert ledger.check("P1.goal", Score("fid_500_all", 49.5, error=1.0, interval=(49.0, 49.9))).verdict == REPRODUCED


def test_a_faed_never_settles_a_claim_on_fid(ledger):
    assert ledger.check("P1.goal", Score("faed_500_all", 12.0)).verdict == NOT_TESTED
    assert ledger.check("P1.goal", Score("fid_500_all", 42.0)).verdict == REPRODUCED
    assert ledger.check("P1.goal", Score("fid_500_all", 80.0)).verdict == CONTRADICTED
    missing = ledger.check("P1.goal", Score.missing("fid_500_all", "no weights here"))
    assert (missing.verdict, missing.reason) == (NOT_TESTED, "no weights here")


def test_every_claim_is_in_claims_json_with_its_verdict(ledger):
    ledger.check("P3.dx_band", 0.6)
    rows = {row["id"]: row for row in json.loads((ledger.run.folder / "claims.json").read_text())}
    assert rows.keys() == claims("particles_sagan").keys()
    assert rows["P3.dx_band"]["verdict"] == REPRODUCED and rows["P3.dx_band"]["value"] == 0.6
    assert rows["P7.epoch_200"]["verdict"] == NOT_TESTED and "Inception" in rows["P7.epoch_200"]["reason"]


def test_a_misspelt_claim_is_an_error_that_names_the_nearest(ledger):
    with pytest.raises(KeyError, match=r"P3\.dx_band"):
        ledger.check("P3.dx_bend", 0.6)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_claims_are_well_formed(document):
    for claim in claims(document).values():
        assert claim.says and claim.section and 1 <= claim.weight <= 3, claim.id
        assert claim.note if not claim.executable else holds(0.0, claim.expect) in (True, False), claim.id


@pytest.mark.parametrize("document", DOCUMENTS)
def test_nine_of_ten_claims_are_executable(document):
    asked = [claim.executable for claim in claims(document).values()]
    assert sum(asked) >= 0.9 * len(asked)


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_a_falsified_figure_turns_the_verdict(figure, by):
    """Each kind of expectation: the value that met it does not meet the one whose figure was moved past it."""
    for kind, way in (("below", 1), ("at_most", 1), ("above", -1), ("at_least", -1)):
        met = figure - way * by
        assert verdict([met], {kind: figure}) == REPRODUCED
        assert verdict([met], {kind: met - way * by}) == CONTRADICTED
    assert verdict([figure], {"equals": figure, "within": by}) == REPRODUCED
    assert verdict([figure], {"equals": figure + 3 * by, "within": by}) == CONTRADICTED


def test_a_verdict_says_what_it_is_based_on(tmp_path):
    run = Run.open(Toy(runs=str(tmp_path)))
    ledger = Ledger(run, "schedules")
    measured = Score("learned − document", 0.1, interval=(0.05, 0.2), protocol={"seeds": 5})
    before = Score("lstm − learned", 0.1, interval=(0.05, 0.2), protocol={"source": "results/schedules_digits.json"})
    here = ledger.check("S4.better_than_annealed", measured).evidence
    assert here.startswith(f"measured in this run: {run.folder.name}, seed 0, ")
    seeds = "measured before: results/schedules_digits.json, seeds 0, 1, 2, 3, 4"
    assert ledger.check("S11.lstm", before).evidence.startswith(seeds)
    cost = ledger.check("S4.time", 0.1, "results/learned_cost.json")
    assert cost.evidence == f"measured before: {cost.where}" and cost.where.startswith(
        "results/learned_cost.json, seed 0, "
    )
    assert _result("results/schedules_cifar.json").endswith(", hardware not recorded")
    machines = ("x86_64, 2 cores, shared, 1 thread a run", "AMD EPYC, 2 cores, 1 thread")
    named = _result("results/motion_collapse.json").split("; ")
    assert all(any(machine in part for part in named) for machine in machines), "its trials were measured on two"
    assert ledger.check("S4.memory", 0.1, "results/absent.json").where == "results/absent.json"
    assert ledger.check("S7.weights", 9091).evidence == "the document's own numbers"
    assert ledger.missing("S12.transfer", "not trained").evidence == ""
    with pytest.raises(ValueError, match=r"S11\.lstm is decided by a result measured before"):
        ledger.check("S11.lstm", measured)
    rows = {row["id"]: row for row in json.loads((run.folder / "claims.json").read_text())}
    assert (rows["S11.lstm"]["based_on"], rows["S11.lstm"]["source"]) == (BEFORE, "results/schedules_digits.json")
    assert (
        dict(zip(ledger.table().column("claim"), ledger.table().column("evidence")))["S7.weights"]
        == RESTATING["document"]
    )
    assert "1 measured in this run, 3 measured before, 1 the document's own numbers" in ledger.table().note


def test_claims_that_restate_a_constant_are_counted_apart():
    found = [
        ("run", REPRODUCED),
        ("result", PARTLY),
        ("document", REPRODUCED),
        ("document", NOT_TESTED),
        ("code", REPRODUCED),
    ]
    assert counted(found) == (
        "5 claims; 2 to be measured: 1 reproduced, 1 partly; "
        "3 that restate the document's numbers or the code: 2 reproduced, 1 not tested here"
    )


def test_a_claim_decided_by_a_result_names_a_file_that_is_there(root):
    for name in documents():
        for claim in claims(name).values():
            if claim.evidence == "result":
                files = re.findall(r"results/\w+\.json", f"{claim.needs} {claim.note}") or ["results/"]
                assert all((root / file).exists() for file in files), claim.id
            assert claim.executable or not claim.expect, f"{claim.id}: nothing is expected of what no check decides"


def test_unknown_evidence_is_named():
    with pytest.raises(ValueError, match="evidence 'rumour'; allowed: run, result, document, code"):
        Claim("X", "toy", "1", "it works", evidence="rumour")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_ledger_shows_is_text(document):
    """An unquoted section such as 2.1 is a number in YAML, and the report takes such a ledger for damaged."""
    rows = claims(document).values()
    assert [
        row.id for row in rows if not all(isinstance(t, str) for t in (row.id, row.section, row.says, row.note))
    ] == []
