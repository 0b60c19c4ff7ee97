"""The declaration of particles_sagan: the document's preset as written, its cadence, and rules across fields."""

import pytest

from gannb.config.faults import ParameterError
from gannb.config.presets import preset
from gannb.experiments.particles_sagan.params import ParticlesSagan, cadence


def test_the_document_preset_is_the_document():
    p = ParticlesSagan(**preset("particles_sagan", "document"))
    assert (p.batch_size, p.lr_g, p.lr_d, p.epochs, p.latent_dim) == (16, 2e-4, 2e-4, 2000, 128)
    assert (p.beta1, p.beta2, p.clip_norm) == (0.0, 0.9, 1.0)
    assert (p.lr_drop_every, p.lr_drop_factor) == (500, 0.5)
    assert (p.real_label, p.fake_label, p.d_steps, p.g_steps) == (0.9, 0.0, 1, 1)
    assert (p.image_size, p.network_options, p.policy) == (64, {"attention_at": [16]}, ("hflip", "vflip"))
    assert p.fid_samples == 500
    assert (p.loss, p.ema, p.recalibrate, p.adaptive) == ("bce", 0.0, False, False)


def test_scores_come_every_10_20_50_epochs_74_times():
    due = [epoch for epoch in range(1, 2001) if epoch % cadence(epoch) == 0]
    assert len(due) == 74
    assert due[:2] == [10, 20] and 210 not in due and 220 in due and 850 in due and 820 not in due


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"real_label": 0.1, "fake_label": 0.2}, "real_label above fake_label"),
        ({"image_size": 50}, r"image size 50; allowed: .*; nearest: 48"),
        ({"image_size": 48, "image_width": 50, "augment": ""}, "image size 48×50; .*; nearest: 48"),
        ({"image_size": 48, "image_width": 64}, "quarter_turns need square images"),
        ({"network_options": {"attention_at": [32]}}, "a list of 8, 16 for images of 32 px"),
        ({"network_options": {"attention_at": "sixteen"}}, "a list of 8, 16"),
        ({"network_options": {"mapping_layers": 4}}, "sagan has no option 'mapping_layers'"),
        ({"network_options": 8}, "network_options: given 8"),
        ({"loss": "bse"}, "did you mean 'bce'"),
        ({"network": "stylegan"}, "did you mean 'stylegan2'"),
        ({"augment": "hflip,rotate"}, "unknown: rotate"),
        ({"d_steps": 0, "g_steps": 0}, "at least one turn"),
        ({"g_steps": 0}, "allowed at first: 1 or more"),
        ({"path_length_weight": 2.0}, "need a mapping network"),
        ({"reconstruction_weight": 1.0}, "D has to reconstruct images: network = fastgan"),
        ({"network": "fastgan", "network_options": {"blocks": 1}}, "fastgan has no option 'blocks'; it has: spectral"),
        ({"network_options": {"dropout": 1.0}}, r"dropout 1.0; allowed: a share of \[0, 1\)"),
        ({"network_options": {"dropout": 0.2}, "penalty_weight": 1.0}, "take one of the two"),
        ({"lecam_weight": -1.0}, "lecam_weight: given -1"),
        ({"adaptive": True, "loss": "relativistic"}, "adaptive needs another loss"),
    ],
)
def test_rules_across_fields(told, message):
    with pytest.raises(ParameterError, match=message):
        ParticlesSagan(**told)


@pytest.mark.parametrize("judge", ["resnet56", "resnet56=gone.th", "=gone.th", "Inception"])
def test_a_judge_that_is_not_there_is_named_before_anything_starts(judge):
    with pytest.raises(ParameterError, match=rf"judge: given '{judge}'.*allowed: auto"):
        ParticlesSagan(judge=judge).on_this_machine()


def test_without_a_judge_there_is_nothing_to_look_for():
    ParticlesSagan().on_this_machine()
    ParticlesSagan(judge="faed").on_this_machine()


def test_a_move_obeys_the_rules_too():
    assert "real_label above" in ParticlesSagan().fault_in({"real_label": 0.0})
    assert "mapping network" in ParticlesSagan().fault_in({"path_length_weight": 1.0})
    assert "has to reconstruct" in ParticlesSagan().fault_in({"reconstruction_weight": 1.0})
    assert ParticlesSagan(network="fastgan").fault_in({"reconstruction_weight": 1.0}) is None
    assert ParticlesSagan(network="stylegan2").fault_in({"path_length_weight": 1.0}) is None


@pytest.mark.parametrize("which", ["quick", "document", "tuned", "resized", "stylegan2", "r3gan", "fastgan"])
def test_presets_are_valid(which):
    assert ParticlesSagan(**preset("particles_sagan", which)).preset == which
