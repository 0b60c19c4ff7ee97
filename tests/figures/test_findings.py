"""Findings: every declared one is drawn from its file, and its table says what an interval allows to conclude."""

from dataclasses import replace

import pytest

from gannb.comparison.results import numbers
from gannb.comparison.trials import Comparison
from gannb.figures import findings
from gannb.figures.findings import Finding, finding


@pytest.fixture
def measured(monkeypatch):
    """A planted result: `a` below `b` by about 2 with six seeds, `c` as `b`."""
    trials = [numbers("a", seed, loss=1.0 + 0.1 * (seed % 3)) for seed in range(6)]
    trials += [numbers("b", seed, loss=3.0 + 0.1 * (seed % 2)) for seed in range(6)]
    trials += [numbers("c", seed, loss=3.0 + 0.1 * ((seed + 1) % 2)) for seed in range(6)]
    monkeypatch.setattr(findings, "result", lambda name: Comparison(trials, "loss", "low"))
    return Finding("toy", "Which?", "toy", "loss", {"a": "first", "b": "second", "c": "third"}, [["a", "b"]])


def shown(one: Finding) -> list[str]:
    """What each comparison shows."""
    return one.table().column("what it shows")


def test_the_table_says_what_the_interval_allows(measured):
    ((compared, score, difference, says),) = replace(measured, axis="loss (lower is better)").table().rows
    assert (compared, score, says) == ("First against second", "loss", "in favour of first")
    assert difference == measured.differences()[0].ranged(signed=True) and difference.startswith("-")
    assert shown(replace(measured, better="high")) == ["in favour of second"], "the direction is the declared one"
    (null,) = shown(replace(measured, compare=[["b", "c"]]))
    assert null == "no difference is shown; 6 seeds with this spread would detect a difference of 0.16 with 80 % power"
    assert replace(measured, note="Small.").table().note == "Small."


def test_few_seeds_decide_nothing(measured, monkeypatch):
    few = [trial for trial in measured.measured if trial.seed < 3]
    monkeypatch.setattr(findings, "result", lambda name: Comparison(few, "loss", "low"))
    assert "too few seeds" in shown(replace(measured))[0]
    assert "too few seeds" in shown(replace(measured, compare=[["b", "c"]]))[0], "nor do they show no difference"
    monkeypatch.setattr(findings, "result", lambda name: Comparison([t for t in few if t.seed == 0], "loss", "low"))
    ((*_, difference, says),) = replace(measured).table().rows
    assert difference is None and "undecided, a spread needs 2 seeds" in says


def test_the_figure_has_every_seed_the_mean_and_the_interval(measured):
    dots, mean = measured.figure().data[:2]
    assert list(dots.x) == [1.0, 1.1, 1.2, 1.0, 1.1, 1.2] and set(dots.y) == {"first"}
    over = measured.measured.over_seeds("a")
    assert mean.x[0] == pytest.approx(1.1)
    assert mean.x[0] + mean.error_x.array[0] == pytest.approx(over.interval[1])
    assert mean.x[0] - mean.error_x.arrayminus[0] == pytest.approx(over.interval[0])


def test_a_variant_that_was_not_measured_is_named(measured):
    with pytest.raises(ValueError, match=r"results/toy\.json has no loss of d$"):
        replace(measured, variants={"d": "fourth"})
    with pytest.raises(ValueError, match=r"results/toy\.json has no lips of a, b$"):
        replace(measured, variants={}, score="lips")
    with pytest.raises(LookupError, match="compare_runs declares no finding"):
        finding("compare_runs")


