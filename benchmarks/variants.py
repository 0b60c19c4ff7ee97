"""Variants of a notebook over seeds, as a sweep of `params/sweeps/` lists them; writes `results/<sweep>.json`.

    python benchmarks/variants.py extensions_particles_small -p data=CROPS --seeds 0 1
    python benchmarks/variants.py motion_trace --curves D/loss G/loss G/adversarial D/accuracy

Each trial is one `gannb run` on one thread. Of a notebook that generates images 40 samples of its best network are kept
beside the result, in `results/samples/<sweep>/<variant>-<seed>.png`. What a notebook trains beside its own run
(`compared`) it leaves in `trials.json`, and that is added too. Processor time is that of training where the notebook
says so, else of the whole notebook. Trials that are there already are kept; notebooks read these files: do not delete
one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import device
import torch
from tqdm import tqdm

from gannb.batch import samples
from gannb.batch.sweep import plan
from gannb.comparison.results import hardware, keep, result, samples_of
from gannb.comparison.trials import Comparison, Trial
from gannb.config.yaml_files import read_yaml
from gannb.figures.grids import image_grid
from gannb.metrics.score import Scores
from gannb.runs.checks import params_of
from gannb.runs.files import write_bytes
from gannb.runs.history import History
from gannb.training.trained import Trained

FILES = {"trials.json": "", "transfer.json": "_transfer"}
"""What a run folder may hold, and what is added to the sweep's name for its results."""
DATA = {"": ("data", "toy"), "_transfer": ("transfer_to",)}
"""The parameters that name the data of such results."""
SHOWN = 40
"""Samples that are kept of a trial."""


def run(notebook: str, trial: plan.Trial, options: dict[str, str], runs: Path) -> tuple[Path, float]:
    """Run one trial; returns its folder and the processor time of the whole notebook, seconds.

    Raises:
        RuntimeError: the run failed; with the end of what it said.
    """
    values = {name: json.dumps(v) if isinstance(v, list | dict) else v for name, v in trial.values.items()}
    del values["preset"]  # a label
    flags = [part for name, value in (values | options).items() for part in ("-p", f"{name}={value}")]
    command = [sys.executable, "-m", "gannb.cli", "run", notebook, "--runs", str(runs), *flags]
    out, log = runs / "out", runs / "log"
    with out.open("w") as said, log.open("w") as complained:
        process = subprocess.Popen(command, stdout=said, stderr=complained, env=os.environ | {"OMP_NUM_THREADS": "1"})
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(
            f"{trial.variant}, seed {trial.seed} failed:\n{out.read_text()[-2000:]}\n{log.read_text()[-2000:]}"
        )
    return Path(out.read_text().split("run: ")[-1].strip()), usage.ru_utime + usage.ru_stime


def collected(trial: plan.Trial, folder: Path, spent: float, curves: list[str]) -> dict[str, list[Trial]]:
    """The trials of a run folder, by what is added to the sweep's name; a curve that was not measured is named."""
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    scores, history = Scores.from_dict(summary), History(folder / "metrics.jsonl")
    if unmeasured := [name for name in curves if name not in history]:
        print(
            f"{trial.variant}: no curve of {', '.join(unmeasured)}; measured: {', '.join(history.names())}", flush=True
        )
    measured = {name: history[name] for name in curves if name in history}
    paths = {name: list(zip(row.steps.tolist(), row.values.tolist())) for name, row in measured.items()}
    own = ("this run", trial.variant, getattr(trial.params, "variant", ""))  # how a notebook may call the run itself
    ran = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    seed, cost = trial.seed or 0, (summary["steps"], summary["seconds"], round(spent, 1))
    found = {added: list(Comparison.read(folder / file)) for file, added in FILES.items()}
    for i, kept in enumerate(found[""]):
        if kept.variant in own and kept.seed == seed:
            found[""][i] = replace(kept, variant=trial.variant, scores=kept.scores | scores, paths=kept.paths | paths)
            break
    else:
        found[""].append(Trial(trial.variant, seed, scores, *cost, paths=paths))
    return {added: [replace(t, hardware=hardware(ran)) for t in trials] for added, trials in found.items() if trials}


def data_of(folder: Path, added: str = "") -> str:
    """The data of a run's trials, as its parameters name them (of a file or folder its name): "digits (images, 16 px)".

    Args:
        folder: the run's.
        added: to the sweep's name, as in `FILES`.
    """
    p = params_of(folder)
    value = next(str(getattr(p, name)) for name in DATA[added] if hasattr(p, name))
    size = f", {p.image_size} px" if hasattr(p, "image_size") else ""
    return f"{Path(value).name} ({p.generates}{size})"


