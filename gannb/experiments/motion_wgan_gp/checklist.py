"""An executable checklist for the critic and the gradient penalty of a WGAN-GP: each row is a check that can fail.

It replaces a table of ticks (motion_wgan_gp, "checklist against the standard"). Inputs are left unchanged: critics are
copied, and torch's generators are restored. Claims W4, W5, W10, W12, W13, W15.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gannb.experiments.motion_wgan_gp.checks import CHECKS, LOSS_CHECKS, Loss, Penalty, Subject, Verdict
from gannb.random import seeded
from gannb.tables import ShownAsTable, Table


class Check(NamedTuple):
    """One row: what was checked, whether it holds, what was found, and why it matters."""

    name: str
    passed: bool
    found: str
    needed: str
    why: str


@dataclass(frozen=True, repr=False)
class Checklist(ShownAsTable):
    """All rows of one critic and one penalty."""

    rows: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every row holds."""
        return all(row.passed for row in self.rows)

    @property
    def failed(self) -> list[str]:
        """Names of the rows that do not hold."""
        return [row.name for row in self.rows if not row.passed]

    def table(self) -> Table:
        """One row per check."""
        columns = ("check", "holds", "found", "needed", "why")
        held = sum(row.passed for row in self.rows)
        return Table(columns, self.rows, note=f"{held} of {len(self.rows)} hold")


def check(critic: nn.Module, penalty: Penalty, real: Tensor, fake: Tensor, *, seed: int = 0) -> Checklist:
    """Run every check on a critic and a penalty, as they are used together in a training step.

    Args:
        critic: samples `[N, …]` to scores `[N]` or patch scores `[N, …]`.
        penalty: does all that the step does for the penalty, autocast's switching off included. A penalty that is
            handed its mixing is given as `penalties.drawing_mix(penalty)`.
        real: samples `[N, …]` with N >= 4; moved to where the critic is.
        fake: samples of the same shape.
        seed: of every draw of the checks.

    Raises:
        ValueError: a critic that is no module, or a batch that is too small or of two shapes.
    """
    if not isinstance(critic, nn.Module):
        raise ValueError(f"critic: given {type(critic).__name__}; a torch.nn.Module is needed (wrap a function in one)")
    if real.shape != fake.shape or len(real) < 4:
        raise ValueError(f"real {tuple(real.shape)} and fake {tuple(fake.shape)}: one shape and 4 samples are needed")
    device = next((p.device for p in critic.parameters()), real.device)
    real, fake = real.detach().to(device), fake.detach().to(device)
    subject = Subject(copy.deepcopy(critic).train(), penalty, real, fake, seed)
    with torch.no_grad(), seeded("checklist", seed, "settle"):
        for _ in range(30):  # power iterations of spectral norms move at every call in train mode, until they converge
            subject.critic(subject.real)
    return Checklist(tuple(_row(subject, seed, *row) for row in CHECKS))


def check_losses(critic_loss: Loss, generator_loss: Loss) -> Checklist:
    """Run the checks of the two losses, before the penalty and its weight are added.

    Args:
        critic_loss: of the scores `[N]` of real and of generated samples.
        generator_loss: of the scores of generated samples.
    """
    return Checklist(tuple(_row((critic_loss, generator_loss), 0, *row) for row in LOSS_CHECKS))


def compare(checklists: Mapping[str, Checklist]) -> Table:
    """Checklists side by side: one row per check, and a column for each of the critics or penalties, by its name."""
    names = [row.name for row in next(iter(checklists.values())).rows]
    rows = [(name, *(c.rows[i].passed for c in checklists.values())) for i, name in enumerate(names)]
    return Table(("check", *checklists), rows)


def _row(subject: Any, seed: int, name: str, verdict: Callable[[Any], Verdict], needed: str, why: str) -> Check:
    try:
        with seeded("checklist", seed, name):
            passed, found = verdict(subject)
    except Exception as error:  # a critic or penalty may raise anything: that is a row that does not hold
        message = str(error).strip().splitlines()[0][:100] if str(error) else ""
        passed, found = False, f"{type(error).__name__}: {message}"
    return Check(name, passed, found, needed, why)
