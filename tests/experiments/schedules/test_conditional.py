"""A conditional run of notebook 03, of its own cells: resumed and replayed exactly, with a learned schedule too."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from gannb.control.commands import Command
from gannb.training.trained import Trained
from gannb.training.trainer import Trainer
from tests.notebooks.trainers import trainer_of

TINY = {
    "conditional": True,
    "transfer_to": "",
    "width": 4,
    "latent_dim": 8,
    "batch_size": 16,
    "epochs": 2,
    "live": "off",
}
TINY |= {"move_every": 2, "lookahead_batch": 8, "objective_count": 16, "count": 200, "fid_samples": 20}
STEPS = 6


def trained(folder: Path, steps: int = STEPS, moved: bool = False, **given: object) -> Trainer:
    trainer = trainer_of("03_schedules", **TINY, runs=str(folder), **given)
    if moved:
        trainer.watchers.append(lambda t: t.session.inbox.put(Command("move", "lr_g", 5e-4)) if t.step == 2 else None)
    trainer.fit(steps=steps)
    return trainer


@pytest.mark.parametrize("network, variant", [("dcgan", "learned"), ("stylegan2", "fixed")])
def test_resume_and_replay_are_exact(tmp_path: Path, network: str, variant: str) -> None:
    given = {"network": network, "variant": variant}
    whole = trained(tmp_path, moved=True, **given)
    part = trained(tmp_path, steps=3, moved=True, **given)
    part.checkpoint()
    copy = shutil.copytree(part.run.folder, tmp_path / "cut")
    resumed = trained(tmp_path, resume=str(copy), **given)
    replayed = trained(tmp_path, replay=str(whole.run.folder / "interventions.yaml"), **given)
    assert whole.weights() == resumed.weights() == replayed.weights()
    assert whole.weights() != trained(tmp_path, **given).weights(), "the move matters"
    assert sum(json.loads((copy / "classes.json").read_text()).values()) == len(whole.batches.data[0])
    used = Trained.of(copy).network()
    assert used.module(*used.inputs(3, torch.Generator())).shape == (3, 1, 16, 16)
