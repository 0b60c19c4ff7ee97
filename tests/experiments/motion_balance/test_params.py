"""The parameters of `motion_balance`: a strategy sets its column, and what is given goes before it."""

import pytest

from gannb.config.faults import ParameterError
from gannb.config.presets import HOME
from gannb.config.yaml_files import read_yaml
from gannb.experiments.motion_balance.params import EXTENSIONS, MotionBalance, variants
from gannb.experiments.motion_balance.strategies import STRATEGIES


def preset(name: str) -> MotionBalance:
    return MotionBalance(**read_yaml(HOME / f"params/motion_balance/{name}.yaml"))


def changed(one: MotionBalance, other: MotionBalance) -> set[str]:
    return {name for name, value in one.settings().items() if value != other.settings()[name]}


def test_the_defaults_are_the_quick_preset() -> None:
    assert preset("quick").settings() == MotionBalance().settings()


def test_the_document_preset_is_the_documents() -> None:
    p = preset("document")
    assert (p.width, p.epochs, p.precision, p.mixed_from, p.rules) == (256, 500, "fp16", 10, "literal")
    assert (p.warmup_epochs, p.curriculum_epochs, p.g_turns, p.d_turns) == (10, 50, 4, 1)
    assert (p.detail_initial, p.detail_final, p.physics_initial, p.physics_final) == (0.3, 1.0, 0.5, 2.0)
    assert p.balance == STRATEGIES["merged"]


def test_the_tuned_preset_repairs_the_rules_and_bends_joints() -> None:
    p = preset("tuned")
    assert (p.rules, p.head, p.balance) == ("repaired", "angles", STRATEGIES["merged"])


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_sets_its_column(name: str) -> None:
    assert MotionBalance(strategy=name).balance == STRATEGIES[name]
    assert MotionBalance().variant(name).balance == STRATEGIES[name]


def test_what_is_given_goes_before_the_strategy() -> None:
    p = MotionBalance(strategy="legacy", max_skips=7)
    assert (p.max_skips, p.d_strong_below) == (7, 0.25)


@pytest.mark.parametrize("name", variants())
def test_every_arm_is_valid_and_differs_as_it_says(name: str) -> None:
    p = MotionBalance()
    arm, told = p.variant(name), variants()[name]
    column = set(p.filled) if "strategy" in told else set()
    assert changed(p, arm) <= set(told) | column | {"compared"}
    assert all(getattr(arm, field) == value for field, value in told.items())


def test_an_arm_of_a_strategy_forgets_what_was_given_for_its_column_and_others_keep_it() -> None:
    p = MotionBalance(max_skips=7, epochs=5, seeds=3)
    assert (p.variant("legacy").max_skips, p.variant("repaired").max_skips) == (5, 7)
    arm = p.variant("legacy", seed=11)
    assert (arm.epochs, arm.seed, arm.seeds, arm.compared) == (5, 11, 1, [])


def test_mixed_precision_begins_where_the_warm_up_ends() -> None:
    assert MotionBalance(warmup_epochs=4).mixed_from == 4
    assert MotionBalance(warmup_epochs=4, strategy="legacy").mixed_from == -1
    assert MotionBalance(warmup_epochs=4, mixed_from=0).mixed_from == 0


def test_without_rules_nothing_is_ever_skipped() -> None:
    assert MotionBalance().variant("no-rules").balance.d_strong_below == 0.0


def test_an_ingredient_taken_away_is_the_only_change() -> None:
    p = MotionBalance()
    assert changed(p, p.variant("without-attention")) == {"body_hand", "compared"}
    assert changed(p, p.variant("without-curriculum")) == {"curriculum", "compared"}
    assert changed(p, p.variant("without-mixed-precision")) == {"mixed_from", "compared"}


@pytest.mark.parametrize("road", EXTENSIONS)
def test_a_further_road_is_the_only_change(road: str) -> None:
    p = MotionBalance()
    assert changed(p, p.variant(road)) - {"compared"} == set(EXTENSIONS[road])
    assert (p.graph_layers, p.d_time_scales) == ("AGAGA", [1]), "and none is taken by default"


def test_every_number_of_the_rules_and_the_curriculum_may_move() -> None:
    names = {number.name for number in MotionBalance().dynamic()}
    assert {"d_turns", "g_turns", "lr_d_scale", "lr_g_scale", "detail_weight", "physics_weight"} <= names
    assert {"d_strong_below", "g_weak_above", "max_skips", "label_offset", "real_label", "lr_g"} <= names


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"strategy": "medium"}, "legacy | baseline_branch"),
        ({"warmup_epochs": 50}, "after the warm-up"),
        ({"real_label": 0.1, "fake_label": 0.09}, "twice label_offset"),
        ({"width": 20}, "multiples of 16"),
        ({"n_mels": 30}, "multiple of 8"),
        ({"compared": ["legcy"]}, "unknown: legcy"),
        ({"d_turns": 3}, "0, 2"),
        ({"graph_layers": "AGX"}, "letters A, G and T"),
        ({"graph_layers": ""}, "letters A, G and T"),
        ({"d_time_scales": [1, 3]}, "some of 1, 2 and 4"),
        ({"d_time_scales": [2, 2]}, "some of 1, 2 and 4"),
        ({"time_warp": 1.0}, "time_warp"),
        ({"d_turns": 0}, "allowed at first: 1 or more"),
    ],
)
def test_what_cannot_be_is_said(told: dict[str, object], says: str) -> None:
    with pytest.raises(ParameterError) as refused:
        MotionBalance(**told)
    assert says in str(refused.value)
