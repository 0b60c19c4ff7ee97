"""A score arm by arm: means with intervals over seeds, and paired tests against the first arm."""

from __future__ import annotations

from collections.abc import Mapping

from gannb.comparison.intervals import paired, seeds_text
from gannb.tables import Table


def outcome_table(scores: Mapping[str, Mapping[int, float]], name: str, better: str = "low") -> Table:
    """A row an arm.

    Args:
        scores: arm → seed → score; an arm without any is listed as such.
        name: of the score.
        better: "low" or "high", for the note; empty where that is not known.
    """
    first, *_ = scores
    rows = []
    for arm, found in scores.items():
        common = sorted(found.keys() & scores[first].keys(), key=str)
        beside = None
        if arm != first and len(common) > 1:
            beside = str(paired([scores[first][s] for s in common], [found[s] for s in common]))
        rows.append((arm, len(found), seeds_text(list(found.values())) if found else None, beside))
    note = f"{f'{better} is better; ' if better else ''}mean [95 % over seeds]; p of sign flips, seed by seed"
    return Table(("arm", "seeds", name, f"less {first}"), rows, note=note)
