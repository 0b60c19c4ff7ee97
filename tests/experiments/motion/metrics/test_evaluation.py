"""One table of all that is measured: real motion against itself has the scores that real motion must have."""

import pytest
import torch

from gannb.experiments.motion.data import recordings as recordings
from gannb.experiments.motion.data.clips import Clips
from gannb.experiments.motion.data.corpus import Corpus
from gannb.experiments.motion.metrics.evaluation import diversity_share, evaluate, generate_clips
from gannb.experiments.motion.metrics.motion import seam_jerk


@pytest.fixture(scope="module")
def real() -> Clips:
    return Corpus.of(recordings.load("synthetic", seconds=12.0, each=1), n_mels=64).clips()


def test_the_real_is_as_good_as_itself(real: Clips) -> None:
    scores = evaluate(real, real.pose)
    exact = {"maje": 0, "mad": 0, "pck": 1, "diversity_share": 1, "l1div_share": 1, "speed_hellinger": 0,
             "limit_joint_frames": 0, "harmony_gap": 0}  # fmt: skip
    assert {name: float(scores[name]) for name in exact} == pytest.approx(exact, abs=2e-4)
    assert float(scores["jerk"]) == float(scores["jerk_real"])
    assert float(scores["bc_stroke_over_shuffled"]) > 0.05


def test_a_frozen_pose_has_no_diversity_and_says_what_it_lacks(real: Clips) -> None:
    still = real.pose.mean((0, 1)).expand_as(real.pose)
    scores = evaluate(real, still)
    assert float(scores["diversity_share"]) == pytest.approx(0.0, abs=1e-6)
    assert not scores["bc_stroke"].available and not scores["harmony_gap"].available
    assert diversity_share(real.pose, still) == pytest.approx(0.0, abs=1e-6)


def test_a_network_is_asked_clip_by_clip_and_part_by_part(real: Clips) -> None:
    class Echo(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(()))

        def forward(self, mel: torch.Tensor, speaker: torch.Tensor) -> torch.Tensor:
            return (self.weight * speaker.float()).view(-1, 1, 1, 1).expand(-1, 64, 52, 3)

    generated = generate_clips(Echo(), real, size=3)
    assert torch.equal(generated[:, 0, 0, 0], real.speaker.float())


def test_a_cut_between_windows_is_a_seam_and_one_motion_has_none(real: Clips) -> None:
    whole = torch.cat(list(real.pose[:2]))
    smooth = torch.sin(torch.arange(128) / 6)[:, None, None].expand(-1, 52, 3)
    assert seam_jerk(smooth) <= 1.0
    jump = smooth.clone()
    jump[64:] += 0.5
    assert seam_jerk(jump) > 1.5
    with pytest.raises(ValueError, match="at least 64 frames"):
        seam_jerk(whole[:40])
