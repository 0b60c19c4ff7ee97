"""The ledger: every checkable sentence of a document, what was measured of it, and a verdict that nobody types in.

The claims stand in `gannb/experiments/<document>/claims.yaml`, with what they expect;
a notebook hands in measured values.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import yaml

from gannb.runs.files import write_json
from gannb.runs.folder import Run
from gannb.runs.locations import claims_file, documents
from gannb.tables import Table

REPRODUCED, CONTRADICTED, PARTLY, NOT_REACHED = "reproduced", "contradicted", "partly", "not reached here"
VERDICTS = (REPRODUCED, PARTLY, CONTRADICTED, NOT_REACHED)


@dataclass(frozen=True)
class Claim:
    """One checkable sentence.

    Attributes:
        id: such as "P3.dx_band"; its first part is the row of the contradictions it belongs to.
        document, section: where it stands.
        says: our words for it.
        expect: what would reproduce it: one of `below`, `at_most`, `above`, `at_least`, `between: [low, high]`,
            `equals` (with `within`, an absolute tolerance), `holds: true`.
        measure: the score's name that alone can settle it ("fid": a FAED cannot).
        weight: 1 to 3, how much hangs on it.
        trained: whether the measured value comes from training, so that it differs between machines.
        needs: what a run must have for it to be reached ("a GPU", "the document preset"), where that is not plain.
        note: the reading followed, where the document gives two.
        executable: False for a sentence that no check can settle; `note` says why.
    """

    id: str
    document: str
    section: str
    says: str
    expect: dict[str, Any] = field(default_factory=dict)
    measure: str = ""
    weight: int = 1
    trained: bool = True
    needs: str = ""
    note: str = ""
    executable: bool = True


@dataclass(frozen=True)
class Entry:
    """A claim with what was measured of it and the verdict."""

    claim: Claim
    verdict: str
    measured: str = ""
    value: Any = None
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As JSON, for `claims.json`."""
        claim = self.claim
        return {
            "id": claim.id, "document": claim.document, "section": claim.section, "says": claim.says,
            "expect": claim.expect, "weight": claim.weight, "trained": claim.trained, "note": claim.note,
            "verdict": self.verdict, "measured": self.measured, "value": self.value, "reason": self.reason,
        }  # fmt: skip


@cache
def claims(document: str) -> dict[str, Claim]:
    """All claims of a document, by id."""
    path = claims_file(document)
    if not path.is_file():
        there = ", ".join(documents())
        raise LookupError(f"no claims of a document {document!r}; there are: {there}")
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {row["id"]: Claim(document=document, **row) for row in rows}


def holds(value: float, expect: dict[str, Any]) -> bool:
    """Whether a value is what a claim expects."""
    if isinstance(value, float) and not math.isfinite(value):
        return False
    match expect:
        case {"below": bound}:
            return value < bound
        case {"at_most": bound}:
            return value <= bound
        case {"above": bound}:
            return value > bound
        case {"at_least": bound}:
            return value >= bound
        case {"between": [low, high]}:
            return low <= value <= high
        case {"equals": target, "within": tolerance}:
            return abs(value - target) <= tolerance
        case {"equals": target}:
            return value == target
        case {"holds": wanted}:
            return bool(value) is wanted
    raise ValueError(
        f"a claim expects {expect}, which is none of below, at_most, above, at_least, between, equals, holds"
    )


def verdict(values: Sequence[float], expect: dict[str, Any]) -> str:
    """The verdict, a pure function of what was measured: a value with the ends of its interval, or one a seed.

    All values hold: reproduced; none: contradicted; some: partly.
    """
    if not values:
        return NOT_REACHED
    held = [holds(value, expect) for value in values]
    return REPRODUCED if all(held) else PARTLY if any(held) else CONTRADICTED


