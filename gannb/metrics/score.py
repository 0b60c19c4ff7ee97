"""A score that carries its protocol, and a table of scores.

A number such as "FID 48" means nothing without its protocol: how many real and generated images, which split, which
features, which resizing. A `Score` never travels without it, and a score that is unavailable says why.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from gannb.metrics.long_names import long_name
from gannb.runs.files import write_text
from gannb.tables import ShownAsTable, Table


class ScoreMissing(ValueError):
    """A score's value was asked for, but the score is unavailable; the message says why."""


@dataclass(frozen=True)
class Score:
    """One score: value, error, floor, protocol; or the reason why it is unavailable.

    Args:
        name: its name, which is its protocol's short form (`fid_500_all`: 500 generated against all real images).
        value: the score, None where it is unavailable.
        error: one standard error (protocol["error"] says of what kind), None where none is known.
        interval: a 95 % interval (low, high), where one was computed.
        floor: what real images score against real images under the same protocol, where it was measured.
        protocol: `n_real, n_fake, split, features, resize, …`: JSON values only.
        reason: why there is no value.

    Raises:
        ValueError: neither value nor reason, both, or a value that is not a finite number.
    """

    name: str
    value: float | None = None
    error: float | None = None
    interval: tuple[float, float] | None = None
    floor: float | None = None
    protocol: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason is None):
            raise ValueError(f"score {self.name!r} needs either a value or a reason why it is unavailable")
        for part in ("value", "error", "floor"):
            object.__setattr__(self, part, self._number(part, getattr(self, part)))
        if self.interval is not None:
            low, high = (self._number("interval", end) for end in self.interval)
            object.__setattr__(self, "interval", (low, high))
        object.__setattr__(self, "protocol", dict(self.protocol))

    def _number(self, part: str, given: Any) -> float | None:
        if given is None:
            return None
        number = float(given)
        if not math.isfinite(number):
            raise ValueError(f"score {self.name!r}: its {part} is {number}, a finite number is needed")
        return number

    @classmethod
    def missing(cls, name: str, reason: str, **protocol: Any) -> Score:
        """A score that is unavailable, and why."""
        return cls(name, reason=reason, protocol=protocol)

    @property
    def available(self) -> bool:
        """Whether there is a value."""
        return self.value is not None

    def __float__(self) -> float:
        if self.value is None:
            raise ScoreMissing(f"{self.name} is unavailable: {self.reason}")
        return self.value

    @property
    def text(self) -> str:
        """`value ± error`, with as many digits as the error supports (four without an error)."""
        if self.value is None:
            return "unavailable"
        if not self.error:
            return f"{self.value:.4g}"
        digits = _digits(self.error)
        return f"{self.value:.{digits}f} ± {self.error:.{digits}f}"

    def ranged(self, signed: bool = False) -> str:
        """`value [low, high]`, as many digits as its width supports; the value alone without an interval."""
        if self.value is None:
            return "unavailable"
        sign = "+" if signed else ""
        low, high = self.interval or (self.value, self.value)
        if low == high:
            return f"{self.value:{sign}.4g}" + (f" [{low:{sign}.4g}, {high:{sign}.4g}]" if self.interval else "")
        digits = _digits((high - low) / 2)
        while digits < 8 and any(end and not round(end, digits) for end in (low, high)):
            digits += 1  # an end beside 0 must not read as 0
        form = f"{sign}.{digits}f"
        return f"{self.value:{form}} [{low:{form}}, {high:{form}}]"

    def __repr__(self) -> str:
        if not self.available:
            return f"{self.name}: unavailable ({self.reason})"
        facts = {"floor": f"{self.floor:.4g}"} if self.floor is not None else {}
        if self.interval:
            facts["95 %"] = "{:.4g} … {:.4g}".format(*self.interval)
        facts |= {key: value for key, value in self.protocol.items() if value is not None}
        return f"{self.name} = {self.text}" + (
            f"  [{', '.join(f'{k}: {v}' for k, v in facts.items())}]" if facts else ""
        )

    def _repr_html_(self) -> str:
        return Scores([self])._repr_html_()

    def as_dict(self) -> dict[str, Any]:
        """`{value, error, interval, floor, protocol, reason}`, JSON values only."""
        stored = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "name"}
        return stored | {"interval": list(self.interval) if self.interval else None, "protocol": dict(self.protocol)}

    @classmethod
    def from_dict(cls, name: str, stored: Mapping[str, Any]) -> Score:
        """The reverse of `as_dict`."""
        known = {key: stored.get(key) for key in ("value", "error", "interval", "floor", "reason")}
        return cls(name, protocol=stored.get("protocol") or {}, **known)


