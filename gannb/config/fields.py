"""One declaration per parameter: default, bounds, slider, unit, meaning, group, and whether it may move.

Validation, YAML and papermill names, sliders, tooltips, tables and recorded trajectories all follow from it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from gannb.config.sources import Source
from gannb.control.parameter import Quantity


@dataclass(kw_only=True)
class Declaration(Quantity):
    """Everything said once about a parameter.

    Attributes:
        choices: the strings allowed.
        moves: whether it may move while the network learns.
        grows: whether a resumed run may be given a larger value (more epochs), everything else being equal.
        source: what it may name on this machine; None where it names nothing there.
        optional: whether the settings leave it out while it has its default, so that runs from before it came are the
            same as those without it.
        execution: whether it says how a run is carried out; such fields do not count as "other parameters".
        acts_when: of the parameters, whether this one has an effect under them; None: it always has. One without
            effect gets no slider, and the listing marks it.
    """

    group: str = "run"
    choices: tuple[str, ...] = ()
    moves: bool = False
    grows: bool = False
    source: Source | None = None
    optional: bool = False
    execution: bool = False
    acts_when: Callable[[Any], bool] | None = None

    @property
    def allowed(self) -> str:
        """What is allowed, in words; empty where anything of the type is."""
        if self.choices:
            return " | ".join(self.choices)
        return "" if math.isinf(self.low) and math.isinf(self.high) else super().allowed

    def fault(self, value: object) -> str | None:
        """Why a value of the right type, or one in a list, is not allowed; None where it is."""
        if isinstance(value, list):
            return next((fault for one in value if (fault := self.fault(one))), None)
        if self.choices:
            return None if value in self.choices else "unknown"
        if isinstance(value, str):
            return "text with a NUL character" if "\0" in value else None
        if isinstance(value, int) and value.bit_length() > 63:
            return "more than 63 bits"
        return None if isinstance(value, bool | dict) else super().fault(value)


ANY = Declaration()
"""No bounds."""


def param(default: Any, doc: str, kind: Declaration = ANY, **parts: Any) -> Any:
    """Declare a parameter of an experiment.

    Args:
        default: the quick preset's value.
        doc: what it means, in one line; says "(ours)" where the document gives no figure.
        kind: what it shares with others of its kind (see `gannb.config.kinds`).
        **parts: what differs from the kind, by the names in `Declaration`.
    """
    declared = dataclasses.replace(kind, doc=doc, **parts)
    return Field(default, json_schema_extra={"declaration": declared})  # type: ignore[dict-item]


def execution(default: Any, doc: str, **parts: Any) -> Any:
    """Declare how a run is carried out (device, folders); takes the parts of a `Declaration`."""
    return param(default, doc, group="execution", execution=True, **parts)
