"""A short training under WGAN-GP is enough for a change of speaker to point towards that speaker's data (W14)."""

from pathlib import Path

from gannb.control.numbers import Numbers
from gannb.experiments.motion import losses
from gannb.experiments.motion.data.split import MotionSplit
from gannb.experiments.motion.metrics.speakers import speaker_styles
from gannb.experiments.motion.networks import building
from gannb.experiments.motion_wgan_gp.params import MotionWganGp
from gannb.experiments.motion_wgan_gp.penalties import correct
from gannb.losses.adversarial import wasserstein, wasserstein_g
from gannb.random import seeded
from gannb.runs.folder import Run
from gannb.training.player import Player
from gannb.training.trainer import Trainer


def critic(turn):
    real, generated = turn.batch, turn.G(turn.batch.mel, turn.batch.speaker)

    def score(pose):
        return turn.D(pose, real.mel, real.speaker)

    penalty, _ = correct(score, real.pose, generated, turn.draws.rand("mix", len(generated)))
    return -wasserstein(score(real.pose), score(generated)) + turn.now.gp_weight * penalty


def generator(turn):
    real, generated = turn.batch, turn.G(turn.batch.mel, turn.batch.speaker)
    near = 10 * losses.absolute(generated, real.pose) + 5 * losses.velocity(generated, real.pose)
    return near + 0.01 * wasserstein_g(turn.D(generated, real.mel, real.speaker))


def test_a_change_of_speaker_points_towards_that_speakers_data(tmp_path: Path) -> None:
    p = MotionWganGp(runs=str(tmp_path), seconds=20.0, batch_size=16, width=16, d_width=16, threads=1, n_critic=1)
    split = MotionSplit.of(p)
    with seeded(p.seed, "networks"):
        G = building.generator(p, len(split.speakers), split.scales())
        D = building.discriminator(p, len(split.speakers), split.scales(), "layer")
    batches, evaluated = split.batches(p.batch_size, seed=p.seed), split.evaluation_clips(32)
    players = [
        Player("D", D, critic, lr=lambda now: now.lr_d, betas=(0.0, 0.9)),
        Player("G", G, generator, lr=lambda now: 2 * now.lr_g, betas=(0.5, 0.9)),
    ]
    trainer = Trainer(players, batches, Numbers.of(p), Run.open(p), turns=lambda now, step: ["D", "G"])
    untaught = float(speaker_styles(G.eval(), evaluated, split.speakers).direction)
    trainer.fit(steps=60, quiet=True)
    taught = float(speaker_styles(trainer.network("G").eval(), evaluated, split.speakers).direction)
    assert untaught < 0.35 and taught > 0.5
