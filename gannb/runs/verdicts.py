"""The verdicts on all claims of all documents, by the runs that there are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gannb.runs.claims import BEFORE, NOT_TESTED, RESTATING, THIS_RUN, VERDICTS, claims, expected, untested
from gannb.runs.locations import documents
from gannb.tables import Table

TEXTS = ("id", "document", "section", "says", "verdict", "measured", "reason")
"""What every row of a ledger holds as text."""

RESTATED = "restate the document's numbers or the code"

Row = dict[str, Any]
"""A claim as a run's `claims.json` has it."""


@dataclass(frozen=True)
class Standing:
    """A claim and the run that gives its verdict.

    Attributes:
        claim: its row; where no run has it, the claim as the document states it, not tested.
        folder: the run, or None where there is none.
    """

    claim: Row
    folder: Path | None = None

    @property
    def open(self) -> bool:
        """Whether no run has tested it."""
        return self.claim["verdict"] == NOT_TESTED


def standings(folders: Sequence[Path]) -> list[Standing]:
    """Every claim once, by document, with the verdict of the newest run that tested it.

    Args:
        folders: run folders, oldest first. One whose `claims.json` is damaged counts for nothing here.
    """
    found: dict[tuple[str, str], Standing] = {}
    for document in documents():
        for claim in claims(document).values():
            found[document, claim.id] = Standing(untested(claim, "no run here has measured it").as_dict())
    for folder in reversed(folders):
        for row in claims_of(folder):
            address = row["document"], row["id"]
            known = found.get(address)
            if known is None or (known.open and (known.folder is None or row["verdict"] != NOT_TESTED)):
                found[address] = Standing((known.claim if known else {}) | row, folder)
    return list(found.values())


def claims_of(folder: Path) -> list[Row]:
    """The rows of a run's ledger; none where it has none, or a damaged one."""
    try:
        return read_claims(folder)
    except (OSError, ValueError):
        return []


def read_claims(folder: Path) -> list[Row]:
    """The rows of a run's ledger; none where it has none.

    Raises:
        ValueError: `claims.json` is damaged.
    """
    path = folder / "claims.json"
    if not path.is_file():
        return []
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        for row in rows:
            if not all(isinstance(row[name], str) for name in TEXTS):
                raise TypeError("not text")
            expected(row.get("expect", {}))  # raises where it is none
        return [row if row["verdict"] in VERDICTS else row | {"verdict": NOT_TESTED} for row in rows]  # older words
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"claims.json is no ledger ({error})") from error


def table(standing: Iterable[Standing]) -> Table:
    """One row per document: claims, those that a check can decide, and the verdicts on those that are measured.

    The last columns: claims that restate the document's numbers or the code, whatever their verdict; and what the
    measured verdicts are based on.
    """
    standing = list(standing)
    rows = []
    for document in dict.fromkeys(one.claim["document"] for one in standing):
        own = [one.claim for one in standing if one.claim["document"] == document]
        measured = [claim for claim in own if not restated(claim)]
        counts = [sum(claim["verdict"] == verdict for claim in measured) for verdict in VERDICTS]
        bases = [sum(claim.get("based_on") == kind for claim in measured) for kind in (THIS_RUN, BEFORE)]
        executable = sum(claim.get("executable", True) for claim in own)
        rows.append((document, len(own), executable, *counts, len(own) - len(measured), *bases))
    return Table(("document", "claims", "executable", *VERDICTS, RESTATED, THIS_RUN, BEFORE), rows)


def restated(claim: Row) -> bool:
    """Whether a claim follows from the document's own numbers or restates our code: no measurement decides it."""
    return claim.get("evidence") in RESTATING