def _digits(error: float) -> int:
    """Decimals at which an error has two digits, at most 8."""
    return min(8, max(0, 1 - math.floor(math.log10(error))))


class Scores(ShownAsTable, Mapping[str, Score]):
    """Scores by name: a table in a notebook, plain text elsewhere, `scores.kid_faed` in code, JSON both ways.

    Args:
        scores: the scores, in the order in which they are shown.
        notes: sentences shown below the table (such as "grey images: channel repeated").

    Raises:
        ValueError: the same name twice.
    """

    def __init__(self, scores: Iterable[Score] = (), notes: Iterable[str] = ()) -> None:
        self._scores: dict[str, Score] = {}
        for score in scores:
            if score.name in self._scores:
                raise ValueError(f"two scores are called {score.name!r}")
            self._scores[score.name] = score
        self.notes = tuple(dict.fromkeys(notes))

    def __getitem__(self, name: str) -> Score:
        if name not in self._scores:
            near = get_close_matches(name, self._scores, n=3, cutoff=0.5)
            raise KeyError(
                f"no score {name!r}; {'nearest' if near else 'there are'}: {', '.join(near or self._scores)}"
            )
        return self._scores[name]

    def __getattr__(self, name: str) -> Score:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError as unknown:
            raise AttributeError(unknown.args[0]) from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._scores]

    def __iter__(self) -> Iterator[str]:
        return iter(self._scores)

    def __len__(self) -> int:
        return len(self._scores)

    def __or__(self, other: Scores) -> Scores:
        """Both tables in one; `other`'s score where both have one, unless only this one is available."""
        merged = dict(self._scores)
        for name, score in other._scores.items():
            if score.available or name not in merged:
                merged[name] = score
        return Scores(merged.values(), self.notes + other.notes)

    def table(self) -> Table:
        """One row per score that is available, without empty columns; the others are named below it."""
        available = [score for score in self.values() if score.available]
        protocol = ("n_real", "n_fake", "split", "features")
        rows = [(score.name, score.text, score.floor, *map(score.protocol.get, protocol)) for score in available]
        columns = ("score", "value", "floor", "real", "generated", "split", "features")
        reasons: dict[str, list[str]] = {}
        for score in self.values():
            if score.reason is not None:
                reasons.setdefault(score.reason, []).append(score.name)
        unavailable = [f"unavailable: {', '.join(names)} ({reason})" for reason, names in reasons.items()]
        filled = [i for i in range(len(columns)) if i < 2 or any(row[i] is not None for row in rows)]
        rows = [tuple(row[i] for i in filled) for row in rows]
        return Table(tuple(columns[i] for i in filled), rows, note="\n".join([*self.notes, *unavailable]))

    def _repr_html_(self) -> str:
        """The table, with the names in words: a page has room for them."""
        table = self.table()
        rows = [(name, long_name(name), *rest) for name, *rest in table.rows]
        return replace(table, columns=("score", "in words", *table.columns[1:]), rows=rows)._repr_html_()

    def as_dict(self) -> dict[str, Any]:
        """`{"metrics": {name: {value, error, interval, floor, protocol, reason}}, "notes": […]}`."""
        return {"metrics": {name: score.as_dict() for name, score in self.items()}, "notes": list(self.notes)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Scores:
        """The reverse of `as_dict`; a run's `summary.json` is accepted too.

        Raises:
            ValueError: there is nothing under "metrics".
        """
        if "metrics" not in stored:
            raise ValueError(f'scores are stored under "metrics"; found only {", ".join(stored) or "nothing"}')
        return cls((Score.from_dict(name, s) for name, s in stored["metrics"].items()), stored.get("notes") or ())

    def to_json(self) -> str:
        """As JSON text (strict: never NaN)."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False, allow_nan=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write as JSON, whole or not at all."""
        write_text(Path(path), self.to_json() + "\n")
