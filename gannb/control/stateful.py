"""State of drivers and alarms that goes through JSON, so that a resumed run goes on where it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class Stateful:
    """Saves and restores some attributes by their names.

    Attributes:
        kept: their names; all hold JSON values that are replaced, never changed in place.
    """

    kept: ClassVar[tuple[str, ...]] = ()

    def state_dict(self) -> dict[str, Any]:
        """The attributes, as JSON."""
        return {name: getattr(self, name) for name in self.kept}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave.

        Raises:
            ValueError: something else was saved.
        """
        if state.keys() != {*self.kept}:
            raise ValueError(f"{type(self).__name__}: saved {sorted(state)}, expected {sorted(self.kept)}")
        for name in self.kept:
            setattr(self, name, state[name])
