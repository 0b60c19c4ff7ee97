"""With few kernels, as on a card, and with plain operations, as on the CPU, angles and gradients are the same."""

import pytest
import torch

from gannb.experiments.motion import kinematics, rotations
from gannb.experiments.motion.data.synthetic import STYLES, record
from gannb.random import generator


def everything(few: bool, monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Angles, positions, and the gradients of weighted sums of them, in double precision."""
    pose = torch.as_tensor(record(STYLES[0], 2.0).pose).double()
    pose += 0.005 * torch.randn(pose.shape, generator=generator("noise"), dtype=torch.float64)
    pose.requires_grad_()
    monkeypatch.setattr(rotations, "_few", lambda x: few)
    angles, sideways = kinematics.read(pose)
    moved = kinematics.forward_kinematics(angles)
    found = [angles, sideways, moved]
    weights = [torch.randn(x.shape, generator=generator("weights"), dtype=torch.float64) for x in found]
    return [*found, *(torch.autograd.grad(x, pose, w, retain_graph=True)[0] for x, w in zip(found, weights))]


def test_few_kernels_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = everything(False, monkeypatch)
    monkeypatch.undo()
    few = everything(True, monkeypatch)
    assert all(x.abs().max() > 0.01 for x in plain)
    for one, other in zip(plain, few):
        torch.testing.assert_close(other, one, rtol=1e-8, atol=1e-10)


def test_each_has_the_gradient_of_its_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotations, "_few", lambda x: True)

    def drawn(name: str, *shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator(name), dtype=torch.float64).requires_grad_()

    frame, one, other = [drawn(axis, 3, 2, 1) for axis in "xyz"], drawn("one", 2, 4), drawn("other", 2, 4)
    for axis in range(3):
        assert torch.autograd.gradcheck(lambda *x: rotations.turn(x[:3], axis, x[3]), (*frame, one))  # noqa: B023
    assert torch.autograd.gradcheck(rotations.unit, drawn("vector", 3, 5))
    assert torch.autograd.gradcheck(rotations.hypot, (one, other))
    assert torch.autograd.gradcheck(rotations.angle_of, (one, other))


@pytest.mark.parametrize("few", [False, True])
def test_gradients_are_finite_where_vectors_vanish(few: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotations, "_few", lambda x: few)
    nothing = torch.zeros(3, 2, requires_grad=True)
    found = rotations.unit(nothing).sum() + rotations.hypot(*nothing[:2]).sum() + rotations.angle_of(*nothing[:2]).sum()
    found.backward()
    assert nothing.grad.isfinite().all()
