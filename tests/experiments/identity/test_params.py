"""The parameters of `identity`: arms differ by what they are named after, and impossible combinations are refused."""

import pytest

from gannb.config.faults import ParameterError
from gannb.config.presets import HOME
from gannb.config.yaml_files import read_yaml
from gannb.experiments.identity.params import VARIANTS, Identity


def changed(one: Identity, other: Identity) -> set[str]:
    return {name for name, value in one.settings().items() if value != other.settings()[name]}


def test_the_defaults_are_the_quick_preset() -> None:
    assert Identity(**read_yaml(HOME / "params/identity/quick.yaml")).settings() == Identity().settings()


def test_the_document_preset_is_the_second_version_at_full_scale() -> None:
    p = Identity(**read_yaml(HOME / "params/identity/document.yaml"))
    assert (p.batch_size, p.epochs, p.lr, p.precision) == (32, 150, 1e-4, "fp16")
    assert (p.removal, p.blend) == (0.3, 0.5)
    assert list(p.loss_weights().values()) == [2.0, 0.3, 0.05, 0.2, 0.5, 0.5]
    assert changed(p, p.variant("after")) == set()


def test_the_tuned_preset_is_valid() -> None:
    assert Identity(**read_yaml(HOME / "params/identity/tuned.yaml")).model == "residual"


@pytest.mark.parametrize("name", VARIANTS)
def test_every_arm_is_valid(name: str) -> None:
    assert all(getattr(Identity().variant(name), field) == value for field, value in VARIANTS[name].items())


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("conservative-removal", {"removal", "blend"}),
        ("in-512", {"similarity_width"}),
        ("protection", {"lambda_protection"}),
        (
            "new-weights",
            {"lambda_identity", "lambda_pose", "lambda_orthogonality", "lambda_contrast", "lambda_reconstruction"},
        ),
    ],
)
def test_an_ingredient_alone_changes_nothing_else(name: str, fields: set[str]) -> None:
    p = Identity()
    assert changed(p.variant("before"), p.variant(name)) == fields


def test_before_and_after_differ_by_the_four_ingredients_together() -> None:
    p = Identity()
    alone = [changed(p.variant("before"), p.variant(name)) for name in ("conservative-removal", "in-512", "protection")]
    assert changed(p.variant("before"), p.variant("after")) == set().union(
        *alone, changed(p.variant("before"), p.variant("new-weights"))
    )


def test_an_arm_does_not_resume_the_run_it_is_compared_with() -> None:
    assert Identity(resume="last").variant("after").resume == ""
    with pytest.raises(ValueError, match="no variant is called 'aftr'"):
        Identity().variant("aftr")


def test_first_phases() -> None:
    p = Identity()
    assert p.first_phase() == {}
    first = p.variant("identity-first").first_phase()
    assert first.pop("lambda_identity") == 5.0 and set(first.values()) == {0.0} and len(first) == 5
    assert list(p.variant("small-identity-first").first_phase()) == ["lambda_identity"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"similarity_width": 300}, "256 or 512"),
        ({"similarity_width": 256}, "the residual has no 256-d identity"),
        ({"width": 36}, "multiple of 8"),
        ({"people": 4}, "at least 2 people"),
        ({"compared": ["after", "bfore"]}, "unknown: bfore; allowed: before"),
        ({"removal": 1.5}, r"\[0, 1\]"),
    ],
)
def test_what_cannot_be_is_said(given: dict[str, object], says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        Identity(**given)
