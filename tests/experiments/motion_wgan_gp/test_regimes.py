"""A training under either regime: turns counted from the run, collapse by a quarter of the real diversity."""

from gannb.comparison.trials import Comparison, Trial
from gannb.experiments.motion.data import recordings
from gannb.experiments.motion.data.corpus import Corpus
from gannb.experiments.motion.metrics.evaluation import evaluate
from gannb.experiments.motion_balance.params import MotionBalance
from gannb.experiments.motion_wgan_gp.params import MotionWganGp
from gannb.experiments.motion_wgan_gp.regimes import ASKED, LOOKS, fit_as_long, training_of, w_follows_fgd
from gannb.runs.folder import Run
from tests.training.regimes import declared, open_run


def test_turns_and_collapse(tmp_path) -> None:
    clips = Corpus.of(recordings.load("synthetic", seconds=10.0, each=1), n_mels=16).clips()
    run = open_run(tmp_path)
    run.record([{"step": s, "D/loss": 1.0, **({"G/loss": 0.5} if s % 5 == 0 else {})} for s in range(1, 11)])
    still = clips.pose.mean(0, keepdim=True) + 0.01 * (clips.pose - clips.pose.mean(0, keepdim=True))
    for generated, collapsed in ((clips.pose, 0.0), (still, 1.0)):
        found = training_of(run, evaluate(clips, generated))
        assert found == {"collapsed": collapsed, "g_turns": 2.0, "d_turns": 10.0}
    scores = evaluate(clips, clips.pose)
    trial = Trial.of("variant", run, scores, more=training_of(run, scores), cpu_seconds=3.0)
    known = {name for name in ASKED if Comparison([trial]).values("variant", name)}
    assert set(ASKED) - {"fgd", "fgd_over_floor", "w_follows_fgd"} <= known, "FGD needs features"


def test_several_turns_a_step_are_counted(tmp_path) -> None:
    """The rival's G has four turns per step, and more once the rules say so; a step is one row."""
    p = MotionBalance(runs=str(tmp_path), threads=1)
    run = Run.open(p)
    run.record([{"step": s, "D/loss": 1.0, "G/loss": 0.5} for s in range(1, 4)])
    run.event("move", 2, name="g_turns", old=4, new=6, by="balance", outcome="applied")
    clips = Corpus.of(recordings.load("synthetic", seconds=5.0, each=1), n_mels=16).clips()
    found = training_of(run, evaluate(clips, clips.pose))
    assert (found["g_turns"], found["d_turns"]) == (4 + 4 + 6, 3)


def looked_at(tmp_path, frames: list[int], fgd: list[float]) -> Run:
    """A run of a critic that was looked at once a step; W falls throughout."""
    run = Run.open(MotionWganGp(runs=str(tmp_path), clip_frames=frames, threads=1))
    run.record([{"step": s, "W_held_out": 100.0 - s, "fgd": value} for s, value in enumerate(fgd, 1)])
    return run


def test_w_is_ranked_against_fgd(tmp_path) -> None:
    falls, rises = [50.0 - s for s in range(LOOKS)], [50.0 + s for s in range(LOOKS)]
    assert w_follows_fgd(looked_at(tmp_path, [64], falls)) == 1
    assert w_follows_fgd(looked_at(tmp_path, [64], rises)) == -1
    assert w_follows_fgd(looked_at(tmp_path, [64], falls[1:])) is None, "too few looks"
    assert w_follows_fgd(looked_at(tmp_path, [64], [5.0] * LOOKS)) is None, "FGD never changed"
    assert w_follows_fgd(open_run(tmp_path)) is None, "no critic"


def test_short_clips_do_not_count(tmp_path) -> None:
    run = looked_at(tmp_path, [32, 64], [float(s) for s in range(5)] + [50.0 - s for s in range(LOOKS)])
    run.event("move", 6, name="frames", old=32, new=64, by="growing", outcome="applied")
    assert w_follows_fgd(run) == 1


def test_the_other_regime_trains_for_as_long(tmp_path) -> None:
    trainer = declared(tmp_path)
    trainer.fit(steps=1, quiet=True)
    goal = 3 * trainer.processor_seconds
    fit_as_long(trainer, goal)
    step, spent = trainer.step, trainer.processor_seconds
    assert spent >= goal and step % trainer.batches.per_epoch == 1, "whole epochs, until the time is spent"
    fit_as_long(trainer, goal)
    assert (trainer.step, trainer.processor_seconds) == (step, spent), "there already"
    trainer.session.stopped = True
    fit_as_long(trainer, 10 * spent)
    assert trainer.step == step, "an alarm stopped it"
