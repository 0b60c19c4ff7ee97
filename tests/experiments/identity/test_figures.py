"""The figures of the identity experiment show what the model and the scores say."""

import pytest
import torch

from gannb.experiments.identity import faces
from gannb.experiments.identity.figures import variants_by_yaw, what_if
from gannb.experiments.identity.metrics import compare, improvement
from gannb.experiments.identity.networks import PoseResidual, clean
from gannb.experiments.identity.synthetic import synthesise
from gannb.random import seeded


@pytest.fixture(scope="module")
def aimed() -> faces.Faces:
    return synthesise(6, 12, seed=0).with_targets()


@pytest.fixture(scope="module")
def model() -> PoseResidual:
    with seeded(0, "model"):
        return PoseResidual()


def test_arms_are_lines_of_mean_changes(aimed: faces.Faces) -> None:
    arms = {"raw": compare(aimed.features, aimed), "opposite": compare(-aimed.features, aimed)}
    shown = variants_by_yaw(arms)
    assert [trace.name for trace in shown.data] == ["raw", "opposite"]
    assert list(shown.data[0].y) == [0] * 6
    assert shown.data[1].y[0] == pytest.approx(float(improvement(arms["opposite"], 0, 15)), abs=1e-5)


def test_what_if_shows_the_result_at_the_true_yaw_and_nothing_removed_at_zero(aimed, model) -> None:
    face = int(aimed.yaw.argmax())
    raw, result, removed, here = what_if(model, aimed, face, removal=0.8, blend=0.5).data
    one = aimed[torch.tensor([face])]
    cleaned = clean(one.features, one.pose, model, removal=0.8, blend=0.5)
    assert here.x[0] == one.pose[0, 0] and here.y[0] == pytest.approx(compare(cleaned, one).after.item(), abs=1e-5)
    middle = list(result.x).index(0)
    assert removed.y[middle] == 0 and result.y[middle] == pytest.approx(raw.y[0], abs=1e-6)
    assert max(removed.y) > 0


def test_what_if_names_a_face_that_is_not_there(aimed, model) -> None:
    with pytest.raises(IndexError, match=f"there are {len(aimed)}"):
        what_if(model, aimed, len(aimed), removal=1, blend=1)
