"""Faces: splits by identity and targets."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gannb.experiments.identity.faces import FaceDataError, Faces
from gannb.experiments.identity.synthetic import synthesise


@given(people=st.integers(2, 20), share=st.floats(0.01, 0.99), seed=st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_a_split_holds_people_out_not_images(people: int, share: float, seed: int) -> None:
    identity = torch.arange(people * 3) % people
    data = Faces(torch.randn(len(identity), 512), identity, torch.zeros(len(identity), 3))
    train, held_out = data.split(share, seed=seed)
    ours, theirs = set(train.identity.tolist()), set(held_out.identity.tolist())
    assert ours and theirs and not ours & theirs
    assert len(train) + len(held_out) == len(data)
    assert torch.equal(data.split(share, seed=seed)[1].identity, held_out.identity)


def four_faces() -> Faces:
    """One person: three frontal faces along three axes and a profile; another person without a frontal face."""
    features = torch.zeros(6, 512)
    features[range(6), range(6)] = 1.0
    yaw = torch.tensor([0.0, -10.0, 14.9, 80.0, 50.0, 60.0])
    pose = torch.stack([yaw, torch.zeros(6), torch.zeros(6)], dim=1)
    return Faces(features, torch.tensor([7, 7, 7, 7, 9, 9]), pose)


def test_the_target_is_the_mean_frontal_face_without_oneself() -> None:
    aimed = four_faces().with_targets()
    assert aimed.identity.tolist() == [7, 7, 7, 7]  # person 9 has no frontal face, so nothing to aim at
    half, third = 0.5**0.5, (1 / 3) ** 0.5
    wanted = torch.zeros(4, 512)
    wanted[0, [1, 2]] = wanted[1, [0, 2]] = wanted[2, [0, 1]] = half
    wanted[3, :3] = third
    assert torch.allclose(aimed.target, wanted)


def test_a_partner_is_another_image_of_the_same_person() -> None:
    data = synthesise(5, 6, seed=0)
    aimed = data.with_targets("partner", seed=3)
    assert len(aimed) == len(data)
    partner = (aimed.target @ data.features.T).argmax(dim=1)
    assert torch.equal(data.identity[partner], data.identity)
    assert (partner != torch.arange(len(data))).all()


def test_no_target_at_all_is_said() -> None:
    with pytest.raises(FaceDataError, match="no identity has another image below 15°"):
        four_faces().of(torch.tensor([9])).with_targets()


def test_faces_show_themselves() -> None:
    text = repr(synthesise(4, 5, seed=0))
    assert "20 of 4 identities, 5 each" in text and "8 pose directions of 512" in text
    assert "<table>" in synthesise(4, 5, seed=0)._repr_html_()