def pictured(folder: Path) -> bytes:
    """Samples of a run's best network as a PNG, those that `gannb sample` gives first; empty where there are no images.

    Raises:
        ValueError: no whole checkpoint, or a network that gives NaN or infinity.
    """
    if params_of(folder).generates != "images":
        return b""
    network = Trained.of(folder).network()
    images = torch.cat([*samples.batches(network, network.module, SHOWN, seed=0)])
    return image_grid(images, 10, scale=1).preview


def deciding(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that decide what a trial gives: which variants a notebook trains beside it does not."""
    return {name: value for name, value in settings.items() if name != "compared"}


def main() -> None:
    """Run what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweep", help="a name in params/sweeps, or a file")
    parser.add_argument("--seeds", nargs="+", type=int, help="of the sweep's; all by default")
    parser.add_argument("--variants", nargs="+", help="of the sweep's; all by default")
    parser.add_argument("--curves", nargs="+", default=[], help="names whose series are kept")
    parser.add_argument("--again", action="store_true", help="measure anew what is there already")
    parser.add_argument("--jobs", type=int, default=1, help="trials at a time")
    parser.add_argument("-p", dest="options", action="append", default=[], metavar="NAME=VALUE", help="for every trial")
    device.option(parser)
    args = parser.parse_args()
    card = device.chosen(args.device)
    path, options = plan.find(args.sweep), dict(each.split("=", 1) for each in args.options)
    sweep, name = plan.read(path), device.named(path.stem, card)
    kept = result(name)
    parts = {name: value.split("=") for name, value in options.items()}  # such as resnet56=FILE
    shown = {name: "=".join(Path(part).name for part in each) for name, each in parts.items()}  # no path of a machine
    flags = [f"-p {name}={value}" for name, value in shown.items()]
    flags += ["--curves", *args.curves] if args.curves else []
    options["device"] = str(card)
    head = {
        "question": sweep.doc,
        "command": " ".join(["python benchmarks/variants.py", sweep.name, *flags]),
        "settings": read_yaml(path).get("values", {}) | shown,
    }
    if len(kept) and deciding(kept.head.get("settings", {})) != deciding(head["settings"]) and not args.again:
        parser.error(f"results/{name}.json was measured with other settings: --again measures anew")
    for flag, given, known in (
        ("--variants", args.variants, {trial.variant for trial in sweep.trials}),
        ("--seeds", args.seeds, {trial.seed for trial in sweep.trials}),
    ):
        if strange := [str(each) for each in given or [] if each not in known]:
            parser.error(f"{flag} {'; '.join(strange)}: {sweep.name} has {'; '.join(map(str, sorted(known)))}")
    there = set() if args.again else {(trial.variant, trial.seed) for trial in kept}
    wanted = [
        trial
        for trial in sorted(sweep.trials, key=lambda trial: trial.seed or 0)
        if (trial.variant, trial.seed) not in there
        and trial.seed in (args.seeds or [trial.seed])
        and trial.variant in (args.variants or [trial.variant])
    ]

    def measure(trial: plan.Trial) -> tuple[dict[str, list[Trial]], dict[str, str], bytes]:
        with tempfile.TemporaryDirectory() as runs:
            folder, spent = run(sweep.notebook, trial, options, Path(runs))
            found, picture = collected(trial, folder, spent, args.curves), b""
            data = {added: data_of(folder, added) for added in found}
            try:
                picture = pictured(folder)
            except ValueError as error:
                print(f"{trial.variant}, seed {trial.seed}: no samples, {error}", flush=True)
            return found, data, picture

    with ThreadPoolExecutor(args.jobs) as pool:
        measured = zip(wanted, pool.map(measure, wanted))
        for trial, (found, data, picture) in (bar := tqdm(measured, total=len(wanted), unit="trial", disable=None)):
            path = samples_of(name, trial.variant, trial.seed or 0)
            write_bytes(path, picture) if picture else path.unlink(missing_ok=True)
            for added, trials in found.items():
                said = result(name + added).head.get("data") or data[added]  # a file's own words stay
                keep(name + added, trials, metric=sweep.score, better=sweep.better, data=said, **head)
            bar.clear()
            print(f"{trial.variant}, seed {trial.seed}: {sum(map(len, found.values()))} kept", flush=True)
    print(result(name))


if __name__ == "__main__":
    main()
