"""A player: a network with its loss, optimiser, gradient scaler and average."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from gannb import distributed
from gannb.training.turn import Turn

CONTAINERS = nn.Sequential | nn.ModuleList | nn.ModuleDict
MOVED_EVERY = 50
"""Steps between two looks at how far an update moves the weights."""


class Player:
    """One network that learns.

    Args:
        name: how turns and logs call it ("G", "D", "model").
        module: the network; parameters that are frozen when it comes here stay so.
        loss: a pure function of a `Turn` that gives a scalar.
        lr: the learning rate as a function of this step's plain numbers: `lambda now: now.lr_d * now.lr_d_scale`;
            or one a parameter group, by the group's name.
        betas, eps, weight_decay: Adam's (decoupled decay).
        clip_norm: the largest gradient norm; 0 clips nothing.
        ema: decay of an average of the weights; 0 keeps none.
        groups: parameters with a learning rate of their own, by group name; the rest is the group "".

    Raises:
        ValueError: a decay outside [0, 1), or groups without a learning rate each.
    """

    def __init__(
        self,
        name: str,
        module: nn.Module,
        loss: Callable[[Turn], Tensor],
        *,
        lr: Callable[[Any], float] | dict[str, Callable[[Any], float]],
        betas: tuple[float, float] = (0.0, 0.9),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        clip_norm: float = 0.0,
        ema: float = 0.0,
        groups: dict[str, list[nn.Parameter]] | None = None,
    ) -> None:
        if not 0 <= ema < 1:
            raise ValueError(f"ema of {name}: given {ema}; allowed: [0, 1)")
        self.name, self.module, self.loss = name, module, loss
        self.lr = lr if isinstance(lr, dict) else {"": lr}
        self.clip_norm, self.ema = clip_norm, ema
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        all_groups = _groups(module, groups or {}, self.lr)
        self.optimiser = torch.optim.AdamW(all_groups, betas=betas, eps=eps, weight_decay=weight_decay, fused=True)
        self.optimiser._warned_capturable_if_run_uncaptured = True  # eager turns are meant: no warning of torch's
        self._materialise()
        self.average: nn.Module | None = copy.deepcopy(module).requires_grad_(False).eval() if ema else None
        self.scaler: torch.amp.GradScaler | None = None

    def update(self, turn: Turn, autocast: AbstractContextManager, scaled: bool) -> dict[str, Tensor | float]:
        """Take one step down this player's loss; returns what was logged, as "<name>/…" device scalars.

        Logged are "loss", "grad_norm" (before clipping), what the loss logs, under fp16 "skipped", and every
        `MOVED_EVERY` steps "moved": how far the weights went, as a share of their norm.

        Args:
            turn: what the loss may see.
            autocast: the precision of the forward pass.
            scaled: whether to scale gradients (fp16). An update whose gradients overflow is skipped and logged.
        """
        self.set_rates(turn.now.plain)
        before = self.weights_before(turn)
        return self.named(self.compute(turn, autocast, scaled), before)

    def set_rates(self, plain: Any) -> None:
        """Set the learning rates of this step, from its plain numbers."""
        for group in self.optimiser.param_groups:
            group["lr"].fill_(float(self.lr[group["name"]](plain)) * group["factor"])

    def scale_rates(self, factors: Mapping[str, float]) -> None:
        """Multiply the learning rates of layers; 0 freezes one. To be called before the first update.

        Args:
            factors: by the beginning of parameters' names, whole parts of them; the longest that fits counts.

        Raises:
            ValueError: a layer that is not there, or nothing left to learn.
        """
        names = {parameter: name for name, parameter in self.module.named_parameters()}
        for layer in factors:
            if not any(f"{name}.".startswith(f"{layer}.") for name in names.values()):
                raise ValueError(f"{self.name} has no layer {layer!r}; it has: {', '.join(layers(self.module))}")
        groups: list[dict[str, Any]] = []
        for group in self.optimiser.param_groups:
            scaled: dict[float, list[nn.Parameter]] = {}
            for parameter in group["params"]:
                fitting = [layer for layer in factors if f"{names[parameter]}.".startswith(f"{layer}.")]
                scaled.setdefault(factors[max(fitting, key=len)] if fitting else 1.0, []).append(parameter)
            for parameter in scaled.pop(0.0, []):
                parameter.requires_grad_(False)
                del self.optimiser.state[parameter]
            groups += [{**group, "params": p, "factor": f, "lr": group["lr"].clone()} for f, p in scaled.items()]
        if not groups:
            raise ValueError(f"every layer of {self.name} is frozen: nothing is left to learn")
        self.optimiser.param_groups[:] = groups
        self.parameters = [parameter for parameter in self.parameters if parameter.requires_grad]

    def forget_unscaled(self) -> None:
        """Let the scaler begin a step anew, after one that Python went through and the device did not."""
        if self.scaler:
            self.scaler._per_optimizer_states.clear()

    def compute(self, turn: Turn, autocast: AbstractContextManager, scaled: bool) -> dict[str, Tensor | float]:
        """All that a turn computes on the device: forward, backward, clipping, update, average; returns log scalars.

        Args:
            turn: what the loss may see.
            autocast: the precision of the forward pass.
            scaled: whether to scale gradients (fp16).
        """
        self.optimiser.zero_grad(set_to_none=True)
        with autocast:
            loss = self.loss(turn)
        scaler = self.scaler if scaled else None
        (scaler.scale(loss) if scaler else loss).backward()
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        distributed.average_(gradients)
        if scaler:
            scaler.unscale_(self.optimiser)
        norm = nn.utils.get_total_norm(gradients)
        if self.clip_norm:
            nn.utils.clip_grads_with_norm_(self.parameters, self.clip_norm, norm)
        logged = {"loss": loss.detach(), "grad_norm": norm, **turn.logged}
        if scaler:
            scaler.step(self.optimiser)
            scaler.update()
            logged["skipped"] = (~torch.isfinite(norm)).float()
        else:
            self.optimiser.step()
        self._update_average()
        return logged

    def weights_before(self, turn: Turn) -> list[Tensor]:
        """Copies of the weights (of any shape) where "moved" is due in this turn; else nothing."""
        return [p.detach().clone() for p in self.parameters] if turn.is_multiple(MOVED_EVERY) else []

    def named(self, logged: dict[str, Tensor | float], before: list[Tensor]) -> dict[str, Tensor | float]:
        """What a turn logged, by "<name>/…", scalars; with "moved" where there are weights of before."""
        if before:
            logged["moved"] = _relative_change(self.parameters, before)
        return {f"{self.name}/{key}": value for key, value in logged.items()}

    def tensors(self) -> dict[str, Tensor]:
        """Everything that is saved, hashed and loaded, of any shape, by name: weights, average, Adam's moments."""
        out = {f"module/{k}": v for k, v in self.module.state_dict().items()}
        if self.average is not None:
            out |= {f"average/{k}": v for k, v in self.average.state_dict().items()}
        for key, parameter in self.module.named_parameters():
            out |= {f"adam/{key}/{k}": v for k, v in self.optimiser.state.get(parameter, {}).items()}
        return out

    def state_dict(self) -> dict[str, Any]:
        """What is not a tensor: the scaler's state."""
        return {"scaler": self.scaler.state_dict() if self.scaler else None}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the scaler's state back."""
        if self.scaler and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])

    @torch.no_grad()
    def _update_average(self) -> None:
        """Move the average of the weights; buffers are copied."""
        if self.average is None:
            return
        torch._foreach_lerp_(list(self.average.parameters()), list(self.module.parameters()), 1 - self.ema)
        pairs = list(zip(self.average.buffers(), self.module.buffers()))
        for dtype in {mine.dtype for mine, _ in pairs}:  # one kernel takes one type
            mine, theirs = zip(*(pair for pair in pairs if pair[0].dtype == dtype))
            torch._foreach_copy_(list(mine), list(theirs))

    def _materialise(self) -> None:
        """Give Adam its moments now, so that there is one list of tensors from step 0 on to save and to load into."""
        for parameter in self.parameters:
            self.optimiser.state[parameter] = {
                "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }


def layers(module: nn.Module) -> list[str]:
    """The layers of a network that have parameters, in order: its parts, or the parts of those that hold several."""
    containers = {name for name, part in module.named_children() if isinstance(part, CONTAINERS)}
    names = [name.split(".") for name, _ in module.named_parameters()]
    return list(dict.fromkeys(".".join(name[: 1 + (name[0] in containers)]) for name in names))


@torch.no_grad()
def _relative_change(now: Sequence[Tensor], before: list[Tensor]) -> Tensor:
    """‖now − before‖ / ‖now‖."""
    change, size = nn.utils.get_total_norm(torch._foreach_sub(list(now), before)), nn.utils.get_total_norm(now)
    return change / size.clamp_min(1e-12)


def _groups(module: nn.Module, groups: dict[str, list[nn.Parameter]], lr: dict[str, Any]) -> list[dict[str, Any]]:
    if set(groups) | {""} != set(lr):
        raise ValueError(
            f"groups {sorted(groups)} need one learning rate each besides the rest's (''); given {sorted(lr)}"
        )
    named = {id(p) for members in groups.values() for p in members}
    rest = [p for p in module.parameters() if p.requires_grad and id(p) not in named]
    return [_group(name, members) for name, members in {"": rest, **groups}.items() if members]


def _group(name: str, members: list[nn.Parameter]) -> dict[str, Any]:
    """A group of the optimiser; it reads its learning rate from a tensor on the device, as captured turns need."""
    cuda = members[0].is_cuda
    rate = torch.zeros((), dtype=torch.float32 if cuda else torch.float64, device=members[0].device)
    return {"params": members, "name": name, "factor": 1.0, "lr": rate, "capturable": cuda}
