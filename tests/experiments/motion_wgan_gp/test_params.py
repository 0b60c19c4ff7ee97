"""The parameters of `motion_wgan_gp`: what its presets say, what moves, and what a toy's training is told."""

import pytest

from gannb.config.faults import ParameterError
from gannb.config.presets import HOME
from gannb.config.yaml_files import read_yaml
from gannb.experiments.motion_balance.params import MotionBalance
from gannb.experiments.motion_wgan_gp.params import OPTIONS, MotionWganGp


def preset(name: str) -> MotionWganGp:
    return MotionWganGp(**read_yaml(HOME / f"params/motion_wgan_gp/{name}.yaml"))


def test_the_defaults_are_the_quick_preset() -> None:
    assert preset("quick").settings() == MotionWganGp().settings()


def test_the_document_preset_is_the_documents() -> None:
    """Its λ, turns of the critic and the paper's Adam (W1); label smoothing and balance have no parameter (W3)."""
    p = preset("document")
    assert (p.gp_weight, p.n_critic, p.lr_g, p.lr_d, p.beta1, p.beta2) == (10.0, 5, 1e-4, 1e-4, 0.0, 0.9)
    assert (p.toy_gp_weight, p.toy_lr_d, p.clip_frames, p.adversarial_weight) == (10.0, 1e-4, [64], 1.0)
    assert not {"real_label", "strategy", "max_skips"} & set(p.settings())


def test_the_tuned_preset_has_two_time_scales_and_growing_clips() -> None:
    p = preset("tuned")
    assert (p.lr_g, p.lr_d, p.head, p.clip_frames) == (5e-5, 1e-4, "angles", [16, 32, 64])


def test_the_sliders() -> None:
    names = {number.name for number in MotionWganGp().dynamic()}
    assert {"gp_weight", "n_critic", "one_sided", "lr_g", "lr_d", "drift", "adversarial_weight"} <= names
    assert {"detail_weight", "physics_weight"} <= names
    assert not any(name.startswith("toy_") for name in names), "a toy's numbers have sliders of their own"


def test_a_toy_is_told_what_the_run_is_told() -> None:
    p = MotionWganGp(seed=3, toy_gp_weight=5.0, defect="dropout", threads=1)
    told = p.toy("Swiss roll", steps=7)
    assert (told.toy, told.seed, told.gp_weight, told.defect, told.threads, told.steps) == (
        "Swiss roll", 3, 5.0, "dropout", 1, 7,
    )  # fmt: skip


def test_sequences_get_fewer_steps_of_fewer_samples() -> None:
    p = MotionWganGp(toy_steps=100, toy_batch=40)
    told = p.toy("sequences")
    assert (told.steps, told.batch_size, told.width) == (10, 10, p.toy_width // 2)


@pytest.mark.parametrize("name", ["same", *OPTIONS])
def test_every_option_is_an_arm_that_differs_in_nothing_else(name: str, tmp_path) -> None:
    p = MotionWganGp(resume="last", lr_g=3e-4, lr_d=3e-4, n_critic=4, clip_frames=[32, 64])
    arm = p.variant(name, seed=7, runs=str(tmp_path))
    changed = {n for n, v in p.settings().items() if v != arm.settings()[n]}
    assert changed == {"seed", "compared", *OPTIONS.get(name, {})}
    assert (arm.seed, arm.resume) == (7, "")


def test_the_rival_has_the_same_clips_networks_and_curriculum(tmp_path) -> None:
    p = MotionWganGp(width=32, seconds=30.0, stride=8, body_hand="off", warmup_epochs=5, batch_size=4, ema=0.9)
    rival = MotionBalance.baseline_for(p, name="least-squares", seed=2, runs=str(tmp_path))
    for name in (
        "width",
        "seconds",
        "stride",
        "body_hand",
        "warmup_epochs",
        "batch_size",
        "ema",
        "detail_final",
        "data",
    ):
        assert getattr(rival, name) == getattr(p, name), name
    assert (rival.seed, rival.rules, rival.mixed_from) == (2, "repaired", -1)


def test_an_arm_is_known() -> None:
    with pytest.raises(ValueError, match="two-rates"):
        MotionWganGp().variant("least-squares", seed=0, runs="")


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"clip_frames": [16, 40]}, "multiples of 16"),
        ({"clip_frames": [32, 16]}, "ascending"),
        ({"clip_frames": []}, "ascending"),
        ({"frames": 24}, "a multiple of 16"),
        ({"toys": []}, "one toy at least"),
        ({"toys": ["sequences", "sequences"]}, "each once"),
        ({"lambdas": []}, "one λ at least"),
        ({"lambdas": [0.0, 1e6]}, "[0, 1000]"),
        ({"defect": "dim1"}, "did you mean 'dim_1'"),
        ({"n_critic": 0}, "n_critic"),
        ({"warmup_epochs": 60}, "after the warm-up"),
        ({"width": 24}, "multiples of 16"),
    ],
)
def test_what_cannot_be_is_said(told: dict[str, object], says: str) -> None:
    with pytest.raises(ParameterError) as refused:
        MotionWganGp(**told)
    assert says in str(refused.value)
