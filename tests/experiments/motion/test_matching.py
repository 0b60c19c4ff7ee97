"""Matching speech and motion: InfoNCE at its bounds and against a transcription; a network that learns to match."""

import math

import pytest
import torch

from gannb.experiments.motion import matching
from gannb.experiments.motion.data.clips import Clips
from gannb.experiments.motion.matching import Matcher, cosine_similarities, info_nce, matching_accuracy
from gannb.experiments.motion.skeleton import BONE_LENGTHS
from gannb.random import generator

T, MELS = 32, 8


def draw(*shape: int, name: str = "x") -> torch.Tensor:
    return torch.randn(*shape, generator=generator("contrast", name, *shape), dtype=torch.float64)


def test_nothing_can_be_told_where_all_are_alike():
    same = torch.ones(7, 3)
    assert info_nce(same, same).item() == pytest.approx(math.log(7))


def test_all_is_certain_where_partners_alone_agree():
    assert info_nce(torch.eye(5), torch.eye(5), 0.01).item() == pytest.approx(0.0, abs=1e-6)
    assert info_nce(torch.eye(5), torch.eye(5).roll(1, 0), 0.01).item() == pytest.approx(100.0)


def test_orthogonal_pairs_have_the_closed_form():
    """Cosine 1 to the partner and 0 to the N - 1 others."""
    n, t = 6, 0.5
    expected = math.log(1 + (n - 1) * math.exp(-1 / t))
    assert info_nce(torch.eye(n), torch.eye(n), t).item() == pytest.approx(expected)


def test_it_is_what_the_formula_says():
    one, other, t = draw(5, 4), draw(5, 4, name="y"), 0.3
    cosine = lambda i, j: (one[i] @ other[j] / one[i].norm() / other[j].norm()).item()  # noqa: E731
    total = 0.0
    for i in range(5):
        across = sum(math.exp(cosine(i, j) / t) for j in range(5))
        down = sum(math.exp(cosine(j, i) / t) for j in range(5))
        total -= math.log(math.exp(cosine(i, i) / t) / across) + math.log(math.exp(cosine(i, i) / t) / down)
    assert info_nce(one, other, t).item() == pytest.approx(total / 10)


def test_lengths_and_common_order_do_not_matter():
    one, other, order = draw(6, 3), draw(6, 3, name="y"), torch.tensor([3, 1, 5, 0, 2, 4])
    torch.testing.assert_close(info_nce(5 * one, 0.1 * other), info_nce(one, other))
    torch.testing.assert_close(info_nce(one[order], other[order]), info_nce(one, other))


def test_going_down_it_brings_partners_together():
    one, other = draw(6, 3).requires_grad_(), draw(6, 3, name="y")
    before = matching_accuracy(one, other)
    optimiser = torch.optim.Adam([one], 0.1)
    for _ in range(60):
        optimiser.zero_grad()
        info_nce(one, other).backward()
        optimiser.step()
    assert matching_accuracy(one, other) == 1 > before
    assert cosine_similarities(one, other).diag().mean() > 0.8


@pytest.mark.parametrize(("one", "other"), [((4, 3), (5, 3)), ((1, 3), (1, 3)), ((4, 3, 1), (4, 3, 1))])
def test_what_is_no_table_of_pairs_is_refused(one, other):
    with pytest.raises(ValueError, match="at least 2"):
        info_nce(torch.ones(one), torch.ones(other))


def pairs(count: int, related: bool = True, name: str = "train") -> Clips:
    """Loud moments are moments of movement; without `related` the motion is another clip's."""
    loud = torch.rand(count, T, generator=generator("loud", name)).gt(0.5).float()
    bands = torch.rand(count, T, MELS, generator=generator("bands", name))
    mel = (3 * loud[..., None] * bands).repeat_interleave(4, dim=1)
    moving = loud[..., None, None] * bands[..., :3].unsqueeze(2)
    pose = (0.1 * moving).expand(-1, -1, 52, -1).clone()
    pose = pose if related else pose.roll(1, 0)
    return Clips(pose, mel, torch.zeros(count).long(), BONE_LENGTHS.expand(count, -1))


SCALES = {"spread": torch.full((52, 3), 0.05), "mel_center": torch.full((MELS,), 0.7), "mel_spread": torch.ones(MELS)}


def test_it_tells_moments_it_never_saw_apart():
    """Among 64 moments; six seeds on two instruction sets gave 3.5 to 13.5 times chance, and 1.5 at most unfitted.

    The loss of wrong pairs was 1.57 to 2.18 times that of the right ones.
    """
    held_out = pairs(32, name="held out")
    naive = Matcher(MELS, 16, **SCALES).eval()
    taught = matching.fit(pairs(48), SCALES, steps=120, width=16)
    chance = 1 / 64
    assert taught.accuracy(held_out.mel, held_out.pose) > 2.5 * chance > naive.accuracy(held_out.mel, held_out.pose)
    wrong = pairs(32, related=False, name="held out")
    assert taught.loss(wrong.mel, wrong.pose) > 1.3 * taught.loss(held_out.mel, held_out.pose)


def test_a_loss_on_it_moves_motion_and_leaves_the_matcher():
    clips = pairs(4)
    matcher = matching.fit(clips, SCALES, steps=2, width=16)
    pose = clips.pose.clone().requires_grad_(True)
    matcher.loss(clips.mel, pose).backward()
    assert pose.grad.abs().max() > 0
    assert not any(p.requires_grad for p in matcher.parameters()) and not matcher.training


def test_it_follows_from_clips_and_seed():
    one, again, other = (matching.fit(pairs(4), SCALES, steps=3, width=16, seed=seed) for seed in (0, 0, 1))
    weights = [torch.cat([p.flatten() for p in m.parameters()]) for m in (one, again, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_where_nothing_fits_it_is_the_log_of_the_moments():
    clips = pairs(4)
    still = torch.zeros_like(clips.pose)
    matcher = matching.fit(clips, SCALES, steps=2, width=16)
    assert matcher.loss(clips.mel, still).item() >= math.log(8) - 0.05


def test_too_few_and_too_short_are_refused():
    with pytest.raises(ValueError, match="at least 2 are needed"):
        matching.fit(pairs(1), SCALES)
    with pytest.raises(ValueError, match="multiples of 16"):
        Matcher(MELS, 16, **SCALES).embed_motion(torch.zeros(2, 24, 52, 3))
