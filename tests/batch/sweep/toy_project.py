"""A project of one tiny experiment, and `gannb` within it: `python toy_project.py HOME ARGUMENTS…`.

Its notebook needs no network: it does `steps` steps, writes each down, and goes on where
it was. So what was done twice or lost can be read from a file. From step 5 on it waits for a file `go` in HOME.
"""

import os
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

DECLARATION = """
from gannb.config.experiment import Experiment
from gannb.config.fields import param

class Toy(Experiment):
    name = "toy"
    seed: int = param(0, "the seed", low=0)
    lr: float = param(0.1, "rate", low=0.0, high=1.0, open_low=True)
    kind: str = param("plain", "what it does", choices=("plain", "broken", "deadly"))
    width: int = param(4, "width", low=1, high=64)
    data: str = param("made", "images", group="data")
    steps: int = param(4, "steps", low=1, high=1000)
"""
PARAMETERS = (
    "seed: int = 0  # the seed\nlr: float = 0.1  # rate\nkind: str = 'plain'  # kind\nwidth: int = 4  # width\n"
    "data: str = 'made'  # images\nsteps: int = 4  # steps"
)
OPEN = DECLARATION + "\nfrom gannb.runs.folder import Run\np = Toy.of(globals()); run = Run.open(p)"
FAIL = "if p.kind == 'broken':\n    raise RuntimeError('no image could be read')"
WORK = """
import os, json, time
log = run.path("steps.txt")
with open(os.environ["TOY_HOME"] + "/starts.txt", "a") as starts:
    starts.write(f"{p.hash} {run.folder.name}\\n")
done = len(log.read_text().split()) if log.exists() else 0
for step in range(done, p.steps):
    while step >= 5 and not os.path.exists(os.environ["TOY_HOME"] + "/go"):
        time.sleep(0.05)
    with log.open("a") as file:
        file.write(f"{step}\\n")
    told = {"step": step + 1, "steps": p.steps, "seconds_left": 1.0 * (p.steps - step)}
    if os.environ.get("GANNB_PROGRESS"):
        with open(os.environ["GANNB_PROGRESS"] + ".part", "w") as file:
            file.write(json.dumps(told))
        os.replace(file.name, os.environ["GANNB_PROGRESS"])
    if p.kind == "deadly":
        os._exit(9)
"""
END = """
(run.folder / "claims.json").write_text("[]")
took = {"seconds": 1.0, "steps_per_second": 0.0, "peak_memory_bytes": 1}
metrics = {"distance": {"value": p.lr + p.seed / 1000}}
run.summarise(epochs=1, steps=0, weights_sha256="", metrics=metrics, **took)
"""


def make(home: Path) -> None:
    """Write the project below `home`."""
    cells = [new_markdown_cell("# A toy"), new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})]
    cells += map(new_code_cell, (OPEN, FAIL, WORK, END))
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}, "language_info": {"name": "python"}}
    for folder in ("notebooks", "params/toy", "params/sweeps", "experiments/toy"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata=metadata), home / "notebooks" / "01_toy.ipynb")
    (home / "experiments" / "toy" / "params.py").write_text(DECLARATION)
    (home / "params" / "toy" / "quick.yaml").write_text("preset: quick\n")
    (home / "params" / "toy" / "wide.yaml").write_text("preset: wide\nwidth: 64\n")


def settle(home: Path) -> None:
    """Let gannb take `home` for its project."""
    import gannb.experiments
    from gannb.config import presets

    gannb.experiments.__path__.insert(0, str(home / "experiments"))  # before one of another test
    for name in ("gannb.experiments.toy", "gannb.experiments.toy.params"):
        sys.modules.pop(name, None)
    presets.HOME = home


if __name__ == "__main__":
    settle(Path(sys.argv[1]))
    os.environ["GANNB_RUNS"] = str(Path(sys.argv[1]) / "runs")
    os.environ["TOY_HOME"] = sys.argv[1]
    from gannb.cli import main

    sys.exit(main(sys.argv[2:]))
