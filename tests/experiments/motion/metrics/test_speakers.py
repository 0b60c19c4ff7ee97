"""SpeakerStyles: speakers that a generator knows point the right way, ignored ones nowhere, mixed-up ones elsewhere."""

import pytest
import torch
from torch import nn

from gannb.experiments.motion.data import recordings
from gannb.experiments.motion.data.clips import Clips
from gannb.experiments.motion.data.corpus import Corpus
from gannb.experiments.motion.figures import style_figure
from gannb.experiments.motion.metrics.speakers import TRAITS, speaker_styles, traits


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus.of(recordings.load("synthetic", seconds=10.0, each=1), n_mels=16)


class Plays(nn.Module):
    """Gives each speaker a clip of the data: of the speaker that `says` names."""

    def __init__(self, clips: Clips, says: list[int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.own = [clips.pose[clips.speaker == who] for who in says]

    def forward(self, mel: torch.Tensor, speaker: torch.Tensor) -> torch.Tensor:
        mine = self.own[int(speaker[0])]
        return mine[torch.arange(len(mel)) % len(mine)]


def test_the_right_speakers_point_the_right_way(corpus: Corpus) -> None:
    clips = corpus.clips()
    found = speaker_styles(Plays(clips, [0, 1, 2, 3]), clips, corpus.speakers)
    assert float(found.direction) > 0.9 and float(found.size) == pytest.approx(1.0, abs=0.2)
    assert "speaker_direction" in repr(found) and len(style_figure(found).data) == 4


def test_mixed_up_speakers_point_elsewhere(corpus: Corpus) -> None:
    clips = corpus.clips()
    assert float(speaker_styles(Plays(clips, [1, 0, 3, 2]), clips, corpus.speakers).direction) < 0.3


def test_one_manner_for_all_points_nowhere(corpus: Corpus) -> None:
    clips = corpus.clips()
    found = speaker_styles(Plays(clips, [0, 0, 0, 0]), clips, corpus.speakers)
    assert float(found.direction) == 0.0 and float(found.size) == pytest.approx(0.0, abs=1e-6)


def test_traits_of_poses_whose_answer_is_known() -> None:
    pose = torch.zeros(1, 16, 52, 3)
    pose[:, :, 3, 1], pose[:, :, 6, 1] = 0.3, 0.1  # wrists at 0.3 and 0.1 m
    pose[:, :, 6, 0] = 1.0
    pose[:, :, 7, 2] = torch.arange(16) / 15  # the nose goes 1 m a second
    found = dict(zip(TRAITS, traits(pose)[0].tolist()))
    assert found["height of wrists"] == pytest.approx(0.2) and found["nodding"] == pytest.approx(1.0, rel=1e-4)
    assert found["wrists apart"] == pytest.approx((1 + 0.2**2) ** 0.5) and found["speed of wrists"] == 0


def test_one_speaker_has_no_other(corpus: Corpus) -> None:
    clips = corpus.clips()
    alone = clips._replace(**{name: rows[clips.speaker == 2] for name, rows in clips._asdict().items()})
    found = speaker_styles(Plays(clips, [0, 1, 2, 3]), alone, corpus.speakers)
    assert found.speakers == corpus.speakers[2:3] and len(style_figure(found).data) == 1
    assert not found.direction.available and not found.size.available and "needs two" in found.direction.reason
    assert "speaker_direction" in repr(found)


def test_a_speaker_without_a_clip_is_left_out(corpus: Corpus) -> None:
    clips = corpus.clips()
    three = clips._replace(**{name: rows[clips.speaker != 1] for name, rows in clips._asdict().items()})
    found = speaker_styles(Plays(clips, [0, 1, 2, 3]), three, corpus.speakers)
    assert found.speakers == tuple(who for i, who in enumerate(corpus.speakers) if i != 1)
    assert float(found.direction) > 0.9 and float(found.size) == pytest.approx(1.0, abs=0.2)
