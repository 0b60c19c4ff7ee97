"""What a move of a number costs, in µs: with the rules that read the number, and with all rules of the experiment.

    python benchmarks/moves.py

Both are measured in one process, in turn, each at its fastest of some repetitions: other load only adds.
"""

from __future__ import annotations

import time
from statistics import median

from gannb.config.presets import declaration, experiments
from gannb.control.numbers import Numbers
from gannb.tables import Table

MOVES, REPETITIONS = 200, 9


def microseconds(numbers: Numbers, name: str) -> float:
    """One move of a number to where it is."""
    value, began = numbers[name].value, time.perf_counter()
    for _ in range(MOVES):
        numbers.move(0, name, value, "person")
    return 1e6 * (time.perf_counter() - began) / MOVES


def main() -> None:
    """Print one row per experiment that has numbers that move."""
    rows = []
    for name in experiments():
        p = declaration(name)()
        concerned = Numbers.of(p)
        every = Numbers(p.dynamic(), check=lambda values, *moved, p=p: p.fault_in(values, *p.settings()))
        fastest = {
            (kind, number): min(microseconds(numbers, number) for _ in range(REPETITIONS))
            for number in concerned.parameters
            for kind, numbers in (("concerned", concerned), ("every", every))
        }
        costs = {kind: [cost for (of, _), cost in fastest.items() if of == kind] for kind in ("concerned", "every")}
        if concerned.parameters:
            now, before = costs["concerned"], costs["every"]
            rows.append((name, len(now), f"{median(now):.1f}", f"{max(now):.1f}", f"{median(before):.1f}"))
    print(Table(("experiment", "numbers", "median", "most", "median, every rule"), rows, "µs per move"))


if __name__ == "__main__":
    main()
