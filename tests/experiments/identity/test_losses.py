"""The six identity losses against closed forms, and where their gradients go."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gannb.control.numbers import Numbers
from gannb.experiments.identity import losses
from gannb.experiments.identity.networks import build
from gannb.experiments.identity.params import Identity
from gannb.experiments.identity.synthetic import synthesise
from gannb.random import Draws, seeded
from gannb.training.turn import Turn

E1, E2 = torch.eye(512)[:2]


def test_identity_similarity_is_zero_one_two_for_alike_square_and_opposite() -> None:
    target = E1.expand(3, 512)
    for output, wanted in ((5 * E1, 0.0), (E2, 1.0), (-E1, 2.0)):
        assert losses.identity_similarity(output.expand(3, 512), target).item() == pytest.approx(wanted, abs=1e-6)


def test_pose_is_predicted_in_units_of_ninety_degrees() -> None:
    pose = torch.tensor([[90.0, 0.0, -45.0]])
    assert losses.pose_regression(torch.tensor([[1.0, 0.0, -0.5]]), pose).item() == 0
    assert losses.pose_regression(torch.zeros(1, 3), pose).item() == pytest.approx((1 + 0.25) / 3)


@given(angle=st.floats(0, math.pi))
@settings(max_examples=30, deadline=None)
def test_orthogonality_is_the_squared_cosine(angle: float) -> None:
    turned = math.cos(angle) * E1 + math.sin(angle) * E2
    found = losses.orthogonality(3 * E1.unsqueeze(0), turned.unsqueeze(0)).item()
    assert found == pytest.approx(math.cos(angle) ** 2, abs=1e-5)


def test_contrast_of_two_separate_pairs() -> None:
    identity = torch.stack([E1, E1, E2, E2])
    person = torch.tensor([0, 0, 1, 1])
    # each face: its partner at cosine 1, two others at 0
    wanted = -math.log(math.exp(10) / (math.exp(10) + 2))
    assert losses.contrast(identity, person).item() == pytest.approx(wanted, rel=1e-2)
    warm = -math.log(math.exp(1) / (math.exp(1) + 2))
    assert losses.contrast(identity, person, temperature=1.0).item() == pytest.approx(warm, rel=1e-5)
    assert losses.contrast(identity, torch.tensor([0, 1, 0, 1])) > losses.contrast(identity, person)


def test_contrast_of_faces_without_partners_is_zero_and_differentiable() -> None:
    identity = torch.randn(4, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    cost = losses.contrast(identity, torch.arange(4))
    cost.backward()
    assert cost.item() == 0 and torch.isfinite(identity.grad).all()


def test_contrast_leaves_lonely_faces_out_of_the_mean() -> None:
    pair = torch.stack([E1, E1, E2])
    lonely = losses.contrast(pair, torch.tensor([0, 0, 1]), temperature=1.0).item()
    assert lonely == pytest.approx(-math.log(math.exp(1) / (math.exp(1) + 1)), rel=1e-5)


def test_reconstruction_is_the_lost_share_of_the_energy() -> None:
    raw = torch.stack([4 * E1, E2])
    assert losses.reconstruction(raw, raw).item() == 0
    assert losses.reconstruction(torch.zeros(2, 512), raw).item() == pytest.approx(1.0)
    assert losses.reconstruction(torch.stack([2 * E1, E2]), raw).item() == pytest.approx(0.125)


def test_protection_costs_only_a_fall() -> None:
    raw = torch.stack([E1 + E2, E1 + E2])
    target = torch.stack([E1, E1])
    output = torch.stack([E1, E2])  # one face gained 1 − √½, the other lost √½
    assert losses.protection(output, target, raw).item() == pytest.approx(math.sqrt(0.5) / 2, rel=1e-5)
    assert losses.protection(target, target, raw).item() == 0


def test_protection_detached_cannot_be_met_by_a_worse_base() -> None:
    base = (E1 + 0.5 * E2).unsqueeze(0).requires_grad_()
    output = (E1 + E2).unsqueeze(0).requires_grad_()
    losses.protection(output, E1.unsqueeze(0), base).backward()
    assert base.grad is None and output.grad.abs().sum() > 0
    output.grad = None
    losses.protection(output, E1.unsqueeze(0), base, detached=False).backward()
    step = base.detach() - 0.1 * base.grad
    cosine = torch.nn.functional.cosine_similarity
    assert cosine(step, E1.unsqueeze(0)) < cosine(base, E1.unsqueeze(0))  # the literal reading makes the base worse


@pytest.mark.parametrize("scale", [1e-2, 1.0, 30.0])
def test_the_length_of_a_feature_does_not_matter(scale: float) -> None:
    raw, out, target = torch.randn(3, 5, 512, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(losses.reconstruction(scale * out, scale * raw), losses.reconstruction(out, raw), rtol=1e-4)
    assert torch.allclose(
        losses.protection(scale * out, target, scale * raw), losses.protection(out, target, raw), rtol=1e-4
    )
    assert torch.allclose(
        losses.identity_similarity(scale * out, target), losses.identity_similarity(out, target), rtol=1e-4
    )


def batch(model: torch.nn.Module, p: Identity) -> Turn:
    """One turn of the network on a few synthetic faces, with the parameters' own numbers."""
    faces = synthesise(5, 6, seed=0).with_targets()
    return Turn("model", {"model": model}, faces.for_batches(), Numbers.of(p).now(), Draws(0, 0, 0), 0)


@pytest.mark.parametrize("variant", ["before", "after", "own-base", "repaired"])
def test_the_objective_is_the_weighted_sum_of_the_six_terms(variant: str) -> None:
    p = Identity(width=16).variant(variant)
    with seeded(0, "model"):
        model = build(p)
    turn = batch(model, p)
    out, faces = model(turn.batch.features, turn.batch.pose, p.removal, p.blend), turn.batch
    narrow = p.similarity_width == 256
    pair = (out.identity, model.feature_to_identity(faces.target)) if narrow else (out.output, faces.target)
    before = out.base_output if p.protect == "base" else faces.features
    wanted = {
        "identity": losses.identity_similarity(*pair),
        "pose": losses.pose_regression(out.pose, faces.pose),
        "orthogonality": losses.orthogonality(out.identity, out.contamination),
        "contrast": losses.contrast(out.identity, faces.identity),
        "reconstruction": losses.reconstruction(out.rebuilt, faces.features),
        "protection": losses.protection(out.output, faces.target, before, detached=p.protect == "raw"),
    }
    found = losses.Losses(p).loss(turn)
    assert {name: float(value) for name, value in turn.logged.items()} == {k: float(v) for k, v in wanted.items()}
    weighted = sum(torch.tensor(getattr(p, f"lambda_{name}")) * value for name, value in wanted.items())
    assert float(found) == float(weighted)
    found.backward()
    assert all(torch.isfinite(w.grad).all() for w in model.parameters() if w.grad is not None)
