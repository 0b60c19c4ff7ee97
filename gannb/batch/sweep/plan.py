"""A sweep: a YAML file that becomes a list of trials, every value checked before anything runs.

notebook: particles_sagan        # the experiment
preset: quick                    # the values to start from
values: {epochs: 60}             # the same for every trial
variants: {bce: {loss: bce}, …}  # one of: variants (with names), grid, draws
seeds: [0, 1, 2]                 # for each variant
score: kid_held_out              # the score to compare; lower is better unless `better: high`
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gannb.config import presets
from gannb.config.experiment import Experiment
from gannb.config.faults import BadInput, ParameterError
from gannb.config.yaml_files import read_yaml
from gannb.control.echo import nearest, shown
from gannb.runs import locations

FOLDER = "sweeps"
"""Where sweeps lie, below `params/` and below the runs."""


MOST_TRIALS = 10_000
Model = TypeVar("Model", bound=BaseModel)


class SweepError(BadInput):
    """A sweep that cannot be run as written, with every fault."""


class Range(BaseModel):
    """The range a parameter is drawn from, uniformly or log-uniformly."""

    model_config = ConfigDict(extra="forbid")
    low: float
    high: float
    scale: Literal["linear", "log"] = "linear"


class Draws(BaseModel):
    """Random draws: how many, from which ranges or lists, under which seed."""

    model_config = ConfigDict(extra="forbid")
    count: int = Field(ge=1)
    seed: int = 0
    of: dict[str, Range | list[Any]] = Field(min_length=1)


class Written(BaseModel):
    """A sweep file as it is written."""

    model_config = ConfigDict(extra="forbid")
    notebook: str
    preset: str = "quick"
    values: dict[str, Any] = {}
    variants: dict[str, dict[str, Any]] = {}
    grid: dict[str, list[Any]] = {}
    draws: Draws | None = None
    seeds: list[int] = []
    score: str = ""
    better: Literal["low", "high"] = "low"
    doc: str = ""


@dataclass(frozen=True)
class Trial:
    """One run that a sweep asks for.

    Attributes:
        variant: the label of its variant.
        seed: its seed; None where the experiment has none.
        params: its parameters, checked.
        values: what is injected into the notebook, as plain values.
    """

    variant: str
    seed: int | None
    params: Experiment
    values: dict[str, Any]


@dataclass(frozen=True)
class Sweep:
    """A sweep that passed every check.

    Attributes:
        name: the file's name without its ending.
        notebook: the experiment.
        trials: all trials, by variant.
        score, better: the score that compares its runs; empty where the file names none.
        doc: its question, in a sentence.
    """

    name: str
    notebook: str
    trials: list[Trial]
    score: str
    better: str
    doc: str


def find(named: str) -> Path:
    """A sweep's file by its path, or by its name in `params/sweeps/`.

    Raises:
        SweepError: there is none; says which there are.
    """
    ours = presets.HOME / "params" / FOLDER
    for path in (locations.path_of(named, "SWEEP"), ours / f"{named}.yaml"):
        if path.is_file():
            return path.resolve()
    there = sorted(path.stem for path in ours.glob("*.yaml"))
    near = nearest(named, there)
    hint = f"; did you mean {near!r}?" if near else ";"
    raise SweepError(f"no sweep {shown(named)}{hint} in params/{FOLDER}: {', '.join(there) or 'none'}")


def read(path: Path) -> Sweep:
    """Read a sweep and check every value of every trial.

    Raises:
        SweepError: keys that are unknown, values that no trial may have, two trials that are the same.
    """
    written = _written(path)
    try:
        declared = presets.declaration(written.notebook)
    except LookupError as error:
        raise SweepError(f"{path.name}: notebook: {error}") from error
    seeds: list[int | None] = [*written.seeds] or [None]
    trials, faults = [], []
    every = ((*variant, seed) for variant in _variants(written, declared) for seed in seeds)
    for number, (label, values, seed) in enumerate(every):
        if number == MOST_TRIALS:
            raise SweepError(f"{path.name}: more than {MOST_TRIALS} trials")
        try:
            trials.append(_trial(written, declared, label, values, seed))
        except (LookupError, ParameterError) as error:
            faults.append(f"trial {_named(label, seed)}: {error}")
    faults += _twins(trials)
    if faults:
        raise SweepError("\n".join([f"{path.name}: {len(faults)} of {len(trials) + len(faults)} cannot run", *faults]))
    return Sweep(path.stem, written.notebook, trials, written.score, written.better, written.doc)


def read_model(path: Path, kind: type[Model], what: str) -> Model:
    """Read a YAML file as a model of pydantic.

    Args:
        path: the file.
        kind: the model.
        what: it describes, for the message.

    Raises:
        SweepError: every key that is unknown, and every value that it may not have.
    """
    try:
        return kind(**read_yaml(path))
    except ValidationError as error:
        names = kind.model_fields
        faults = [f"  {'.'.join(map(str, e['loc']))}: {e['msg']}{_nearest(e, names)}" for e in error.errors()]
        raise SweepError("\n".join([f"{path.name}: not {what}", *faults])) from error
    except (TypeError, ValueError) as error:
        raise SweepError(str(error)) from error


def _written(path: Path) -> Written:
    written = read_model(path, Written, "a sweep")
    kinds = [kind for kind in ("variants", "grid", "draws") if getattr(written, kind)]
    if len(kinds) > 1:
        raise SweepError(f"{path.name}: given {' and '.join(kinds)}; allowed: one of variants, grid, draws")
    empty = [name for name, choices in written.grid.items() if not choices]
    if empty:
        raise SweepError(f"{path.name}: grid.{empty[0]}: given an empty list; allowed: at least one value")
    return written


def _nearest(error: Mapping[str, Any], names: Iterable[str]) -> str:
    if error["type"] != "extra_forbidden":
        return f", given {error['input']!r}"
    near = nearest(str(error["loc"][-1]), names)
    return f"; did you mean {near!r}?" if near else f"; allowed: {', '.join(names)}"


def _variants(written: Written, declared: type[Experiment]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each variant's name, or its values in words, and what it changes; trials of one differ only in their seed."""
    if written.grid:
        found = (dict(zip(written.grid, chosen)) for chosen in itertools.product(*written.grid.values()))
    elif draws := written.draws:
        every = range(draws.count)
        found = ({name: _draw(name, of, n, draws.seed, declared) for name, of in draws.of.items()} for n in every)
    else:
        yield from written.variants.items() or [(written.values.get("preset", written.preset), {})]
        return
    for values in found:
        words = (f"{name}={f'{v:g}' if isinstance(v, float) else v}" for name, v in values.items())
        yield ", ".join(words), values


