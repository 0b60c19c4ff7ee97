"""A player: fused Adam from step 0, the average in closed form, clipping, groups, what stays frozen."""

from __future__ import annotations

import copy
from contextlib import nullcontext

import pytest
import torch
from torch import nn

from gannb.control.numbers import Numbers
from gannb.random import Draws, generator, seeded
from gannb.training.player import MOVED_EVERY, Player
from gannb.training.turn import Turn
from tests.training.regimes import REGIMES, open_run


def network():
    with seeded(0, "player"):
        return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))


def turn(player, step=1, **numbers):
    batch = torch.randn(16, 3, generator=generator("batch", step))
    now = Numbers.plain(lr=1e-2, **numbers).now()
    return Turn(player.name, {player.name: player.module}, batch, now, Draws(0, step), step)


def loss(turn):
    return (turn.model(turn.batch).squeeze(1) - turn.batch[:, 0]).square().mean()


def player(module, **more):
    return Player("model", module, more.pop("loss", loss), lr=more.pop("lr", lambda now: now.lr), **more)


def same(one, two):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_materialised_moments_are_plain_fused_adam_to_the_bit(decay):
    mine = player(network(), betas=(0.5, 0.9), weight_decay=decay)
    plain = network()
    adam = torch.optim.AdamW(plain.parameters(), lr=1e-2, betas=(0.5, 0.9), weight_decay=decay, fused=True)
    for step in range(1, 8):
        mine.update(turn(mine, step), nullcontext(), scaled=False)
        adam.zero_grad()
        (plain(turn(mine, step).batch).squeeze(1) - turn(mine, step).batch[:, 0]).square().mean().backward()
        adam.step()
    assert same(mine.module, plain)


def test_the_average_in_closed_form():
    mine = player(network(), ema=0.9)
    weights = [copy.deepcopy(mine.module.state_dict())]
    for step in range(1, 6):
        mine.update(turn(mine, step), nullcontext(), scaled=False)
        weights.append(copy.deepcopy(mine.module.state_dict()))
    for name, average in mine.average.state_dict().items():
        expected = weights[0][name].double() * 0.9**5
        expected = expected + sum(0.1 * 0.9 ** (5 - n) * weights[n][name].double() for n in range(1, 6))
        if "running" in name or "num_batches" in name:
            expected = weights[5][name].double()  # buffers are copied
        torch.testing.assert_close(average.double(), expected, rtol=1e-5, atol=1e-7)
    assert not mine.average.training


def test_the_norm_is_told_before_clipping_and_the_step_is_clipped():
    steps = {}
    for clip in (0.0, 1e-4):
        mine = player(network(), clip_norm=clip)
        before = [p.detach().clone() for p in mine.parameters]
        seen = mine.update(turn(mine), nullcontext(), scaled=False)
        squares = sum(p.grad.square().sum() for p in mine.parameters).sqrt()
        steps[clip] = (float(seen["model/grad_norm"]), float(squares))
        assert not torch.equal(before[0], mine.parameters[0])
    assert steps[0.0][0] == pytest.approx(steps[1e-4][0]) == pytest.approx(steps[0.0][1])
    assert steps[1e-4][1] == pytest.approx(1e-4, rel=1e-2)


def test_the_learning_rate_is_read_at_every_turn_a_group_its_own():
    module = network()
    mine = player(
        module, lr={"": lambda now: now.lr, "last": lambda now: 0.0}, groups={"last": [*module[3].parameters()]}
    )
    before = copy.deepcopy(module)
    mine.update(turn(mine), nullcontext(), scaled=False)
    assert same(module[3], before[3]) and not same(module[0], before[0])
    with pytest.raises(ValueError, match="groups \\['last'\\] need one learning rate each"):
        player(network(), groups={"last": []})


def test_frozen_parameters_stay_frozen_and_as_they_are(tmp_path):
    module = network()
    module[0].requires_grad_(False)
    mine = player(module, ema=0.5, weight_decay=0.1)
    before = copy.deepcopy(module)
    for step in range(3):
        mine.update(turn(mine, step), nullcontext(), scaled=False)
    assert same(module[0], before[0]) and not same(module[3], before[3])
    assert not any(name.startswith("adam/0.") for name in mine.tensors())
    assert same(mine.average[0], before[0])


def test_the_others_are_frozen_in_a_turn_only(tmp_path):
    trainer = REGIMES["balance"](open_run(tmp_path))
    D, G = trainer.players["D"], trainer.players["G"]
    G.parameters[0].grad = None
    frozen = []
    own, D.loss = D.loss, lambda turn: (frozen.append([p.requires_grad for p in G.parameters]), own(turn))[1]
    trainer.turns = lambda now, step: ["D"]
    trainer.fit(steps=1)
    assert not any(frozen[0]) and all(p.requires_grad for p in G.parameters)
    assert G.parameters[0].grad is None


def test_how_far_the_weights_went_is_told_now_and_then():
    mine = player(network())
    before = [p.detach().clone() for p in mine.parameters]
    seen = mine.update(turn(mine, MOVED_EVERY), nullcontext(), scaled=False)
    far = sum((p - q).square().sum() for p, q in zip(mine.parameters, before)).sqrt()
    size = sum(p.square().sum() for p in mine.parameters).sqrt()
    assert float(seen["model/moved"]) == pytest.approx((far / size).item(), rel=1e-5)
    assert "model/moved" not in mine.update(turn(mine, MOVED_EVERY + 1), nullcontext(), scaled=False)


def test_what_a_loss_logs_is_one_number_each():
    def logging(turn):
        turn.log(half=0.5, first=turn.batch[0, 0])
        return loss(turn)

    mine = player(network(), loss=logging)
    seen = mine.update(turn(mine), nullcontext(), scaled=False)
    assert seen["model/half"] == 0.5
    with pytest.raises(ValueError, match="log scores: a single number"):
        turn(mine).log(scores=torch.zeros(3))


def test_a_misspelt_network_or_number_names_the_nearest():
    mine = player(network())
    with pytest.raises(AttributeError, match="did you mean 'model'"):
        turn(mine).modle  # noqa: B018
    with pytest.raises(AttributeError, match="did you mean 'lr'"):
        turn(mine).now.lrr  # noqa: B018


def test_a_decay_outside_its_range_is_refused():
    with pytest.raises(ValueError, match=r"ema of model: given 1; allowed: \[0, 1\)"):
        player(network(), ema=1)
