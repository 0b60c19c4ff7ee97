"""How all claims stand: every claim once, by the newest run that settled it."""

import json
from pathlib import Path

from gannb.runs import locations, verdicts
from gannb.runs.claims import CONTRADICTED, NOT_TESTED, REPRODUCED, claims


def row(document: str, claim: str, verdict: str, measured: str = "") -> dict:
    return {"id": claim, "document": document, "section": "§1", "says": "…", "expect": {}, "weight": 1, "trained": True,
            "note": "", "verdict": verdict, "measured": measured, "value": None, "reason": ""}  # fmt: skip


def run(folder: Path, *rows: dict) -> Path:
    folder.mkdir()
    (folder / "claims.json").write_text(json.dumps(rows))
    return folder


def test_without_runs_every_claim_is_there_and_open() -> None:
    found = verdicts.standings([])
    assert {(s.claim["document"], s.claim["id"]) for s in found} == {
        (document, name) for document in locations.documents() for name in claims(document)
    }
    assert all(s.open and s.folder is None and s.claim["reason"] for s in found)


def test_the_newest_run_that_settled_it_counts(tmp_path: Path) -> None:
    document = locations.documents()[0]
    first, second, third = list(claims(document))[:3]
    old = run(tmp_path / "1", row(document, first, REPRODUCED, "1"), row(document, second, NOT_TESTED))
    new = run(tmp_path / "2", row(document, first, NOT_TESTED), row(document, second, CONTRADICTED, "2"))
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / "claims.json").write_text("[{")
    found = {
        s.claim["id"]: s for s in verdicts.standings([old, new, tmp_path / "3"]) if s.claim["document"] == document
    }
    assert (found[first].folder, found[first].claim["measured"]) == (old, "1"), "not reached settles nothing"
    assert (found[second].folder, found[second].claim["verdict"]) == (new, CONTRADICTED)
    assert found[third].open and len(found) == len(claims(document))


def test_a_claim_that_a_document_lost_is_still_shown(tmp_path: Path) -> None:
    found = verdicts.standings([run(tmp_path / "1", row("another", "X1", REPRODUCED))])
    assert any(s.claim["document"] == "another" for s in found)
    table = verdicts.table(found)
    assert table.rows[-1][:4] == ("another", 1, 1, 1)


def test_the_table_adds_up() -> None:
    table = verdicts.table(verdicts.standings([]))
    for document, count, executable, *by_verdict in table.rows:
        assert sum(by_verdict) == count and executable <= count
        restated = [claim for claim in claims(document).values() if claim.evidence in ("document", "code")]
        assert by_verdict[len(verdicts.VERDICTS)] == len(restated)


def test_what_restates_a_constant_is_no_reproduced_claim(tmp_path: Path) -> None:
    own = row("another", "X1", REPRODUCED) | {"evidence": "document", "based_on": "the document's own numbers"}
    measured = row("another", "X2", REPRODUCED) | {"evidence": "run", "based_on": "measured in this run"}
    table = verdicts.table(verdicts.standings([run(tmp_path / "1", own, measured)]))
    assert dict(zip(table.columns, table.rows[-1])) == {
        "document": "another", "claims": 2, "executable": 2, "reproduced": 1, "partly": 0, "inconclusive": 0,
        "contradicted": 0, "not tested here": 0, verdicts.RESTATED: 1, "measured in this run": 1, "measured before": 0,
    }  # fmt: skip
