"""Abstention: calibrated on training people alone; what is unsure comes back raw."""

import pytest
import torch

from gannb.experiments.identity import abstention, networks
from gannb.experiments.identity.metrics import compare
from gannb.experiments.identity.params import Identity
from gannb.experiments.identity.synthetic import synthesise
from gannb.random import seeded


def configured(**given: object) -> Identity:
    return Identity(**{"epochs": 4, "batch_size": 32, "rank": 8, **given})


def test_the_limit_allows_the_share_of_harm_that_is_asked() -> None:
    likeness, change = torch.tensor([0.4, 0.1, 0.3, 0.2]), torch.tensor([0.1, 0.1, -0.1, -0.004])
    assert abstention.limit(likeness, change, 0.0) == pytest.approx(0.2)
    assert abstention.limit(likeness, change, 0.25) == pytest.approx(0.4)
    assert abstention.limit(likeness, -likeness, 0.0) == -1, "the least alike was harmed: it always abstains"


def test_a_calibrated_model_returns_raw_what_looks_frontal_and_cleans_the_rest() -> None:
    p = configured(model="centred", abstain=0.05)
    train, judged = (part.with_targets() for part in synthesise(14, 20, seed=0, overlap=0.8).split(0.25, seed=0))
    with seeded(0, "model"):
        model = networks.build(p)
    directions = model.directions.clone()
    abstention.calibrate(model, train, p)
    assert torch.equal(model.directions, directions), "only the limit and the mean frontal face are set"
    model.load_state_dict(abstention.trained(train, p).state_dict(), strict=False)
    model.limit.fill_(0.3)
    alike = torch.cosine_similarity(judged.features, model.frontal) > 0.3
    cleaned = networks.clean(judged.features, judged.pose, model)
    turned = judged.yaw > 45
    assert (alike & turned).any() and torch.equal(cleaned[alike], judged.features[alike])
    assert (cleaned[~alike & turned] != judged.features[~alike & turned]).any(dim=1).all()
    model.train()
    assert not torch.equal(model(judged.features, judged.pose).output[alike], judged.features[alike]), (
        "it learns of all"
    )


def test_every_person_is_judged_once_by_a_model_that_never_saw_them(monkeypatch: pytest.MonkeyPatch) -> None:
    faces, seen = synthesise(9, 8, seed=1).with_targets(), []
    make = abstention.trained
    monkeypatch.setattr(abstention, "trained", lambda some, p: seen.append(some.identities) or make(some, p))
    likeness, change = abstention.crossfit(faces, configured(epochs=1))
    assert len(likeness) == len(change) == len(faces) and len(seen) == 5
    left_out = [set(range(9)) - set(people.tolist()) for people in seen]
    assert sorted(person for people in left_out for person in people) == list(range(9))


def test_abstention_lowers_harm_on_people_held_out_where_pose_and_person_overlap() -> None:
    train, judged = (
        part.with_targets() for part in synthesise(20, 20, seed=0, private=0.9, overlap=0.8).split(0.25, seed=0)
    )
    harmed = {}
    for allowed in (0.0, 0.01):
        p = configured(abstain=allowed, epochs=12)
        with seeded(0, "model"):
            model = networks.build(p)
        abstention.calibrate(model, train, p)
        model.load_state_dict(abstention.trained(train, p).state_dict(), strict=False)
        harmed[allowed] = compare(networks.clean(judged.features, judged.pose, model), judged).harmed.float().mean()
    assert harmed[0.0] > 0.1 and harmed[0.01] <= 0.05, harmed


def test_one_that_never_abstains_is_left_alone() -> None:
    faces, p = synthesise(6, 8, seed=0).with_targets(), configured()
    model = networks.build(p)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    abstention.calibrate(model, faces, p)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
