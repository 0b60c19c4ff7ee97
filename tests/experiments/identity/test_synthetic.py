"""Synthetic faces: the planted pose subspace."""

from itertools import pairwise

import pytest
import torch

from gannb.experiments.identity.synthetic import synthesise


def test_self_made_faces_follow_the_seed_and_hold_their_planted_subspace() -> None:
    one, same, other = (synthesise(6, 10, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one.features, same.features) and not torch.equal(one.features, other.features)
    assert torch.allclose(one.features.norm(dim=1), torch.ones(60), atol=1e-5)
    assert torch.allclose(one.planted.T @ one.planted, torch.eye(8), atol=1e-5)
    assert (torch.bincount(one.identity[one.yaw < 15]) >= 3).all()


def test_contamination_grows_with_yaw_inside_the_planted_subspace_only() -> None:
    data = synthesise(40, 30, seed=0, private=0.0, noise=0.0)
    share = (data.features @ data.planted).square().sum(dim=1)
    bins = [share[(data.yaw >= low) & (data.yaw < low + 15)].mean() for low in range(0, 90, 15)]
    assert all(a < b for a, b in pairwise(bins)) and bins[0] < 0.1 and bins[-1] > 0.35
    outside = data.features - data.features @ data.planted @ data.planted.T
    clean = torch.nn.functional.normalize(outside, dim=1)
    same = data.identity.unsqueeze(0) == data.identity.unsqueeze(1)
    assert (clean @ clean.T)[same].min() > 0.9999  # with the subspace taken out, all images of a person agree


def test_making_faces_names_what_is_out_of_range() -> None:
    with pytest.raises(ValueError, match="images ≥ 4"):
        synthesise(5, 3, seed=0)


def test_people_overlap_with_the_pose_subspace_as_asked_and_by_default_hardly() -> None:
    def share(overlap: float) -> float:
        data = synthesise(20, 8, seed=0, private=0.0, noise=0.0, overlap=overlap)
        ahead = data[data.yaw < 2]
        return float((ahead.features @ ahead.planted).square().sum(dim=1).mean())

    assert share(0.0) < 0.05 and share(0.63) == pytest.approx(0.63**2, abs=0.1)
