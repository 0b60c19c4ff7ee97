"""The parameters of `schedules`: variants share bounds, change what they are named after, the rest is refused."""

from __future__ import annotations

import pytest

from gannb.config import presets
from gannb.config.faults import ParameterError
from gannb.experiments.schedules.meta.control_space import DOCUMENT_FEATURES
from gannb.experiments.schedules.params import ABLATIONS, VARIANTS, Schedules


def document() -> Schedules:
    return Schedules(**presets.preset("schedules", "document"))


def test_the_document_preset_is_the_documents_configuration() -> None:
    p = document()
    assert (p.data, p.batch_size, p.lr_g, p.lr_d, p.epochs) == ("cifar10", 64, 2e-4, 2e-4, 200)
    assert (p.meta_lr, p.update_every, p.move_every, p.hidden) == (1e-3, 5, 0, [128, 64])
    assert [(r.initial, r.final) for r in p.ranges] == [(1.0, 0.01), (0.8, 0.1), (10.0, 1.0)]
    assert list(p.shapes.values()) == ["exponential", "linear", "cosine"]


def test_quick_is_three_variants_and_two_seeds() -> None:
    p = Schedules(**presets.preset("schedules", "quick"))
    assert (len(p.variants), p.seeds, p.ablations) == (3, 2, [])
    assert p.settings() == Schedules().settings()


@pytest.mark.parametrize("name", [*VARIANTS, *ABLATIONS])
@pytest.mark.parametrize("p", [Schedules(), document()], ids=["quick", "document"])
def test_a_variant_changes_what_it_is_named_after_and_keeps_the_bounds(name: str, p: Schedules) -> None:
    other = p.configured_as(name, 7, runs="there")
    changed = VARIANTS.get(name) or ABLATIONS[name]
    assert all(getattr(other, field) == value for field, value in changed.items())
    assert other.variant == VARIANTS.get(name, {"variant": "learned"})["variant"]
    assert (other.seed, other.runs, other.preset, other.live) == (7, "there", name, "off")
    if name in ABLATIONS:
        assert [(r.low, r.high) for r in other.ranges] == [(r.low, r.high) for r in p.ranges]
        left = {"variant", "seed", "variants", "ablations"} | changed.keys()
        assert {k for k, v in p.settings().items() if v != other.settings()[k]} <= left


def test_constants_stand_where_their_name_says() -> None:
    p = Schedules()
    low, middle = (p.configured_as(f"constant-{where}", 0, runs="") for where in ("low", "middle"))
    assert (low.instance_noise, low.augment_strength, low.reg_weight) == pytest.approx((0.01, 0.1, 1.0))
    assert (middle.instance_noise, middle.augment_strength) == pytest.approx((0.1, 0.45))  # noise by its logarithm
    assert middle.reg_weight == pytest.approx(10**0.5)


def test_the_literal_noise_is_another_number() -> None:
    p = Schedules().configured_as("literal-noise", 0, runs="")
    assert p.ranges[0].name == "latent_scale" and p.instance_noise == 0.0
    assert set(p.shapes) == {r.name for r in p.ranges}


def test_each_feature_is_left_out_once() -> None:
    for name in DOCUMENT_FEATURES:
        assert set(DOCUMENT_FEATURES) - set(ABLATIONS[f"without-{name}"]["state"]) == {name}