def _draw(name: str, source: Range | list[Any], number: int, seed: int, declared: type[Experiment]) -> Any:
    """A value that depends on nothing but its address, so further parameters or draws do not change it; four digits."""
    import numpy as np

    from gannb.random import key

    random = np.random.default_rng(key(seed, "sweep", name, number))
    if isinstance(source, list):
        return source[random.integers(len(source))]
    if not source.low < source.high or (source.scale == "log" and source.low <= 0):
        raise SweepError(f"draws.of.{name}: given {source.low:g} to {source.high:g}, {source.scale}; "
                         "allowed: low below high, and above 0 on a log scale")  # fmt: skip
    if declared.model_fields.get(name) is not None and declared.model_fields[name].annotation is int:
        return int(random.integers(round(source.low), round(source.high) + 1))
    if source.scale == "log":
        drawn = math.exp(random.uniform(math.log(source.low), math.log(source.high)))
    else:
        drawn = random.uniform(source.low, source.high)
    return min(source.high, max(source.low, float(f"{drawn:.4g}")))


def _trial(
    written: Written, declared: type[Experiment], label: str, changed: dict[str, Any], seed: int | None
) -> Trial:
    given = {"preset": written.preset} | written.values | changed | ({} if seed is None else {"seed": seed})
    values = presets.preset(written.notebook, given["preset"]) | given
    params = declared(**values)
    return Trial(label, getattr(params, "seed", None), params, {name: getattr(params, name) for name in values})


def _twins(trials: list[Trial]) -> list[str]:
    """Trials that would be the same run."""
    seen: dict[str, Trial] = {}
    faults = []
    for trial in trials:
        twin = seen.setdefault(trial.params.hash, trial)
        if twin is not trial:
            faults.append(f"trial {_named(trial.variant, trial.seed)} is the same as {_named(twin.variant, twin.seed)}")
    return faults


def _named(variant: str, seed: int | None) -> str:
    return f"{variant!r}" if seed is None else f"{variant!r}, seed {seed}"
