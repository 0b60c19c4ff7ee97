"""Write `docs/claims.md`, the key to the claims, from the experiments' `claims.yaml`: `python docs/claims.py`."""

from pathlib import Path

from gannb.runs.claims import Claim, Document, document, expected
from gannb.runs.locations import documents
from gannb.tables import Table

PAGE = Path(__file__).with_suffix(".md")

HEAD = """# Claims

Written by `python docs/claims.py` from `gannb/experiments/<name>/claims.yaml`; do not edit it here.

gannb implements five documents, which are not part of this repository; each has a page in [documents](documents/)
that says what is in it. They are cited by the name of their experiment and by section, such as "motion_balance,
§3.1". Every checkable sentence is a claim with an id: a code (M4, P3) and a name. Where a document contradicts itself
or leaves something open, the code stands for the reading followed. The ledger at the end of each notebook, and `gannb
report`, give the verdicts: *reproduced* (every measured value is as expected), *contradicted* (none is), *partly*
(some are), *inconclusive* (the interval of what was measured lies on both sides of what is expected), or *not tested
here* with the reason. Each says what it is based on: a measurement of the run or a result measured before (its file in
`results/`), with seeds and hardware; or the document's own numbers, or our code and configuration. Verdicts of these
last two kinds restate a constant or compute with one, and are counted apart. "(ours)" marks claims that this project
adds."""

KINDS = {
    "run": "measured by a run", "result": "by an earlier result", "document": "from the document's own numbers",
    "code": "from code or configuration",
}  # fmt: skip


def page() -> str:
    """The whole page."""
    parts = [HEAD, counts().markdown, *(section(name, document(name)) for name in documents())]
    return "\n\n".join(parts) + "\n"


def counts() -> Table:
    """How many claims of each document are decided by what."""
    rows = []
    for name in documents():
        own = [claim.evidence if claim.executable else "none" for claim in document(name).claims.values()]
        rows.append((name, len(own), *(own.count(kind) for kind in (*KINDS, "none"))))
    total = ("all", *(sum(column) for column in list(zip(*rows))[1:]))
    return Table(("document", "claims", *KINDS.values(), "no check decides"), [*rows, total])


def section(name: str, source: Document) -> str:
    """One document: its readings, then its claims."""
    coded = [(f'<a id="{code}"></a>{code}', reading) for code, reading in source.readings.items()]  # for links
    readings = Table(("code", "reading followed, and why"), coded)
    rows = [
        (_small(f"`{c.id}`", c.section), _small(c.says, *_remarks(c)), expected(c.expect))
        for c in source.claims.values()
    ]
    claims = Table(("claim and section", "the document says", "expects"), rows)
    head = f"## {name}\n\n*{source.title}*: {source.about}. [What it says, and what was measured](documents/{name}.md)."
    return "\n\n".join([head, *[readings.markdown] * bool(source.readings), claims.markdown])


def _small(text: str, *below: str) -> str:
    """A cell with remarks below its text: a page has no room for more columns."""
    return "<br>".join([text, *([f"<sub>{'; '.join(below)}</sub>"] if any(below) else [])])


def _remarks(claim: Claim) -> list[str]:
    kind = "" if claim.trained else "no training needed"
    needs = f"needs {claim.needs}" if claim.needs else ""
    measure = f"measured by {claim.measure} only" if claim.measure else ""
    based = {
        "result": "decided by a result measured before", "document": "follows from the document's own numbers",
        "code": "restates code or configuration",
    }  # fmt: skip
    return [remark for remark in (claim.note, measure, needs, kind, based.get(claim.evidence, "")) if remark]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
