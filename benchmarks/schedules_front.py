"""Quality against stability of the arms of 03_schedules: a table, and the front as a page.

    python benchmarks/schedules_front.py [--trials results/schedules_digits.json] [--html FRONT.html]

Reads what `benchmarks/schedules_arms.py` measured; writes `results/schedules_front.md`. The controllers that weigh
quality and stability differently are the sweep `roads_schedules`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from gannb.comparison.trials import Trials
from gannb.experiments.schedules.pareto import front, front_figure, quality_and_stability

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Write the table and, where asked, the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=Path, default=ROOT / "results" / "schedules_digits.json")
    parser.add_argument("--html", type=Path, help="where the figure goes, with plotly inside")
    args = parser.parse_args()
    trials = Trials.read(args.trials)
    points = quality_and_stability(trials)
    if not points:
        parser.error(f"{args.trials.name}: no trial that was scored along the way; {trials.command}")
    best = front(points)
    rows = [f"| {name} | {len(trials.of(name))} | {x:.4g} | {y:.3f} | {'yes' if name in best else ''} |"
            for name, (x, y) in sorted(points.items(), key=lambda item: item[1])]  # fmt: skip
    head = [f"| arm | seeds | {trials.metric} at the end | last over best | on the front |", "|---|---|---|---|---|"]
    said = "Lower is better in both; means over seeds, too few of them to separate neighbours."
    note = f"`python benchmarks/schedules_front.py`, from {args.trials.name} (`{trials.command}`)."
    text = "\n".join([said, "", *head, *rows, "", note, ""])
    (ROOT / "results" / "schedules_front.md").write_text(text, encoding="utf-8")
    print(text)
    if args.html:
        front_figure(points, f"{trials.metric} at the end", "last over best").write_html(args.html)


if __name__ == "__main__":
    main()
