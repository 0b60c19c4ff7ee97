"""All numbers of a run that may move, each with its one driver and a person's hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol

from gannb.control.echo import hint
from gannb.control.parameter import DynamicParameter, Move

if TYPE_CHECKING:
    import torch


class Driver(Protocol):
    """What moves numbers: a fold over what was seen, with no trainer inside.

    The same driver runs in training and over a recorded trace.

    Attributes:
        names: the numbers it moves; no other driver may move them.
    """

    names: tuple[str, ...]

    def __call__(self, step: int, seen: Mapping[str, float], values: Mapping[str, float]) -> Mapping[str, float]:
        """What the numbers should be from this step on; an absent name stays where it is.

        `seen` holds what the step before logged ("D/loss", "D/grad_norm", …; a player that did not play is absent);
        `values` holds all numbers as they stand.
        """

    def state_dict(self) -> dict[str, Any]:
        """What it has to remember, as JSON."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""


class Now:
    """The numbers of one step: whole numbers as Python ints, the others as 0-d tensors on the device.

    Tensors, because a Python float would be baked into a compiled graph. `now.plain` holds Python numbers, for what
    must not wait for the device (learning rates, who plays).
    """

    def __init__(self, numbers: Mapping[str, Any], plain: SimpleNamespace) -> None:
        self.__dict__.update(numbers)
        self.plain = plain

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"no number is called {name!r}{hint(name, self.__dict__)}")

    def replace(self, **numbers: Any) -> Now:
        """The same numbers with some others in their place, as a look-ahead needs."""
        merged = {k: v for k, v in self.__dict__.items() if k != "plain"} | numbers
        return Now(merged, self.plain)


