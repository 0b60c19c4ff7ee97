"""A gate: falsify the figures of claims that quick runs settle, and see the verdicts turn.

`pytest -m gate tests/notebooks/test_falsified.py` runs the quick presets, takes what they measured, and moves each
claim's figure to the other side of it in a copy of the claims; kept in `results/falsified_claims.json`. `CLAIMS_OF=DIR`
takes the runs that lie there already, such as those of `make run`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gannb import cli
from gannb.comparison.results import hardware, keep, numbers
from gannb.config.presets import experiments
from gannb.runs import claims as ledger
from gannb.runs import locations
from gannb.runs.folder import Run
from tests.training.regimes import Toy

AT_LEAST = 20


def settled() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every claim that a quick run settled by a number or a truth value: its document, and the entry."""
    for name in experiments():
        if not locations.claims_file(name).is_file():
            continue
        made = os.environ.get("CLAIMS_OF", "")
        assert made or cli.main(["run", name]) == cli.DONE
        newest = locations.folders(made, name)[-1] / "claims.json"
        for entry in json.loads(newest.read_text()):
            if entry["verdict"] in (ledger.REPRODUCED, ledger.CONTRADICTED) and isinstance(entry["value"], int | float):
                yield name, entry


def falsified(value: float, expect: dict[str, Any]) -> dict[str, Any]:
    """An expectation of the same kind, on whose other side the value lies."""
    held = ledger.holds(value, expect)
    beyond = max(1.0, abs(value))
    match expect:
        case {"holds": wanted}:
            return {"holds": not wanted}
        case {"equals": _, "within": tolerance}:
            return {"equals": value + 1 + 3 * tolerance if held else value, "within": tolerance}
        case {"equals": _}:
            return {"equals": value + 1 if held else value}
        case {"between": _}:
            return {"between": [value + beyond, value + 2 * beyond] if held else [value - beyond, value + beyond]}
    (kind,) = expect
    way = 1 if kind in ("below", "at_most") else -1
    return {kind: value - way * beyond if held else value + way * beyond}


@pytest.mark.gate
@pytest.mark.timeout(3600)
def test_verdicts_follow_the_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANNB_RUNS", str(tmp_path / "runs"))
    rows = []
    for document, entry in settled():
        claims = yaml.safe_load(locations.claims_file(document).read_text(encoding="utf-8"))
        (claim,) = [claim for claim in claims["claims"] if claim["id"] == entry["id"]]
        claim["expect"] = falsified(entry["value"], claim["expect"])
        claim.pop("measure", None)
        folder = tmp_path / f"claims-{len(rows)}"
        (folder / document).mkdir(parents=True)
        (folder / document / "claims.yaml").write_text(yaml.safe_dump(claims, allow_unicode=True), encoding="utf-8")
        with monkeypatch.context() as patch:
            patch.setattr(locations, "EXPERIMENTS", folder)
            ledger.document.cache_clear()
            run = Run.open(Toy(runs=str(tmp_path / f"toy-{len(rows)}")))
            now = ledger.Ledger(run, document).check(entry["id"], entry["value"], entry["source"]).verdict
        ledger.document.cache_clear()
        rows.append({n: entry[n] for n in ("id", "evidence", "value")} | {"was": entry["verdict"], "now": now})
    question = "Does a verdict turn when what a claim expects is moved to the other side of what was measured?"
    trials = []
    for restating, kind in enumerate(("measured", "restating the document's numbers or the code")):
        own = [row for row in rows if (row["evidence"] in ledger.RESTATING) == restating]
        trials.append(numbers(kind, falsified=len(own), turned=sum(row["was"] != row["now"] for row in own)))
    command = "pytest -m gate tests/notebooks/test_falsified.py"
    keep("falsified_claims", trials, question=question, command=command, hardware=hardware(), claims=rows)
    assert len(rows) >= AT_LEAST
    assert [row for row in rows if row["was"] == row["now"]] == []
