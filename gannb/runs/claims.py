"""The ledger: every checkable sentence of a document, what was measured of it, and a computed verdict.

The claims, with what they expect, are in `gannb/experiments/<document>/claims.yaml`; a notebook gives measured values.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from gannb.config.presets import HOME
from gannb.config.yaml_files import parse_yaml
from gannb.runs.files import write_json
from gannb.runs.locations import claims_file, documents
from gannb.tables import ShownAsTable, Table, cell_text

if TYPE_CHECKING:
    from gannb.runs.folder import Run

REPRODUCED, PARTLY, INCONCLUSIVE, CONTRADICTED = "reproduced", "partly", "inconclusive", "contradicted"
NOT_TESTED = "not tested here"
VERDICTS = (REPRODUCED, PARTLY, INCONCLUSIVE, CONTRADICTED, NOT_TESTED)

THIS_RUN, BEFORE = "measured in this run", "measured before"
RESTATING = {"document": "the document's own numbers", "code": "code or configuration"}
"""Evidence that no measurement gives → what a verdict is then based on: claims of that kind are counted apart."""
EVIDENCE = (THIS_RUN, BEFORE, *RESTATING.values())
"""What a verdict is based on: a measurement of this run, one of an earlier result, or nothing measured."""


@dataclass(frozen=True)
class Claim:
    """One checkable sentence.

    Attributes:
        id: such as "P3.dx_band"; its first part is the code of a reading, where the document contradicts itself.
        document, section: where it stands.
        says: the claim in our words.
        expect: what reproduces it: one of `below`, `at_most`, `above`, `at_least`, `between: [low, high]`,
            `equals` (with `within`, an absolute tolerance), `holds: true`.
        measure: the only score that gives a verdict ("fid": a FAED does not).
        weight: 1 to 3, how much depends on it.
        trained: whether the measured value comes from training, so that it differs between machines.
        needs: what a run must have to test it ("a GPU", "the document preset"), where that is not plain.
        note: the reading followed, where the document gives two.
        executable: False for a sentence that no check can decide; `note` says why.
        evidence: "run" where a run can measure it, "result" where only a result measured before decides it, "document"
            where it follows from the document's own numbers, "code" where it restates our code or configuration.
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
    evidence: str = "run"

    def __post_init__(self) -> None:
        if self.evidence not in (allowed := ("run", "result", *RESTATING)):
            raise ValueError(f"{self.id}: evidence {self.evidence!r}; allowed: {', '.join(allowed)}")


@dataclass(frozen=True)
class Document:
    """A document and its claims.

    Attributes:
        title: as it stands on the document.
        about: what it describes, in English.
        readings: code → the reading followed where the document contradicts itself or leaves something open, and why.
        claims: all claims, by id.
    """

    title: str
    about: str
    readings: dict[str, str]
    claims: dict[str, Claim]


@dataclass(frozen=True)
class Entry:
    """A claim with its verdict and what was measured.

    Attributes:
        claim: the claim.
        verdict: one of `VERDICTS`.
        measured, value: what was measured, as text and as a number, a truth value or a list.
        reason: why there is no verdict.
        based_on: one of `EVIDENCE`; empty without a verdict.
        source: the file of a result measured before.
        where: by which run or result, with which seeds, on which hardware; empty without a measurement.
    """

    claim: Claim
    verdict: str = NOT_TESTED
    measured: str = ""
    value: Any = None
    reason: str = ""
    based_on: str = ""
    source: str = ""
    where: str = ""

    @property
    def evidence(self) -> str:
        """What the verdict is based on, and where that was measured; empty without a verdict."""
        return f"{self.based_on}: {self.where}" if self.where else self.based_on

    def as_dict(self) -> dict[str, Any]:
        """A row of `claims.json`."""
        return asdict(self.claim) | {name: value for name, value in vars(self).items() if name != "claim"}


@cache
def document(name: str) -> Document:
    """A document and its claims, by the name of the experiment.

    Raises:
        LookupError: there are no claims of that name.
    """
    path = claims_file(name)
    if not path.is_file():
        raise LookupError(f"no claims of a document {name!r}; there are: {', '.join(documents())}")
    read = parse_yaml(path.read_text(encoding="utf-8"))
    read = {"claims": read} if isinstance(read, list) else read
    rows = {row["id"]: Claim(document=name, **row) for row in read["claims"]}
    return Document(read.get("title", name), read.get("about", ""), read.get("readings", {}), rows)


