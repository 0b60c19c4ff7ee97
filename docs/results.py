"""Write the table of all results, `results/index.csv`, the page that shows them, and the tables of other pages.

python docs/results.py
"""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from gannb.comparison.results import RESULTS, by_trial, index, result, samples_of
from gannb.comparison.trials import Comparison
from gannb.figures.findings import Finding, findings
from gannb.tables import Table

TABLE, PAGE = RESULTS / "index.csv", RESULTS / "README.md"
README = Path(__file__).parents[1] / "README.md"
DOCUMENTS = sorted((README.parent / "docs" / "documents").glob("*.md"))

HEAD = """# Results

Written by `python docs/results.py` from the files of this folder; do not edit it here. `index.csv` is one table of them
all. Each file has a head (question, data, command) and a list of trials: variant, seed, commit, hardware, scores.
The oldest trials do not name their hardware, and their commit is the first that has them.
Brackets hold 95 % over seeds; Δ is the difference from the first variant, seed by seed. Samples are of each run's best
checkpoint, always from the same latents."""
FINDINGS = """## Findings of all experiments

Each comparison is paired by seed: the first less the second, with a 95 % interval over seeds."""
ALSO = ("last_over_best", "copies", "fd_resnet56_over_floor")
"""Scores that are shown beside the deciding one."""


def table() -> str:
    """The index as CSV."""
    text, found = io.StringIO(), index()
    csv.writer(text, lineterminator="\n").writerows([found.columns, *found.rows])
    return text.getvalue()


def page() -> str:
    """The whole page."""
    return "\n\n".join([HEAD, comparisons(), *(section(path.stem) for path in sorted(RESULTS.glob("*.json")))]) + "\n"


def section(name: str) -> str:
    """One file: its question, its variants, and how it was measured."""
    found, head = result(name), result(name).head
    if not found.metric:
        names = list(dict.fromkeys(score for trial in found for score in trial.scores))
        shown = Table(("variant", *names), [(v, *(found.mean(v, n) for n in names)) for v in found.variants])
    elif any(len(found.of(variant)) > 1 for variant in found.variants) and len(found.variants) > 1:
        shown = _with(found, found.beside(found.variants[0]))
    else:
        shown = _with(found, found.table())
    says = f"{head['question']} Data: {head['data']}." if head.get("data") else head["question"]
    better = f"{found.better}er is better; " if found.metric and found.better else ""
    measured = f"{better}`{head['command']}`, {_origin(found)}."
    return "\n\n".join([f"## {name}", says, shown.markdown, *_samples(name, found), measured])


def _origin(found: Comparison) -> str:
    """Hardware, of which variants where it differs, and the commits of what was measured on it."""
    of: dict[str, list[str]] = {}
    for variant in found.variants:
        of.setdefault(found.origin(variant)[1], []).append(variant)
    each = []
    for hardware, variants in of.items():
        commits = dict.fromkeys(trial.commit for variant in variants for trial in found.of(variant))
        named = f"{' · '.join(variants)}: " if len(of) > 1 else ""
        each.append(f"{named}{hardware}, commit {', '.join(commits)}")
    return "; ".join(each)


def _with(found: Comparison, table: Table) -> Table:
    """A table of a row per variant with further scores of the trials, with their intervals."""
    also = [name for name in ALSO if name != found.metric and any(name in trial.scores for trial in found)]
    more = found.table(also).rows if also else [()] * len(table)
    return Table((*table.columns, *also), [(*row, *scores[2:]) for row, scores in zip(table.rows, more)])


def _samples(name: str, found: Comparison) -> Iterator[str]:
    """A table of the samples that are kept: a picture of each variant's first seed, links to those of the others."""
    rows = []
    for variant in found.variants:
        kept = [(t.seed, path) for t in found.of(variant) if (path := samples_of(name, variant, t.seed)).is_file()]
        links = [f"[{variant}, seed {seed}](samples/{name}/{path.name})" for seed, path in kept]
        rows += [(variant, f"![samples of {links[0][1:]}", ", ".join(links[1:]) or None)] if links else []
    if rows:
        yield Table(("variant", "samples", "other seeds"), rows).markdown


def _page_of(finding: Finding) -> str:
    """The page of the finding's document; of an experiment without one, its result."""
    document = f"docs/documents/{finding.name}.md"
    return document if (README.parent / document).is_file() else f"results/README.md#{finding.result}"


def _minus(text: str) -> str:
    """Numbers with the typographic minus, on one line."""
    return text.replace("-", "−").replace(" ", "&nbsp;")


def comparisons() -> str:
    """All comparisons of all findings, a table per experiment."""
    return "\n\n".join([FINDINGS, *(_compared(each) for each in findings())])


def _compared(finding: Finding) -> str:
    table = finding.table()
    rows = [(named, score, _minus(difference), shows) for named, score, difference, shows in table.rows]
    head = f"**{finding.question}** {finding.answer}"
    return "\n\n".join([head, Table(table.columns, rows).markdown, *filter(None, [finding.note.strip()])])


def _row(finding: Finding) -> tuple[str, str, str]:
    """Question, answer, and the main comparison with its difference."""
    pair, found = finding.compare[0], finding.differences()[0]
    axis = f"<sub>{finding.compared(pair)}: {finding.axis}; {found.protocol['seeds']} seeds</sub>"
    question = f"{finding.question} [{finding.name}]({_page_of(finding)})"
    return question, finding.answer.strip(), f"{_minus(found.ranged(signed=True))}<br>{axis}"


def readme(text: str) -> str:
    """A README with its table of findings, which stands between two comments."""
    rows = [_row(each) for each in findings()]
    shown = Table(("question", "answer", "main comparison [95 %]"), rows).markdown
    return re.sub(
        "(<!-- findings -->).*?(<!-- /findings -->)",
        lambda marks: f"{marks[1]}\n{shown}\n{marks[2]}",
        text,
        flags=re.DOTALL,
    )


def document(text: str) -> str:
    """A document's page with its tables of single trials, each between comments that name the result and its scores."""

    def filled(marks: re.Match[str]) -> str:
        shown = by_trial(marks[2], marks[3].split(", "))
        return f"{marks[1]}{shown.markdown if len(shown) else shown.note}\n{marks[4]}"

    return re.sub(r"(<!-- trials (\w+): ([\w, ]+) -->\n).*?(<!-- /trials -->)", filled, text, flags=re.DOTALL)


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
    README.write_text(readme(README.read_text(encoding="utf-8")), encoding="utf-8")
    for path in DOCUMENTS:
        path.write_text(document(path.read_text(encoding="utf-8")), encoding="utf-8")
