"""How long a report of many runs takes, a long run takes to open, and notebook 06 takes over many runs.

`python benchmarks/scale.py [--runs 300] [--rows 3300]`: runs with the committed notebooks and synthetic measurements,
each measured in a process of its own. Writes `results/scale.json`.
"""

import argparse
import importlib
import json
import multiprocessing
import os
import random
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gannb.config import presets
from gannb.config.yaml_files import dump_yaml
from gannb.runs import locations

ROOT = Path(__file__).parents[1]
LONG = 1_000_000
"""Rows of the long run."""
NAMES = ("D/loss", "G/loss", "D/real", "D/fake", "kid")


def measured(rows: int) -> str:
    """Rows of a `metrics.jsonl`."""
    chance = random.Random(0)
    values = [{"step": step} | {name: round(chance.random(), 5) for name in NAMES} for step in range(1, rows + 1)]
    return "".join(json.dumps(row) + "\n" for row in values)


def make_runs(home: Path, count: int, rows: int) -> None:
    """Run folders of all experiments, each with a notebook of its own content."""
    notebooks = [path for path in sorted((ROOT / "notebooks").glob("*.ipynb")) if path.stem[:2] not in ("00", "06")]
    text = measured(rows)
    for number in range(count):
        notebook = notebooks[number % len(notebooks)]
        name, seed = notebook.stem[3:], number // len(notebooks) % 6
        folder = home / "runs" / name / f"20260101-{number:06d}-abcdef"
        folder.mkdir(parents=True)
        cells = json.loads(notebook.read_text(encoding="utf-8"))
        for output in (output for cell in cells["cells"] for output in cell.get("outputs", [])):
            if "text" in output:
                output["text"] = [*output["text"], f"of run {number}\n"]
        params = {"experiment": name} | presets.declaration(name)(seed=seed).settings() | {"extra": number // 30 % 2}
        summary = {"notebook": name, "preset": "quick", "seed": seed, "steps": rows, "seconds": 3.0}
        summary |= {"metrics": {"kid": {"value": random.Random(number).random(), "protocol": {}}}}
        events = [{"seq": i, "step": i, "kind": "checkpoint"} for i in range(1, 20)]
        for file, content in {
            "notebook.ipynb": json.dumps(cells),
            "params.yaml": dump_yaml(params),
            "environment.json": "{}",
            "summary.json": json.dumps(summary),
            "metrics.jsonl": text,
            "events.jsonl": "".join(json.dumps(event) + "\n" for event in events),
        }.items():
            (folder / file).write_text(content, encoding="utf-8")


def report(home: Path) -> None:
    """As `gannb report`."""
    from gannb.batch.report import write

    write(locations.folders(str(home / "runs")), home / "report")


def compare(home: Path) -> None:
    """What notebook 06 computes of its runs."""
    from gannb.comparison.catalogue import Catalogue

    runs = Catalogue.read(locations.folders(str(home / "runs"))).where("state == 'finished'")
    runs.table(), runs.variants(), runs.words(), runs.branches(), runs.comparison("kid").tested()
    runs.several_series(["D/loss", "kid"])


def open_long_run(home: Path) -> None:
    """Resume a run of a million rows up to where it would train."""
    from gannb.runs.folder import Run

    (folder,) = (home / "tour").iterdir()
    run = Run.open(presets.declaration("tour")(runs=str(home), resume=str(folder)))
    run.cut(LONG, run.seq)


def read_long_run(home: Path) -> None:
    """Read all series of a run of a million rows."""
    from gannb.runs.history import History

    (path,) = home.glob("tour/*/metrics.jsonl")
    assert len(History(path)["D/loss"]) == LONG


def make_long_run(home: Path) -> None:
    """A tour with a million rows."""
    from gannb.runs.folder import Run

    run = Run.open(presets.declaration("tour")(runs=str(home)))
    (run.folder / "metrics.jsonl").write_text(measured(LONG))


def cost(work: Callable[[Path], None], home: Path, imports: str = "gannb") -> dict[str, float]:
    """Wall-clock and processor seconds, and peak memory, of a fresh process that does it after an import."""

    def process(queue: Any) -> None:
        importlib.import_module(imports)
        began, worked = time.perf_counter(), time.process_time()
        work(home)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        queue.put((time.perf_counter() - began, time.process_time() - worked, peak))

    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=process, args=(queue,))
    child.start()
    child.join()
    wall, processor, peak = queue.get()
    return {"seconds": round(wall, 2), "processor_seconds": round(processor, 2), "peak_mb": round(peak)}


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--rows", type=int, default=3300)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        make_runs(home, args.runs, args.rows)
        settings = {"runs": args.runs, "rows": args.runs * args.rows, "rows of the long run": LONG}
        settings["load"] = round(os.getloadavg()[0], 1)
        found = {"report": cost(report, home), "report, again": cost(report, home), "notebook 06": cost(compare, home)}
        cost(make_long_run, home / "long")
        found["a long run, opened"] = cost(open_long_run, home / "long", "gannb.experiments.tour.params")
        found["a long run, read"] = cost(read_long_run, home / "long", "gannb.runs.history")
    from gannb.comparison.results import hardware, keep, numbers

    head = {"question": "How long do a report of many runs, notebook 06 over them, and a long run take?"}
    head |= {"command": f"python benchmarks/scale.py --runs {args.runs} --rows {args.rows}", "hardware": hardware()}
    trials = [numbers(what, **costs) for what, costs in found.items()]
    print(keep("scale", trials, **head, settings=settings).table(("seconds", "processor_seconds", "peak_mb")))


if __name__ == "__main__":
    main()
