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
    assert (p.image_size, p.attention, p.policy, p.fid_samples) == (64, (16,), ("hflip", "vflip"), 500)
    assert (p.loss, p.ema, p.settle, p.adaptive) == ("bce", 0.0, False, False)


def test_scores_come_every_10_20_50_epochs_74_times():
    due = [epoch for epoch in range(1, 2001) if epoch % cadence(epoch) == 0]
    assert len(due) == 74
    assert due[:2] == [10, 20] and 210 not in due and 220 in due and 850 in due and 820 not in due


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"real_label": 0.1, "fake_label": 0.2}, "real_label above fake_label"),
        ({"image_size": 48}, "power of two"),
        ({"attention_at": "32"}, "below image_size=32"),
        ({"attention_at": "4"}, "among 8, 16, 32"),
        ({"attention_at": "sixteen"}, "among 8, 16, 32"),
        ({"augment": "hflip,rotate"}, "unknown rotate"),
        ({"d_steps": 0, "g_steps": 0}, "at least one turn"),
        ({"path_length_weight": 2.0}, "need a mapping network"),
        ({"adaptive": True, "loss": "relativistic"}, "adaptive needs bce or hinge"),
    ],
)
def test_rules_across_fields(told, message):
    with pytest.raises(ParameterError, match=message):
        ParticlesSagan(**told)


def test_a_move_obeys_the_rules_too():
    assert "real_label above" in ParticlesSagan().fault_in({"real_label": 0.0})
    assert "mapping network" in ParticlesSagan().fault_in({"path_length_weight": 1.0})
    assert ParticlesSagan(network="stylegan2").fault_in({"path_length_weight": 1.0}) is None


def test_each_network_is_given_its_own_options():
    p = ParticlesSagan(image_size=64, attention_at="8,32")
    assert p.g_options == p.d_options == {"attention_at": (8, 32)}
    p = ParticlesSagan(network="stylegan2", mapping_layers=2)
    assert (p.g_options, p.d_options) == ({"mapping_layers": 2}, {})


@pytest.mark.parametrize("which", ["quick", "document", "tuned", "stylegan2"])
def test_presets_are_valid(which):
    assert ParticlesSagan(**preset("particles_sagan", which)).preset == which
