"""The document's network and our residual: shapes, what removal and blend do, what stays untouched at yaw 0."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gannb.experiments.identity.layers import IdentityEnhancer, TokenPooling, YawGate
from gannb.experiments.identity.networks import IdentityTransformer, PoseResidual, clean
from gannb.random import seeded


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def turned(*yaw: float) -> torch.Tensor:
    return torch.tensor([[angle, 5.0, -3.0] for angle in yaw])


def network(**options: object) -> IdentityTransformer:
    with seeded(0, "network"):
        return IdentityTransformer(width=32, depth=1, **options)


def residual(**options: object) -> PoseResidual:
    with seeded(0, "residual"):
        return PoseResidual(**options)


@pytest.mark.parametrize("pooling", ["mean", "weighted", "attention"])
@pytest.mark.parametrize("gate", ["learned", "yaw"])
def test_shapes_and_gradients(pooling: str, gate: str) -> None:
    model = network(pooling=pooling, gate=gate)
    made = model(draw(4, 512), turned(0, 20, -50, 90))
    shapes = {name: list(getattr(made, name).shape) for name in made.__dataclass_fields__}
    assert shapes == {
        "output": [4, 512],
        "base": [4, 256],
        "identity": [4, 256],
        "contamination": [4, 256],
        "gate": [4, 1],
        "pose": [4, 3],
        "rebuilt": [4, 512],
        "base_output": [4, 512],
    }
    (made.output.square().mean() + made.rebuilt.square().mean() + made.pose.square().mean()).backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None]
    assert silent == ["feature_to_identity.weight", "feature_to_identity.bias"]  # only the 256-d comparison uses it


@given(removal=st.floats(0, 1), blend=st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_removal_and_blend_are_one_rescaled_subtraction(removal: float, blend: float) -> None:
    with seeded(0, "enhancer"):
        enhancer = IdentityEnhancer(16, 8, "learned")
    identity, pose_features = draw(3, 16), draw(3, 8, seed=1)
    enhanced, contamination, gate = enhancer(identity, pose_features, turned(0, 45, 90), removal, blend)
    assert torch.allclose(enhanced, identity - removal * blend * gate * contamination, atol=1e-5)


def test_removal_may_be_a_tensor_that_moves() -> None:
    model = network()
    features, pose = draw(2, 512), turned(30, 60)
    moving = model(features, pose, torch.tensor(0.3), torch.tensor(0.5)).output
    assert torch.equal(moving, model(features, pose, 0.3, 0.5).output)
    assert not torch.equal(moving, model(features, pose, 1.0, 1.0).output)
    assert torch.allclose(model(features, pose, 0.0, 1.0).output, model(features, pose).base_output)


def test_pose_reaches_the_tokens() -> None:
    model = network()
    features = draw(1, 512).expand(3, 512)
    base = model(features, turned(0, 40, -40)).base
    assert (base[0] - base[1]).abs().max() > 1e-4 and (base[1] - base[2]).abs().max() > 1e-4


def test_the_embedders_scale_only_scales_the_output() -> None:
    model, features, pose = network(), draw(2, 512), turned(10, 70)
    assert torch.allclose(model(20 * features, pose).output, 20 * model(features, pose).output, rtol=1e-3, atol=1e-3)


def test_pooling_kinds_start_from_the_mean_or_attend() -> None:
    tokens = draw(2, 8, 16)
    assert torch.allclose(TokenPooling(16, "weighted")(tokens), TokenPooling(16, "mean")(tokens), atol=1e-6)
    attending = TokenPooling(16, "attention")
    with torch.no_grad():
        attending.query.copy_(1e4 * tokens[0, 3])
    assert torch.allclose(attending(tokens)[0], tokens[0, (tokens[0] @ tokens[0, 3]).argmax()], atol=1e-4)


@pytest.mark.parametrize("made", [lambda: TokenPooling(8, "max"), lambda: IdentityEnhancer(8, 4, "shut")])
def test_unknown_kinds_are_named(made: object) -> None:
    with pytest.raises(ValueError, match="allowed are"):
        made()


@given(yaw=st.floats(-180, 180), closed=st.floats(0, 30))
@settings(max_examples=60, deadline=None)
def test_the_yaw_gate_is_shut_below_its_angle_and_symmetric(yaw: float, closed: float) -> None:
    gate = YawGate(closed)
    value, mirrored = gate(turned(yaw)).item(), gate(turned(-yaw)).item()
    assert value == mirrored and 0 <= value <= 1
    assert value == 0 if abs(yaw) <= closed else True


def test_the_yaw_gate_opens_with_yaw_and_learns_without_nan() -> None:
    gate = YawGate()
    opened = gate(turned(0, 15, 16, 30, 45, 60, 90)).squeeze()
    assert (opened.diff() >= 0).all() and opened[0] == opened[1] == 0 and opened[-1] > 0.99
    opened.sum().backward()
    assert all(torch.isfinite(p.grad) and p.grad != 0 for p in gate.parameters())
    assert gate(turned(35)).item() == pytest.approx(1 - torch.tensor(-1.0).exp().item(), abs=1e-5)  # 15° + opens_at


def test_a_learned_gate_times_the_yaw_gate_is_shut_for_frontal_faces() -> None:
    made = network(gate="yaw")(draw(2, 512), turned(0, 80), 1.0, 1.0)
    assert torch.equal(made.output[0], made.base_output[0]) and not torch.allclose(made.output[1], made.base_output[1])


@pytest.mark.parametrize("scale", [1.0, 25.0])
def test_the_residual_gives_frontal_features_back(scale: float) -> None:
    raw = scale * draw(3, 512)
    model = residual()
    assert torch.equal(model(raw, turned(0, 10, -15)).output, raw)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model(raw, turned(0, 10, -15)).output, raw)


def test_the_residual_takes_nothing_outside_its_subspace() -> None:
    model, raw = residual(rank=5), draw(6, 512)
    basis = model.basis()
    assert torch.allclose(basis.T @ basis, torch.eye(5), atol=1e-5)
    made = model(raw, turned(20, -35, 50, 65, -80, 90))
    outside = torch.eye(512) - basis @ basis.T
    assert torch.allclose(made.output @ outside, raw @ outside, atol=1e-4)
    left = 1 - made.gate
    assert torch.allclose(made.output @ basis, left * (raw @ basis), atol=1e-4)


def test_the_residuals_parts_add_up_and_all_learn() -> None:
    model, raw = residual(), draw(4, 512)
    made = model(raw, turned(20, -35, 50, 65), 0.4, 0.5)
    assert torch.allclose(made.rebuilt, raw, atol=1e-5)
    assert torch.allclose(raw - made.output, 0.2 * made.gate * made.contamination, atol=1e-5)
    (made.output.square().sum() + made.pose.square().sum()).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


def test_clean_goes_in_batches_and_leaves_the_model_as_it_was() -> None:
    model = residual().train()
    raw, pose = draw(7, 512), turned(0, 20, 40, 60, 80, -20, -90)
    assert torch.allclose(clean(raw, pose, model, batch=3), model(raw, pose).output, atol=1e-6)
    assert model.training and not clean(raw, pose, model).requires_grad


def test_bad_sizes_are_named() -> None:
    with pytest.raises(ValueError, match="not divisible by 8 heads"):
        IdentityTransformer(width=36)
    with pytest.raises(ValueError, match="rank must lie in"):
        PoseResidual(rank=0)
    with pytest.raises(ValueError, match="closed_below"):
        YawGate(-1)


def test_a_centred_residual_measures_from_its_centre_at_any_scale() -> None:
    model, raw, pose = residual(centred=True, rank=5), draw(4, 512), turned(10, 40, 60, 90)
    plain = residual(rank=5)
    plain.load_state_dict(model.state_dict(), strict=False)
    assert torch.equal(model(raw, pose).output, plain(raw, pose).output), "the centre starts at 0"
    with torch.no_grad():
        model.centre.copy_(raw[3] / raw[3].norm())
    made = model(raw, pose).output
    assert torch.equal(made[0], raw[0]) and torch.allclose(made[3], raw[3], atol=1e-5)
    assert torch.allclose(model(20 * raw, pose).output, 20 * made, rtol=1e-3, atol=1e-3)
