"""The objective of motion_balance: closed forms, what it logs, and the plain formula it was before."""

import pytest
import torch

from gannb.experiments.motion import losses as terms
from gannb.experiments.motion.matching import Matcher
from gannb.experiments.motion_balance.losses import Losses
from tests.experiments.motion.turns import clips, scaled_motion, smooth_scores, turn_of

LABELS = {"real_label": 0.9, "fake_label": 0.1, "label_offset": 0.0, "label_noise": 0.0}
WEIGHTS = {"absolute_weight": 10.0, "velocity_weight": 5.0, "detail_weight": 0.3, "physics_weight": 0.5}
G_NUMBERS = {"real_label": 0.9, "contrast_weight": 0.0} | WEIGHTS


def losses() -> Losses:
    return Losses(split=None)  # read by the contrastive term alone


def constant(real, fake=None, batch=None):
    """Scores that are `real` on the batch's own poses and `fake` on others."""
    return lambda pose, mel, speaker: torch.full((len(pose), 2), real if batch is None or pose is batch.pose else fake)


def test_a_discriminator_at_chance_has_the_known_loss():
    turn = turn_of(clips(), scaled_motion(clips(), 0.5), constant(0.5), **LABELS)
    assert losses().d_loss(turn).item() == pytest.approx(0.4**2)
    assert turn.logged["accuracy"] == 0.0  # 0.5 is on neither side of the middle


def test_a_perfect_discriminator_has_no_loss_and_the_offset_moves_its_targets():
    batch = clips()
    turn = turn_of(batch, scaled_motion(batch, 0.5), constant(0.9, 0.1, batch), **LABELS)
    assert losses().d_loss(turn).item() == pytest.approx(0.0, abs=1e-12)
    assert turn.logged["accuracy"] == 1.0 and turn.logged["real"].item() == pytest.approx(0.9)
    pulled = turn_of(batch, scaled_motion(batch, 0.5), constant(0.9, 0.1, batch), **LABELS | {"label_offset": 0.02})
    assert losses().d_loss(pulled).item() == pytest.approx(0.02**2, rel=1e-4)


def test_label_noise_adds_its_variance():
    noisy = LABELS | {"label_noise": 0.1}
    value = torch.stack([losses().d_loss(turn_of(clips(), scaled_motion(clips(), 1.0), constant(0.5), **noisy))])
    assert value.item() == pytest.approx(0.16 + 0.1**2, abs=0.05) and value.item() != pytest.approx(0.16, abs=1e-6)


def test_a_perfect_generator_pays_for_deceiving_nobody():
    batch = clips()
    turn = turn_of(batch, scaled_motion(batch, 1.0), constant(0.1), **G_NUMBERS)
    loss = losses().g_loss(turn).item()
    assert turn.logged["adversarial"].item() == pytest.approx(0.64)  # M5: below 0.90 against a perfect D
    assert turn.logged["reconstruction"].item() == 0.0 and turn.logged["physics"].item() < 1e-4
    assert loss == pytest.approx(0.3 * (0.64 + terms.smoothness(batch.pose).item()), rel=1e-3)


def test_both_equal_the_formulas_written_out():
    batch, numbers = clips(), LABELS | {"label_offset": 0.02, "label_noise": 0.005}
    fake = 0.7 * batch.pose
    turn = turn_of(batch, scaled_motion(batch, 0.7), smooth_scores, **numbers)
    real_scores, fake_scores = (smooth_scores(pose, batch.mel, batch.speaker) for pose in (batch.pose, fake))
    now, draws = turn.now, turn_of(batch, None, None).draws
    high, low = now.real_label - now.label_offset, now.fake_label + now.label_offset
    high = high + now.label_noise * draws.randn("real", *real_scores.shape)
    low = low + now.label_noise * draws.randn("made", *fake_scores.shape)
    expected = ((real_scores - high).square().mean() + (fake_scores - low).square().mean()) / 2
    assert torch.equal(losses().d_loss(turn), expected)

    turn = turn_of(batch, scaled_motion(batch, 0.7), smooth_scores, **G_NUMBERS)
    now, adversarial = turn.now, (fake_scores - turn.now.real_label).square().mean()
    beside = now.absolute_weight * terms.absolute(fake, batch.pose)
    beside = beside + now.velocity_weight * terms.velocity(fake, batch.pose)
    detail = now.detail_weight * (adversarial + terms.smoothness(fake))
    assert torch.equal(losses().g_loss(turn), beside + detail + now.physics_weight * terms.physics(fake, batch.lengths))


def test_the_contrastive_term_is_added_where_it_has_a_weight():
    batch, with_matcher = clips(), losses()
    scales = {"spread": torch.full((52, 3), 0.1), "mel_center": torch.zeros(8), "mel_spread": torch.ones(8)}
    with_matcher.matcher = Matcher(8, 16, **scales).eval()
    plain, more = (
        with_matcher.g_loss(
            turn_of(batch, scaled_motion(batch, 0.7), smooth_scores, **G_NUMBERS | {"contrast_weight": w})
        )
        for w in (0.0, 0.5)
    )
    assert more.item() > plain.item()
    with pytest.raises(AttributeError):  # without a split there is nothing to fit a matcher to
        losses().g_loss(
            turn_of(batch, scaled_motion(batch, 0.7), smooth_scores, **G_NUMBERS | {"contrast_weight": 0.5})
        )
