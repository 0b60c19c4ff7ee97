"""The diagnostics figure shows what was measured; `gannb diagnose` writes it offline, and says what is wrong."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gannb.experiments.identity import diagnose_command, diagnostics, faces, files
from gannb.experiments.identity.diagnostics import Diagnosis
from gannb.experiments.identity.metrics import YAW_BINS, compare, improvement
from gannb.experiments.identity.synthetic import synthesise


@pytest.fixture(scope="module")
def aimed() -> faces.Faces:
    return synthesise(10, 16, seed=0).with_targets()


@pytest.fixture(scope="module")
def exact(aimed: faces.Faces) -> Diagnosis:
    """The planted subspace taken out of everybody."""
    return Diagnosis.of(aimed.features - aimed.features @ aimed.planted @ aimed.planted.T, aimed, "exact")


def trace(diagnosis: Diagnosis, name: str) -> object:
    return next(one for one in diagnosis.figure().data if one.name == name)


def test_the_bars_are_the_changes_by_yaw(exact: Diagnosis) -> None:
    gains = [float(improvement(exact.comparison, low, high)) for low, high in YAW_BINS]
    assert np.allclose(trace(exact, "change").y, gains, atol=1e-6)
    assert list(trace(exact, "change").x) == ["0-15", "15-30", "30-45", "45-60", "60-75", "75-90"]


def test_the_histogram_holds_every_face_once(exact: Diagnosis) -> None:
    bars = trace(exact, "faces")
    assert sum(bars.y) == len(exact.comparison)
    centre = np.average(bars.x, weights=bars.y)
    assert centre == pytest.approx(exact.comparison.change.mean().item(), abs=0.01)


def test_similarity_before_and_after_are_both_drawn(exact: Diagnosis) -> None:
    part = exact.comparison.within(75, 90)
    assert trace(exact, "before").y[-1] == pytest.approx(part.before.mean().item(), abs=1e-5)
    assert trace(exact, "after").y[-1] == pytest.approx(part.after.mean().item(), abs=1e-5)


def test_harm_is_drawn_where_it_is(aimed: faces.Faces) -> None:
    spoilt = aimed.features.clone()
    spoilt[aimed.yaw < 15] *= -1
    harmed = trace(Diagnosis.of(spoilt, aimed), "harmed")
    assert list(harmed.y) == [1, 0, 0, 0, 0, 0]


def test_a_bin_without_faces_is_left_out(aimed: faces.Faces) -> None:
    frontal = aimed[aimed.yaw < 30]
    assert list(trace(Diagnosis.of(frontal.features, frontal), "change").x) == ["0-15", "15-30"]


def test_the_figure_is_small_readable_on_dark_pages_and_always_the_same(exact: Diagnosis) -> None:
    first, second = exact.figure(), exact.figure()
    assert first.to_json() == second.to_json() and len(first.to_json()) < 12_000
    assert first.layout.template.layout.paper_bgcolor == "rgba(0,0,0,0)"


def test_what_is_saved_opens_offline_and_is_strict_json(exact: Diagnosis, tmp_path: Path) -> None:
    page, data = exact.save(tmp_path / "deep" / "run_diagnosis")
    text = page.read_text()
    assert len(text) > 3_000_000 and 'src="http' not in text  # plotly.js is inside
    stored = json.loads(data.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert stored["metrics"]["improvement"]["value"] == pytest.approx(float(exact.scores.improvement))
    assert next(row["yaw"] for row in stored["by_yaw"]) == "0-15°"


def test_the_score_table_names_what_could_not_be_had(aimed: faces.Faces) -> None:
    table = diagnostics.score_table(Diagnosis.of(aimed.features, replace(aimed, planted=None)).scores)
    assert "removed_energy: these features have no planted subspace" in table.note
    assert table.column("people")[0] == 10 and "removed_energy" not in table.column("score")


def parsed(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    diagnose_command.add_parser(parser.add_subparsers())
    return parser.parse_args(["diagnose", *argv])


def test_diagnose_writes_beside_the_features(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = files.save(tmp_path / "mine.npz", synthesise(6, 12, seed=0))
    assert diagnose_command.main(parsed(str(path))) == 0
    assert (tmp_path / "mine_diagnosis.html").is_file()
    stored = json.loads((tmp_path / "mine_diagnosis.json").read_text())
    assert stored["title"] == "mine.npz, raw" and stored["metrics"]["improvement"]["value"] == 0
    assert "harm_rate" in capsys.readouterr().out


def test_diagnose_says_what_is_wrong_with_a_file(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    data = synthesise(6, 12, seed=0)
    path = files.save(tmp_path / "radians.npz", replace(data, pose=torch.deg2rad(data.pose)))
    assert diagnose_command.main(parsed(str(path))) == 2
    assert "looks like radians" in capsys.readouterr().err
    assert diagnose_command.main(parsed(str(path), "--pose-unit", "radians")) == 0
    assert diagnose_command.main(parsed(str(tmp_path / "absent.npz"))) == 2
    assert diagnose_command.main(parsed(str(path), "--pose-unit", "radians", "--model", "no such run")) == 2
    assert "no run folder 'no such run'" in capsys.readouterr().err


def test_compare_refuses_another_number_of_features(aimed: faces.Faces) -> None:
    with pytest.raises(ValueError, match="cleaned features have shape"):
        compare(aimed.features[:3], aimed)