class Numbers:
    """The numbers that may move: one driver each at most, plus a person's hold.

    Args:
        parameters: the numbers.
        check: given all values as they would be after a move, and the names that moved, says what is wrong with them
            together, or None; rules across fields hold for moves too.
    """

    def __init__(
        self,
        parameters: Iterable[DynamicParameter],
        check: Callable[..., str | None] | None = None,
    ) -> None:
        self.parameters = {p.name: p for p in parameters}
        self.drivers: list[Driver] = []
        self._check = check
        self._refused: dict[str, str] = {}
        self._packed: tuple[tuple, Now] | None = None

    @classmethod
    def of(cls, experiment: Any) -> Numbers:
        """The numbers that an experiment's parameter class declares as moving."""
        return cls(experiment.dynamic(), check=experiment.fault_in)

    @classmethod
    def plain(cls, **values: float) -> Numbers:
        """Unbounded numbers by name; for toys and tests."""
        return cls(DynamicParameter(k, v, integer=isinstance(v, int)) for k, v in values.items())

    def __getitem__(self, name: str) -> DynamicParameter:
        if name not in self.parameters:
            raise KeyError(f"no number is called {name!r}{hint(name, self.parameters)}")
        return self.parameters[name]

    def drive(self, *drivers: Driver) -> Numbers:
        """Let drivers move their numbers.

        Raises:
            ValueError: a number has a driver already; multiply two numbers instead.
        """
        for driver in drivers:
            for name in driver.names:
                if self[name].driver != "constant":
                    raise ValueError(
                        f"{name!r} is driven by {self[name].driver!r} already; one driver per number: "
                        f"let the second drive a number of its own and multiply the two where they are used"
                    )
                self[name].driver = label(driver)
            self.drivers.append(driver)
        return self

    def values(self) -> dict[str, float]:
        """All values as Python numbers."""
        return {name: p.value for name, p in self.parameters.items()}

    def move(self, step: int, name: str, value: float, by: str) -> Move:
        """Request a move. It is applied, or refused with a reason; the answer says which.

        Args:
            step: the step boundary.
            name: the number.
            value: the value requested.
            by: who requests it: "person", "replay", or the label of a driver.

        Raises:
            KeyError: no number of this name.
        """
        number = self[name]
        fault = number.fault(value)
        if fault is None and self._check is not None:
            fault = self._check(self.values() | {name: value}, name)
        move = Move(step, name, number.value, value, by, f"refused: {fault}" if fault else "applied")
        if fault is None:
            number.take(value)
        return move

    def put(self, values: Mapping[str, float]) -> None:
        """Set several at once and release them.

        Raises:
            ValueError: they do not fit the others, by a rule across fields.
        """
        if self._check is not None and (fault := self._check(self.values() | dict(values), *values)):
            raise ValueError(f"{', '.join(f'{n}={v:g}' for n, v in values.items())}: {fault}")
        for name, value in values.items():
            self[name].take(value)
            self[name].held = False

    def advance(self, step: int, seen: Mapping[str, float]) -> list[Move]:
        """Let every driver move its numbers; returns what changed, and what was refused for a new reason.

        Raises:
            ValueError: a driver moves a number that is not its own.
        """
        moves = []
        for driver in self.drivers:
            for name, value in driver(step, seen, self.values()).items():
                if name not in driver.names:
                    raise ValueError(f"driver {label(driver)!r} moves {name!r}, which is not among its names")
                if self[name].held or value == self[name].value:
                    continue
                move = self.move(step, name, value, label(driver))
                if move.applied or self._refused.get(name) != move.outcome:
                    moves.append(move)
                self._refused[name] = move.outcome
        return moves

    def now(self, device: torch.device | str = "cpu") -> Now:
        """The numbers of this step; one packed copy to the device, and none while nothing moves."""
        values = tuple(self.values().items())
        address = (str(device), values)
        if self._packed is None or self._packed[0] != address:
            import torch

            pinned = torch.device(device).type == "cuda"  # then the copy does not wait for the device
            host = torch.tensor([float(v) for _, v in values], pin_memory=pinned)
            packed = host.to(device, non_blocking=True).unbind() if values else ()
            numbers = {k: v if isinstance(v, int) else t for (k, v), t in zip(values, packed)}
            self._packed = (address, Now(numbers, SimpleNamespace(**dict(values))))
        return self._packed[1]

    @property
    def reads(self) -> bool:
        """Whether any driver reads what was seen (schedules do not, so nothing has to wait for the device)."""
        return any(getattr(d, "reads", True) for d in self.drivers)

    def state_dict(self) -> dict[str, Any]:
        """Values, holds and drivers' states, as JSON."""
        return {
            "numbers": {n: {"value": p.value, "held": p.held} for n, p in self.parameters.items()},
            "drivers": [{"label": label(d), "state": d.state_dict()} for d in self.drivers],
            "refused": dict(self._refused),
        }

    def load_state_dict(self, state: dict[str, Any], *, strict: bool = True) -> None:
        """Restore what `state_dict` gave.

        Args:
            state: the state.
            strict: off for a branch: only what is on both sides is restored.

        Raises:
            ValueError: other numbers or drivers than now, unless `strict` is off.
        """
        saved, drivers = state["numbers"], state["drivers"]
        if strict and saved.keys() != self.parameters.keys():
            raise ValueError(f"the saved numbers differ from these: {sorted(saved.keys() ^ self.parameters.keys())}")
        if strict and [d["label"] for d in drivers] != [label(d) for d in self.drivers]:
            raise ValueError(f"the saved drivers {[d['label'] for d in drivers]} differ from these: {self.drivers}")
        for name in saved.keys() & self.parameters.keys():
            self.parameters[name].take(saved[name]["value"])
            self.parameters[name].held = saved[name]["held"]
        self.load_drivers(state)
        self._refused = dict(state["refused"])

    def load_drivers(self, state: dict[str, Any]) -> None:
        """Restore what the drivers had seen, and leave the values as they are, as after a rollback."""
        for driver, was in zip(self.drivers, state["drivers"]):
            if was["label"] == label(driver):
                driver.load_state_dict(was["state"])


def label(driver: Driver) -> str:
    """How a driver is called in events, panels and plots."""
    return getattr(driver, "label", type(driver).__name__.lower())
