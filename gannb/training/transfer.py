"""Start from other weights: what of a file matches the networks, which layers learn, and at which rates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gannb.runs import weights
from gannb.runs.checks import RunError
from gannb.training.player import Player, layers
from gannb.training.state import TrainingState


def scale_rates(params: Any, players: Sequence[Player]) -> None:
    """Freeze the first layers of D, and give layers their factor of the learning rate, as `params` say.

    Raises:
        RunError: a player or a layer that is not there, or nothing left to learn.
    """
    rates: dict[str, dict[str, float]] = {}
    for name, rate in params.layer_rates.items():
        rates.setdefault(name.partition(".")[0], {})[name.partition(".")[2]] = float(rate)
    known = {player.name: player for player in players}
    if params.freeze_d and "D" in known:
        there = layers(known["D"].module)
        if params.freeze_d >= len(there):
            raise RunError(f"freeze_d: given {params.freeze_d}, D has {len(there)} layers: {', '.join(there)}")
        rates["D"] = dict.fromkeys(there[: params.freeze_d], 0.0) | rates.get("D", {})
    elif params.freeze_d:
        raise RunError(f"freeze_d: this run has no D; it has: {', '.join(known)}")
    for name, factors in rates.items():
        if name not in known:
            raise RunError(f"layer_rates: no player is called {name!r}; there are: {', '.join(known)}")
        try:
            known[name].scale_rates(factors)
        except ValueError as error:
            raise RunError(f"layer_rates, freeze_d: {error}") from error


@torch.no_grad()
def initialise(state: TrainingState) -> None:
    """Copy what matches from the weights that `init_from` names, and report what matched, was resized or was left.

    A tensor of another size is filled as far as both reach, and keeps its initial values beyond. A network and its
    average take the part of the file whose names fit them best, the average an average where there is one.

    Raises:
        RunError: no file of weights, or nothing in it that matches.
    """
    file, found = weights.read(state.run.params)
    copied = 0
    for player in state.players.values():
        parts = {"module": player.module, "average": player.average}
        for part, module in ((part, module) for part, module in parts.items() if module is not None):
            prefix = _prefix(found, state.players, player.name, part)
            report = _copy(found, prefix, module.state_dict()) if prefix is not None else {}
            copied += len(report.get("matched", [])) + len(report.get("resized", []))
            state.run.event("initialised", player=player.name, part=part, file=file, prefix=prefix, report=report)
            if part == "module":
                print(f"{player.name} starts from {file}: {_said(report)}" if report else f"{player.name} starts anew")
    if not copied:
        ours = next(iter(state.players.values())).module.state_dict()
        some = f"its names are such as {', '.join(list(found)[:3])}, this run's such as {', '.join(list(ours)[:3])}"
        raise RunError(f"init_from: nothing in {file} matches a network of this run; {some}")


def _prefix(found: Mapping[str, Tensor], players: Mapping[str, Player], name: str, part: str) -> str | None:
    """What stands before a player's names in the file; None where what is there fits another player better."""
    fits = {other: _fits(found, player.module.state_dict()) for other, player in players.items()}

    def rank(prefix: str) -> tuple[Any, ...]:
        averaged = "average" in prefix or "ema" in prefix.lower()
        return fits[name][prefix], averaged == (part == "average"), prefix[:1].upper() == name[:1]

    if not fits[name]:
        return None
    best = max(fits[name], key=rank)
    return best if all(fits[name][best] >= other.get(best, (0, 0)) for other in fits.values()) else None


def _fits(found: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> dict[str, tuple[int, int]]:
    """By what stands before a network's names in the file: tensors of equal shape, tensors of equal names."""
    shapes, names = Counter[str](), Counter[str]()
    for theirs, tensor in found.items():
        starts = [0, *(i + 1 for i, letter in enumerate(theirs) if letter in "./")]
        for start in (start for start in starts if theirs[start:] in ours):
            names[theirs[:start]] += 1
            shapes[theirs[:start]] += tensor.shape == ours[theirs[start:]].shape
    return {prefix: (shapes[prefix], names[prefix]) for prefix in names}


def _copy(found: Mapping[str, Tensor], prefix: str, ours: Mapping[str, Tensor]) -> dict[str, list[str]]:
    report: dict[str, list[str]] = {"matched": [], "resized": [], "left": [], "unused": []}
    for name, mine in ours.items():
        theirs = found.get(prefix + name)
        if theirs is None or theirs.ndim != mine.ndim:
            report["left"].append(name)
            continue
        both = tuple(slice(min(sizes)) for sizes in zip(mine.shape, theirs.shape))
        mine[both].copy_(theirs[both])
        report["matched" if mine.shape == theirs.shape else "resized"].append(name)
    report["unused"] = (
        [n for n in found if n.startswith(prefix) and n.removeprefix(prefix) not in ours] if prefix else []
    )
    return report


def _said(report: Mapping[str, list[str]]) -> str:
    """The counts of a report, with the first names of what did not simply match."""
    named = {kind: ", ".join([*names[:3], *["…"] * (len(names) > 3)]) for kind, names in report.items()}
    kinds = [kind for kind, names in report.items() if names or kind == "matched"]
    return ", ".join(
        f"{len(report[kind])} {kind}" + (f" ({named[kind]})" if kind != "matched" else "") for kind in kinds
    )
