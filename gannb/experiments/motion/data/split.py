"""The clips of a gesture experiment: training and held-out ones, and the statistics that networks take of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gannb.data.batches import Batches, StreamedBatches
from gannb.experiments.motion.data import recordings as motion
from gannb.experiments.motion.data.augmentation import AugmentedBatches
from gannb.experiments.motion.data.clips import FRAMES, Clips, Recording
from gannb.experiments.motion.data.corpus import Corpus, Statistics
from gannb.experiments.motion.data.recordings import Recordings
from gannb.experiments.motion.data.speech import MELS_PER_FRAME
from gannb.experiments.motion.params import Motion
from gannb.tables import ShownAsTable, Table

MOST = 20
"""Files left out that are named."""


@dataclass(frozen=True, repr=False)
class MotionSplit(ShownAsTable):
    """Training and held-out clips, split by recording.

    Attributes:
        train, held_out: the clips.
        statistics: of the training clips.
        recordings: with their sound; None for a corpus on disk, which holds none.
    """

    train: Corpus
    held_out: Corpus
    statistics: Statistics
    recordings: Recordings | None = None

    @classmethod
    def of(cls, p: Motion, cache: Path | None = None) -> MotionSplit:
        """What a run's parameters ask for: synthetic recordings, a folder of pairs, or a corpus that `build` wrote.

        Args:
            p: the run's parameters.
            cache: a folder that keeps audio features of files.

        Raises:
            FileNotFoundError, MotionDataError: nothing there that can be used; what was found and what to do.
        """
        if p.data != "synthetic" and (Path(p.data).expanduser() / "corpus.json").is_file():
            corpus, recordings = Corpus.open(Path(p.data).expanduser(), stride=p.stride), None
            if corpus.n_mels != p.n_mels:
                raise motion.MotionDataError(f"{p.data}: built with n_mels={corpus.n_mels}, asked for {p.n_mels}")
        else:
            source = p.data if p.data == "synthetic" else Path(p.data).expanduser()
            recordings = motion.load(source, seconds=p.seconds, each=p.recordings, seed=p.seed)
            kept = cache if p.data != "synthetic" else None
            corpus = Corpus.of(recordings, stride=p.stride, n_mels=p.n_mels, cache=kept)
        train, held_out = corpus.split(p.held_out, seed=p.seed)
        return cls(train, held_out, train.statistics(), recordings)

    @property
    def speakers(self) -> tuple[str, ...]:
        """Their names; a clip's speaker is an index into them."""
        return self.train.speakers

    @property
    def bones(self) -> Tensor:
        """Each speaker's bone lengths `[speakers, 51]` in metres, the mean over their recordings."""
        takes = self.train.takes
        mine = [torch.tensor([take.lengths for take in takes if take.speaker == who]) for who in self.speakers]
        return torch.stack([lengths.mean(0) for lengths in mine])

    def scales(self) -> dict[str, Tensor]:
        """Scales of the data: `center`, `spread` `[52, 3]`, `mel_center`, `mel_spread` `[n_mels]` and `bones`."""
        s = self.statistics
        pose = {"center": s.pose_mean, "spread": s.pose_std}
        return pose | {"mel_center": s.mel_mean, "mel_spread": s.mel_std, "bones": self.bones}

    def batches(
        self, size: int, *, seed: int, device: torch.device | str = "cpu", noise: float = 0.0, warp: float = 0.0
    ) -> Batches | StreamedBatches | AugmentedBatches:
        """The training clips as batches: whole on the device, or streamed where they lie on disk.

        With `noise` or `warp` each clip is augmented anew by its step (`gannb.experiments.motion.data.augmentation`).

        Args:
            size: clips per batch.
            seed: of their order and of the augmentation.
            device: where the batches are.
            noise: share of clips with noise under the speech.
            warp: the most by which time runs faster or slower.
        """
        if self.recordings is None:
            plain = StreamedBatches(self.train, size, seed=seed, device=device, name="corpus")
        else:
            plain = Batches(self.train.clips(), size, seed=seed, device=device)
        return AugmentedBatches(plain, seed=seed, noise=noise, warp=warp) if noise or warp else plain

    def evaluation_clips(self, most: int = 200) -> Clips:
        """The held-out clips as one batch; evenly chosen where there are more than `most`."""
        return self._some(self.held_out, most)

    def training_clips(self, most: int = 1000) -> Clips:
        """The training clips as one batch; evenly chosen where there are more than `most`."""
        return self._some(self.train, most)

    def example(self, frames: int = 64) -> Recording:
        """A stretch of a held-out recording, with its sound where there is some.

        Raises:
            motion.MotionDataError: a corpus on disk, which holds no sound.
        """
        if self.recordings is None:
            raise motion.MotionDataError("a corpus on disk holds no sound; give a folder of motion and speech")
        number, first = map(int, self.held_out.windows[0])
        return self.recordings[number].cut(first, frames)

    def table(self) -> Table:
        """A row per side."""
        rows = [
            (side, len(corpus), len({int(n) for n in corpus.windows[:, 0]}), f"{FRAMES} frames")
            for side, corpus in (("training", self.train), ("held out", self.held_out))
        ]
        note = [f"speakers: {', '.join(self.speakers)}; speech {MELS_PER_FRAME} × {self.train.n_mels} mel per frame"]
        if self.recordings is not None:
            note += [f"left out: {fault.name}: {fault.reason}" for fault in self.recordings.faults[:MOST]]
            more = len(self.recordings.faults) - MOST
            note += [f"left out: {more} more"] if more > 0 else []
        return Table(("clips", "number", "recordings", "each"), rows, note="\n".join(note))

    @staticmethod
    def _some(corpus: Corpus, most: int) -> Clips:
        return corpus.clips(range(0, len(corpus), max(1, -(-len(corpus) // most))))
