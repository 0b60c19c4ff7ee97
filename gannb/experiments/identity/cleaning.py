"""Use a trained `identity` run: take pose out of a user's own features."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from gannb.experiments.identity import files, networks
from gannb.experiments.identity.files import PoseUnit
from gannb.experiments.identity.params import Identity
from gannb.training.trained import Trained


@dataclass(frozen=True)
class Cleaner:
    """A trained network with the removal and blend at which its run stood.

    Attributes:
        model: the network, in eval mode.
        removal, blend: the enhancer's factors at the end of the run.
        params: the configuration of the run.
        run: the run folder's name.
    """

    model: nn.Module
    removal: float
    blend: float
    params: Identity
    run: str

    @classmethod
    def of(cls, run: str | Path) -> Cleaner:
        """From a run folder's path or name, or `last`: its newest whole checkpoint.

        Raises:
            NotFound: no such run.
            RunError: not a run of `identity`, or one without a whole checkpoint.
        """
        trained = Trained.of(run, "last", experiment=Identity.name)
        model = trained.load("model", networks.build(trained.params))
        removal, blend = trained.number("removal"), trained.number("blend")
        return cls(model, removal, blend, trained.params, trained.folder.name)

    def __call__(self, features: Tensor, pose: Tensor) -> Tensor:
        """Clean features `[N, 512]` at poses `[N, 3]` in degrees; float32."""
        return networks.clean(features, pose, self.model, removal=self.removal, blend=self.blend)


def clean_file(
    path: str | Path,
    run: str | Path,
    out: str | Path,
    *,
    pose_unit: PoseUnit = "auto",
    watch: Callable[[Tensor, Tensor], object] = lambda raw, cleaned: None,
) -> Path:
    """Clean an `.npz` of any size with a trained run and write a copy of it with the cleaned features.

    Args:
        path: holds at least `features [N, 512]` and `pose [N, 3]`; `identity` is not needed.
        run: a run folder, its name, or `last`.
        out: the `.npz` to write; every other array of `path` is carried over.
        pose_unit: see `gannb.experiments.identity.files.load`.
        watch: is given the features `[n, 512]` of every block, raw and cleaned.

    Raises:
        ValueError, FileNotFoundError: a file or a run that cannot be used; nothing was written.
    """
    given, cleaner = files.FaceFile(path, pose_unit=pose_unit), Cleaner.of(run)

    @torch.inference_mode()
    def cleaned() -> Iterator[Tensor]:
        with tqdm(total=len(given), desc="cleaned", unit="face", delay=2, disable=None) as bar:
            for features, pose in given.blocks():
                clean = cleaner(features, pose)
                watch(features, clean)
                yield clean
                bar.update(len(features))

    return files.save_cleaned(path, cleaned(), out)