def test_an_unknown_variant_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="no variant is called 'lerned'"):
        Schedules().configured_as("lerned", 0, runs="")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"variants": ["fixd"]}, "unknown: fixd; allowed: fixed"),
        ({"ablations": ["gru"]}, "unknown: gru; allowed: lstm"),
        ({"variants": ["hand"]}, r"needs the interventions\.yaml"),
        ({"image_size": 50}, r"image size 50; allowed: .*; nearest: 48"),
        ({"image_size": 48, "image_width": 64, "augment": "quarter_turns"}, "quarter_turns need square images"),
        ({"network_options": {"spectral": True}}, "d_norm sets"),
        ({"network_options": {"dropout": 0.2}}, "it needs regulariser = spectral"),
        ({"validation": 0.5, "test": 0.5}, "at least a tenth"),
        ({"augment": "flip"}, "unknown: flip; allowed: hflip"),
        ({"state": ["loss_x"]}, "unknown: loss_x"),
        ({"state": []}, "at least one of"),
        ({"hidden": [0]}, "widths of 1 and more"),
        ({"hidden": [], "controller": "lstm"}, "an LSTM needs one"),
        ({"loss": "wasserstein", "d_norm": "own"}, "BatchNorm couples the batch"),
        ({"d_norm": "own"}, "three derivatives"),
        ({"variant": "fixed", "d_norm": "own"}, "three derivatives"),
        ({"regulariser": "spectral", "d_norm": "own"}, "needs d_norm 'spectral'"),
        ({"regulariser": "spectral", "reg_weight": 0.0}, "above 0"),
        ({"quality_weight": 0.0, "stability_weight": 0.0}, "needs a weight above 0"),
        ({"quality_weight": 0.0, "method": "policy"}, "decrease of the validation distance"),
        ({"method": "frozen"}, "needs controller_from"),
        ({"variant": "exponential", "instance_noise_final": 0.0}, "instance_noise 1 to 0 in the variant exponential"),
        ({"instance_noise": 0.0}, "above 0: instance_noise 0 to 0.01 in the variant document"),
        ({"variants": ["exponential"], "reg_weight_final": 0.0}, "reg_weight 10 to 0 in the variant exponential"),
        ({"variants": ["only-noise"], "instance_noise_final": 0.0}, "instance_noise 1 to 0 in the variant only-noise"),
        ({"network": "stylegun"}, "allowed: dcgan | sagan | stylegan2"),
        ({"network": "stylegan2", "noise": "latent_scale", "instance_noise": 0.0}, "latent_scale would change nothing"),
        ({"batch_size": 2}, "batch_size"),
    ],
)
def test_what_cannot_be_is_said(given: dict[str, object], says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        Schedules(**given)


def test_batch_norm_in_d_is_for_other_estimators() -> None:
    assert Schedules(d_norm="own", method="evolution").d_norm == "own"
    assert Schedules(d_norm="own", network="r3gan").network == "r3gan", "which has no BatchNorm"
    assert Schedules(d_norm="own", variant="fixed", variants=["fixed", "cosine"]).d_norm == "own"


@pytest.mark.parametrize("given", [{"instance_noise": "abc"}, {"reg_weight_final": None}, {"noise": "no such"}])
def test_an_end_that_is_no_number_is_named_as_such(given: dict[str, object]) -> None:
    with pytest.raises(ParameterError, match=f"^schedules: {next(iter(given))}: given"):
        Schedules(**given)


def test_numbers_may_stand_at_0_where_nothing_anneals_them_and_move_there_by_hand() -> None:
    nothing = {"instance_noise": 0.0, "augment_strength": 0.0, "reg_weight": 0.0}
    assert Schedules(variant="fixed", variants=["fixed", "linear"], **nothing).ranges[0].initial == 0
    assert Schedules().fault_in(nothing) is None


def test_a_move_to_where_a_rule_breaks_is_refused() -> None:
    p = Schedules(regulariser="spectral")
    assert "above 0" in p.fault_in({"reg_weight": 0.0}) and p.fault_in({"reg_weight": 1.0}) is None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"network": "r3gan"}, "conditional networks: dcgan, sagan, stylegan2"),
        ({"transfer_to": "rendered"}, "rendered: images without classes; take others, or transfer to none"),
        ({"data": "celeba"}, "celeba: images without classes"),
        ({"network_options": {"classes": 3}}, "the data says how many classes"),
        ({"labels": "labels.csv"}, "labels are for a folder of images, and digits is none"),
    ],
)
def test_what_cannot_be_conditional_is_named(given: dict, says: str) -> None:
    good = {"conditional": True, "transfer_to": ""}
    assert Schedules(**good).conditional and Schedules(conditional=True, variant="fixed").conditional
    with pytest.raises(ParameterError, match=says):
        Schedules(**{**good, **given})


def test_a_transfer_from_files_to_a_data_set_by_name_leaves_their_options_behind(tmp_path) -> None:
    (tmp_path / "image.png").touch()
    of_files = Schedules(data=str(tmp_path), colour="rgba", fit="pad", runs=str(tmp_path))
    assert of_files.configured_as("fixed", 0, runs="").colour == "rgba"
    there = of_files.configured_as("fixed", 0, runs="", data="rendered")
    assert (there.data, there.colour, there.fit) == ("rendered", "rgb", "resize")
