"""An encoder that learns from speech alone: it does learn, from any folder, and a generator can take it in."""

import numpy as np
import pytest
import soundfile
import torch

from gannb.experiments.motion import audio_pretraining
from gannb.experiments.motion.data.speech import SAMPLE_RATE, prosody, synthesise
from gannb.experiments.motion.data.synthetic import STYLES
from gannb.experiments.motion.networks.audio_encoder import AudioEncoder
from gannb.experiments.motion.networks.generator import Generator
from gannb.random import Draws, generator

MELS, WIDTH = 16, 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two voices in folders of their own, one file that is no sound, one that is too short."""
    root = tmp_path_factory.mktemp("speech")
    for place, style in zip(("a", "b"), STYLES):
        said = synthesise(prosody(8.0, style.voice, 1), style.voice, 1)
        (root / place).mkdir()
        soundfile.write(root / place / f"{style.name}.wav", said.samples, SAMPLE_RATE)
    soundfile.write(root / "short.wav", np.sin(np.arange(SAMPLE_RATE)), SAMPLE_RATE)
    (root / "broken.wav").write_text("not a sound")
    return root


@pytest.fixture(scope="module")
def trained(folder):
    return audio_pretraining.pretrain(folder, n_mels=MELS, width=WIDTH, steps=40)


def test_it_learns_to_reconstruct_what_is_masked(trained):
    assert np.mean(trained.losses[-8:]) < 0.8 * np.mean(trained.losses[:3])


def test_what_cannot_be_used_is_named(trained):
    assert trained.files == 2 and set(trained.faults) == {"short.wav", "broken.wav"}
    assert "1.0 s; at least 4.3 s" in trained.faults["short.wav"]


def test_nothing_of_what_is_hidden_reaches_the_encoder():
    """The error's gradient goes back to what is heard around it; what is hidden is a target alone."""
    mel = torch.randn(2, 64, MELS, generator=generator("mel"))
    hidden = torch.zeros(2, 16, dtype=torch.bool)
    hidden[:, 6:8] = True
    encoder, heard = AudioEncoder(WIDTH, MELS), []
    encoder.convs[0].register_forward_hook(lambda _, given, __: heard.append(given[0]))
    audio_pretraining.masked_error(encoder, torch.nn.Conv1d(WIDTH, 4 * MELS, 1), mel, hidden)
    assert heard[0][:, 0, 24:32].abs().max() == 0 and torch.equal(heard[0][:, 0, :24], mel[:, :24])


def test_a_third_is_hidden_in_pairs_and_never_nothing():
    hidden = audio_pretraining.mask(torch.zeros(400, 256, MELS), Draws(0, 0))
    assert 0.27 < hidden.float().mean() < 0.36 and hidden.any(dim=1).all()
    assert torch.equal(hidden[:, ::2], hidden[:, 1::2])


def test_a_generator_takes_it_in_and_keeps_its_own_scale(trained, tmp_path):
    path = trained.save(tmp_path / "encoder.safetensors")
    G = Generator(MELS, width=WIDTH, mel_center=torch.full((MELS,), -2.0))
    audio_pretraining.initialise(G.audio, path)
    assert torch.equal(G.audio.out.weight, trained.encoder.out.weight)
    assert torch.equal(G.audio.scale.center, torch.full((MELS,), -2.0))


def test_what_does_not_fit_is_said(trained, tmp_path):
    path = trained.save(tmp_path / "encoder.safetensors")
    with pytest.raises(audio_pretraining.PretrainingError, match=r"'width': 16.*this generator has .*'width': 32"):
        audio_pretraining.initialise(AudioEncoder(32, MELS), path)
    (tmp_path / "no.safetensors").write_text("nothing")
    with pytest.raises(audio_pretraining.PretrainingError, match="not a file of an audio encoder"):
        audio_pretraining.initialise(AudioEncoder(WIDTH, MELS), tmp_path / "no.safetensors")
    with pytest.raises(FileNotFoundError, match="no such file of an audio encoder"):
        audio_pretraining.initialise(AudioEncoder(WIDTH, MELS), tmp_path / "absent.safetensors")


def test_a_folder_without_speech_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        audio_pretraining.pretrain(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match=r"no \.wav"):
        audio_pretraining.pretrain(tmp_path)
    (tmp_path / "x.wav").write_text("not a sound")
    with pytest.raises(audio_pretraining.PretrainingError, match=r"x\.wav: .*cannot be read"):
        audio_pretraining.pretrain(tmp_path)


def test_a_generator_may_learn_to_listen_from_a_folder_a_file_or_made_up_voices(trained, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(audio_pretraining, "synthetic_voices", lambda _, seed: folder)
    path = trained.save(tmp_path / "encoder.safetensors")
    for source in (str(folder), str(path), "synthetic"):
        encoder = AudioEncoder(WIDTH, MELS, torch.full((MELS,), -2.0))
        before = encoder.out.weight.clone()
        audio_pretraining.initialise(encoder, source, steps=2)
        assert not torch.equal(encoder.out.weight, before)
        assert torch.equal(encoder.scale.center, torch.full((MELS,), -2.0))
        assert encoder.training
    with pytest.raises(FileNotFoundError, match="no such folder"):
        audio_pretraining.initialise(AudioEncoder(WIDTH, MELS), str(tmp_path / "absent"))


def test_made_up_voices_are_sound_files_that_can_be_read(tmp_path):
    heard, faults = audio_pretraining.read_folder(
        audio_pretraining.synthetic_voices(tmp_path, 0, count=2, seconds=5.0), MELS
    )
    assert [mel.shape for mel in heard] == [(300, MELS)] * 2 and not faults