def claims(name: str) -> dict[str, Claim]:
    """All claims of a document, by id."""
    return document(name).claims


def _expectation(expect: dict[str, Any]) -> tuple[Callable[[float], bool], str]:
    """What a claim expects, as a test and as text."""
    match expect:
        case {"below": bound}:
            return lambda value: value < bound, f"< {bound:g}"
        case {"at_most": bound}:
            return lambda value: value <= bound, f"≤ {bound:g}"
        case {"above": bound}:
            return lambda value: value > bound, f"> {bound:g}"
        case {"at_least": bound}:
            return lambda value: value >= bound, f"≥ {bound:g}"
        case {"between": [low, high]}:
            return lambda value: low <= value <= high, f"between {low:g} and {high:g}"
        case {"equals": target, "within": tolerance}:
            return lambda value: abs(value - target) <= tolerance, f"{target:g} ± {tolerance:g}"
        case {"equals": target}:
            return lambda value: value == target, f"= {target:g}"
        case {"holds": wanted}:
            return lambda value: bool(value) is wanted, "yes" if wanted else "no"
    raise ValueError(
        f"a claim expects {expect}, which is none of below, at_most, above, at_least, between, equals, holds"
    )


def holds(value: float, expect: dict[str, Any]) -> bool:
    """Whether a value is what a claim expects; one that is not finite never is."""
    return bool(math.isfinite(value)) and _expectation(expect)[0](value)


def expected(expect: dict[str, Any]) -> str:
    """What a claim expects, as text; empty for one that no check can decide."""
    return _expectation(expect)[1] if expect else ""


def verdict(values: Sequence[float], expect: dict[str, Any], interval: Sequence[float] = ()) -> str:
    """The verdict on a value, or on one value per seed.

    All that is measured holds: reproduced; none of it: contradicted. Else the seeds differ: partly; or an interval lies
    on both sides of what is expected: inconclusive.

    Args:
        values: measured.
        expect: what the claim expects.
        interval: low and high, where there is one.
    """
    if not values:
        return NOT_TESTED
    target = expect.get("equals", sum(expect.get("between", ())) / 2)
    nearest = [min(max(target, interval[0]), interval[1])] if interval else []
    held = [holds(value, expect) for value in (*values, *interval, *nearest)]
    some = INCONCLUSIVE if interval else PARTLY
    return REPRODUCED if all(held) else some if any(held) else CONTRADICTED


def untested(claim: Claim, why: str) -> Entry:
    """A claim without a measurement: what it needs, or else `why`."""
    needs = f"needs {claim.needs}" if claim.needs else why
    return Entry(claim, reason=needs if claim.executable else claim.note)


def counted(found: Sequence[tuple[str, str]]) -> str:
    """How many claims, given by evidence and verdict, have each verdict: those to be measured, then the others."""
    parts = []
    for restating, name in ((False, "to be measured"), (True, "that restate the document's numbers or the code")):
        own = [verdict for evidence, verdict in found if (evidence in RESTATING) is restating]
        verdicts = ", ".join(f"{own.count(verdict)} {verdict}" for verdict in VERDICTS if verdict in own)
        parts += [f"{len(own)} {name}: {verdicts}"] * bool(own)
    return f"{len(found)} claims; " + "; ".join(parts)