def test_a_file_of_results_that_is_not_here_is_named_and_the_rest_is_drawn(measured, monkeypatch):
    kept = measured.measured
    monkeypatch.setattr(findings, "result", lambda name: Comparison() if name == "gone" else kept)
    more = {"axis": "loss", "variants": {"x": "fourth"}, "compare": [["x", "y"]]}
    part = replace(measured, also=[{"result": "gone"} | more])
    drawn = part.figure()
    assert "no results/gone.json" in drawn.layout.title.text and len(drawn.data) == 6
    another = replace(measured, also=[{"result": "gone"} | more | {"axis": "time"}])
    assert "gone" not in another.figure().layout.title.text, "what a figure would not draw is not missed in it"
    assert [shows.partition(",")[0] for shows in shown(part)] == ["in favour of first", "undecided"]
    monkeypatch.setattr(findings, "result", lambda name: kept if name == "gone" else Comparison())
    nothing = replace(measured, beside="gone").figure(answered=True)
    assert "no results/toy.json" in nothing.layout.title.text and not nothing.data
    assert "gone" not in nothing.layout.title.text


CONCLUSIONS = {
    "identity": ["repaired", "centred", "centred, abstaining at 1 %"],
    "motion_balance": ["", "", "merged-norm", "", ""],
    "motion_wgan_gp": ["WGAN-GP", "", ""],
    "particles_sagan": ["resized", "", ""],
    "schedules": ["constant-middle", "constant-middle", ""],
    "tour": ["", "noise=0.1"],
}
"""In whose favour each comparison is, for which the answers were written."""


@pytest.mark.parametrize("one", findings.findings(), ids=lambda one: one.name)
def test_every_declared_finding_is_drawn_from_its_file(one):
    assert len(one.figure().data) == 2 * sum(len(part.variants) for part in one.parts if part.axis == one.axis)
    assert all(difference.available for part in one.parts for difference in part.differences()), one.name


@pytest.mark.parametrize("one", findings.findings(), ids=lambda one: one.name)
def test_the_answer_was_written_for_these_conclusions(one):
    favoured = []
    for part, pair, found in one.comparisons():
        said = part.conclusion(pair, found)
        favoured.append(next((name for name in pair if said == f"in favour of {part.variants[name]}"), ""))
    assert favoured == CONCLUSIONS[one.name], "read `answer` in finding.yaml again, and the READMEs, then change this"
    assert one.answer


def test_a_finding_without_its_result_is_left_out(monkeypatch):
    monkeypatch.setattr(findings, "result", lambda name: Comparison((), "loss", "low"))
    assert findings.findings() == []


def test_variants_of_two_files_are_compared(measured, monkeypatch):
    files = {"toy": [t for t in measured.measured if t.variant != "b"]}
    files["more"] = [t for t in measured.measured if t.variant == "b"]
    monkeypatch.setattr(findings, "result", lambda name: Comparison(files.get(name, ()), "loss", "low"))
    assert replace(measured, beside="more").table() == measured.table()
    assert len(replace(measured, beside="not measured").measured) == 0, "it is left out as a whole"


def test_in_a_notebook_the_figure_says_the_answer_too(measured):
    answered = replace(measured, answer="The first.")
    assert "The first." not in answered.figure().layout.title.text
    bundle = answered._repr_mimebundle_()
    assert "The first." in bundle["application/vnd.plotly.v1+json"]["layout"]["title"]["text"]
    assert bundle["text/plain"] == "Which? The first."


def test_a_second_result_gets_a_row_and_shares_the_figure_of_its_axis(measured):
    other = {"result": "toy", "variants": {"a": "first", "c": "third"}, "compare": [["c", "a"]], "at": "at equal time"}
    both = replace(measured, also=[other | {"axis": measured.axis}])
    assert shown(both) == ["in favour of first"] * 2
    assert both.table().column("compared") == ["First against second", "Third against first, at equal time"]
    rows = [trace.y[0] for trace in both.figure().data[1::2]]
    assert rows == ["first", "second", "third", "first<br>at equal time", "third<br>at equal time"]
    apart = replace(measured, also=[other | {"axis": "time (lower is better)"}])
    assert len(apart.figure().data) == 6 and apart.table().column("score")[1] == "time"


def test_a_finding_whose_second_result_is_missing_is_left_out(monkeypatch):
    known = Comparison([numbers(v, fgd_over_floor=1.0) for v in ("WGAN-GP", "least-squares")], "loss", "low")
    monkeypatch.setattr(findings, "result", lambda name: known if name == "motion_regimes" else Comparison())
    assert findings.findings() == []