class Ledger:
    """The claims of one document, as one run settles them. Every check is written to the run's `claims.json`.

    Args:
        run: the run.
        document: whose claims.
    """

    def __init__(self, run: Run, document: str) -> None:
        self.run, self.document = run, document
        self.claims = claims(document)
        self.entries: dict[str, Entry] = {}
        self._write()

    def check(self, claim_id: str, measured: Any) -> Entry:
        """Settle a claim by a measured number, truth value, `Score`, or a sequence of numbers (seeds).

        A score of another name than the claim's `measure`, or one that is unavailable, settles nothing. One whose
        interval (or ± 2 standard errors, where it has none) straddles what is expected settles it partly.
        """
        claim = self[claim_id]
        name, available = getattr(measured, "name", ""), getattr(measured, "available", True)
        if not available:
            return self._enter(Entry(claim, NOT_REACHED, reason=measured.reason))
        if claim.measure and name != claim.measure:
            return self._enter(
                Entry(claim, NOT_REACHED, reason=f"needs {claim.measure}, this run has {name or 'none'}")
            )
        if not isinstance(measured, str) and isinstance(measured, Sequence):
            values = list(measured)
        else:
            values = [measured if isinstance(measured, bool | int) else float(measured)]
        ends, text = _ends(measured), _told(measured) or ", ".join(_text(v) for v in values)
        shown = values if len(values) > 1 else values[0] if values else None
        return self._enter(Entry(claim, verdict([*values, *ends], claim.expect), text, shown))

    def missing(self, claim_id: str, reason: str) -> Entry:
        """Say why a claim could not be settled in this run."""
        return self._enter(Entry(self[claim_id], NOT_REACHED, reason=reason))

    def __getitem__(self, claim_id: str) -> Claim:
        if claim_id not in self.claims:
            near = difflib.get_close_matches(claim_id, self.claims, n=1)
            raise KeyError(
                f"{self.document} has no claim {claim_id!r}" + (f"; did you mean {near[0]!r}?" if near else "")
            )
        return self.claims[claim_id]

    def all(self) -> list[Entry]:
        """One entry a claim: settled here, or not reached with the reason."""
        return [self.entries.get(c.id) or Entry(c, NOT_REACHED, reason=_why_not(c)) for c in self.claims.values()]

    def counts(self) -> dict[str, int]:
        """How many claims have each verdict."""
        found = [entry.verdict for entry in self.all()]
        return {v: found.count(v) for v in VERDICTS}

    def table(self) -> Table:
        """A row a claim."""
        rows = [
            (e.claim.id, e.claim.says, _expected(e.claim.expect), e.measured or e.reason, e.verdict) for e in self.all()
        ]
        note = ", ".join(f"{count} {name}" for name, count in self.counts().items())
        return Table(("claim", "the document says", "expects", "measured", "verdict"), rows, note=note)

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def _enter(self, entry: Entry) -> Entry:
        self.entries[entry.claim.id] = entry
        self._write()
        return entry

    def _write(self) -> None:
        if self.run.writes:
            write_json(self.run.path("claims.json"), [entry.as_dict() for entry in self.all()])


def _why_not(claim: Claim) -> str:
    if not claim.executable:
        return claim.note
    return f"needs {claim.needs}" if claim.needs else "not measured in this run"


def _ends(measured: Any) -> tuple[float, ...]:
    """Where a score may as well lie: its interval, or ± 2 standard errors."""
    if interval := getattr(measured, "interval", None):
        return tuple(interval)
    error = getattr(measured, "error", None)
    return (float(measured) - 2 * error, float(measured) + 2 * error) if error else ()


def _told(measured: Any) -> str | None:
    """A score as text, with what its verdict hangs on."""
    return measured.ranged() if getattr(measured, "interval", None) else getattr(measured, "text", None)


def _text(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else f"{value:.4g}"


def _expected(expect: dict[str, Any]) -> str:
    match expect:
        case {"below": bound}:
            return f"< {bound:g}"
        case {"at_most": bound}:
            return f"≤ {bound:g}"
        case {"above": bound}:
            return f"> {bound:g}"
        case {"at_least": bound}:
            return f"≥ {bound:g}"
        case {"between": [low, high]}:
            return f"{low:g} … {high:g}"
        case {"equals": target, "within": tolerance}:
            return f"{target:g} ± {tolerance:g}"
        case {"equals": target}:
            return f"= {target:g}"
        case {"holds": wanted}:
            return "yes" if wanted else "no"
    return ""