class Ledger(ShownAsTable):
    """The claims of one document with the verdicts of one run. Every check is written to the run's `claims.json`.

    Args:
        run: the run.
        document: the document's name.
    """

    def __init__(self, run: Run, document: str) -> None:
        self.run, self.document = run, document
        self.claims = claims(document)
        self.entries: dict[str, Entry] = {}
        self._write()

    def check(self, claim_id: str, measured: Any, source: str = "") -> Entry:
        """Give a verdict by a measured number, truth value, `Score`, or a sequence of numbers (one per seed).

        A score that is unavailable, or of another name than the claim's `measure`, gives none. One whose interval
        (or ± 2 standard errors, where it has none) lies on both sides of what is expected gives "inconclusive".

        Args:
            claim_id: which claim.
            measured: what was measured.
            source: the file of a result measured before, such as "results/learned_cost.json"; by default what the
                score's protocol says, and without one it was measured in this run.

        Raises:
            ValueError: a claim that only an earlier result decides, without its file.
        """
        claim = self[claim_id]
        source = source or getattr(measured, "protocol", {}).get("source", "")
        name, available = getattr(measured, "name", ""), getattr(measured, "available", True)
        if not available:
            return self.missing(claim_id, measured.reason)
        if claim.measure and name != claim.measure:
            return self.missing(claim_id, f"needs {claim.measure}, this run has {name or 'none'}")
        if not isinstance(measured, str) and isinstance(measured, Sequence):
            values = list(measured)
        else:
            values = [measured if isinstance(measured, bool | int) else float(measured)]
        if claim.evidence == "result" and not source:
            raise ValueError(f"{claim_id} is decided by a result measured before: name its file as source")
        based_on = BEFORE if source else RESTATING.get(claim.evidence, THIS_RUN)
        text = _score_text(measured) or ", ".join(cell_text(value) for value in values)
        shown = values if len(values) > 1 else values[0] if values else None
        found = verdict(values, claim.expect, _ends(measured))
        where = _result(source) if source else self._run() if based_on == THIS_RUN else ""
        return self._enter(Entry(claim, found, text, shown, based_on=based_on, source=source, where=where))

    def missing(self, claim_id: str, reason: str) -> Entry:
        """Say why this run gives no verdict on a claim."""
        return self._enter(Entry(self[claim_id], reason=reason))

    def __getitem__(self, claim_id: str) -> Claim:
        if claim_id not in self.claims:
            near = difflib.get_close_matches(claim_id, self.claims, n=1)
            raise KeyError(
                f"{self.document} has no claim {claim_id!r}" + (f"; did you mean {near[0]!r}?" if near else "")
            )
        return self.claims[claim_id]

    def all(self) -> list[Entry]:
        """One entry per claim: with its verdict here, or the reason why there is none."""
        return [self.entries.get(c.id) or untested(c, "not measured in this run") for c in self.claims.values()]

    @property
    def summary(self) -> str:
        """How many claims have each verdict, as text; those that no measurement decides apart."""
        return counted([(entry.claim.evidence, entry.verdict) for entry in self.all()])

    def table(self, only: Sequence[str] = ()) -> Table:
        """One row per claim, or per claim of `only`, in that order."""
        found = {entry.claim.id: entry for entry in self.all()}
        rows = [
            (e.claim.id, e.claim.says, expected(e.claim.expect), e.measured or e.reason, e.verdict, e.evidence)
            for e in (found[self[claim].id] for claim in only or found)
        ]
        bases = [entry.based_on for entry in found.values()]
        note = f"{self.summary}\nverdicts by evidence: " + ", ".join(f"{bases.count(kind)} {kind}" for kind in EVIDENCE)
        columns = ("claim", "the document says", "expects", "measured", "verdict", "evidence")
        return Table(columns, rows, note="" if only else note)

    def exact(self) -> Table:
        """The verdicts that no training changes, which are the same on every machine."""
        rows = [(e.claim.id, e.verdict, e.measured) for e in self.all() if not e.claim.trained]
        return Table(("claim", "verdict", "measured"), rows)

    def _run(self) -> str:
        """This run, its seed and hardware."""
        environment = json.loads(self.run.path("environment.json").read_text(encoding="utf-8"))
        device = environment["processor"] if environment["device"] == "cpu" else environment["device"]
        return f"{self.run.folder.name}, seed {getattr(self.run.params, 'seed', 0)}, {device}"

    def _enter(self, entry: Entry) -> Entry:
        self.entries[entry.claim.id] = entry
        self._write()
        return entry

    def _write(self) -> None:
        if self.run.writes:
            write_json(self.run.path("claims.json"), [entry.as_dict() for entry in self.all()])


@cache
def _result(source: str) -> str:
    """A file of results with its seeds and hardware; the name alone where there is no such file."""
    if not (HOME / source).is_file():
        return source
    found = json.loads((HOME / source).read_text(encoding="utf-8"))
    seeds = sorted({trial["seed"] for trial in found["trials"]})
    shown = f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
    hardware = dict.fromkeys(trial.get("hardware", "hardware not recorded") for trial in found["trials"])
    return f"{source}, {shown}, {'; '.join(hardware)}"


def _ends(measured: Any) -> tuple[float, ...]:
    """The ends of a score's interval, or of ± 2 standard errors."""
    if interval := getattr(measured, "interval", None):
        return tuple(interval)
    error = getattr(measured, "error", None)
    return (float(measured) - 2 * error, float(measured) + 2 * error) if error else ()


def _score_text(measured: Any) -> str | None:
    """A score as text, with the interval that decides its verdict."""
    return measured.ranged() if getattr(measured, "interval", None) else getattr(measured, "text", None)
