"""All claims of all documents, and how they stand after the runs that there are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gannb.runs.claims import NOT_REACHED, VERDICTS, claims
from gannb.runs.locations import documents
from gannb.tables import Table

Row = dict[str, Any]
"""A claim as a run's `claims.json` has it."""


@dataclass(frozen=True)
class Standing:
    """A claim and the run that settled it.

    Attributes:
        claim: its row; where no run has it, the claim as the document states it, not reached.
        folder: the run, or None where there is none.
    """

    claim: Row
    folder: Path | None = None

    @property
    def open(self) -> bool:
        """Whether no run has settled it."""
        return self.claim["verdict"] == NOT_REACHED


def standings(folders: Sequence[Path]) -> list[Standing]:
    """Every claim once, by document: settled by the newest run that did.

    Args:
        folders: run folders, oldest first. One whose `claims.json` is damaged counts for nothing here.
    """
    found: dict[tuple[str, str], Standing] = {}
    for document in documents():
        for claim in claims(document).values():
            found[document, claim.id] = Standing(_unmeasured(claim))
    for folder in reversed(folders):
        for row in claims_of(folder):
            address = row["document"], row["id"]
            known = found.get(address)
            if known is None or (known.open and (known.folder is None or row["verdict"] != NOT_REACHED)):
                found[address] = Standing(row, folder)
    return list(found.values())


def claims_of(folder: Path) -> list[Row]:
    """The ledger that a run left; none where it left none, or a damaged one."""
    path = folder / "claims.json"
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    except json.JSONDecodeError:
        return []


def table(standing: Iterable[Standing]) -> Table:
    """A row a document: claims, those that a check can settle, and how many have which verdict."""
    standing = list(standing)
    rows = []
    for document in dict.fromkeys(one.claim["document"] for one in standing):
        own = [one for one in standing if one.claim["document"] == document]
        counts = [sum(one.claim["verdict"] == verdict for one in own) for verdict in VERDICTS]
        rows.append((document, len(own), sum(_executable(one) for one in own), *counts))
    return Table(("document", "claims", "executable", *VERDICTS), rows)


def _executable(one: Standing) -> bool:
    claim = claims(one.claim["document"]).get(one.claim["id"]) if one.claim["document"] in documents() else None
    return claim.executable if claim else True


def _unmeasured(claim: Any) -> Row:
    needs = f"needs {claim.needs}" if claim.needs else "no run here has measured it"
    return {
        "id": claim.id, "document": claim.document, "section": claim.section, "says": claim.says,
        "expect": claim.expect, "weight": claim.weight, "trained": claim.trained, "note": claim.note,
        "verdict": NOT_REACHED, "measured": "", "value": None, "reason": needs if claim.executable else claim.note,
    }  # fmt: skip
