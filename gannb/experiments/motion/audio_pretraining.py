"""Pretraining of the audio encoder on speech alone, from any folder of it, before a generator takes it.

    python -m gannb.experiments.motion.audio_pretraining FOLDER encoder.safetensors --width 64

Self-supervised: stretches of the log-mel are masked and reconstructed from what stands around them (as in masked
prediction: Devlin et al. 2019; for speech, Liu et al. 2021, TERA). No motion and no transcript is needed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import soundfile
import torch
from torch import Tensor, nn

from gannb.experiments.motion.data import speech
from gannb.experiments.motion.networks.audio_encoder import MEL_FRAMES, AudioEncoder
from gannb.networks.fit import minimise
from gannb.random import Draws, key, seeded
from gannb.runs.files import write_bytes

FRAMES, BATCH, RATE = 64, 16, 2e-3
MASKED, SPAN = 0.3, 2
"""Share of the pose frames that is masked, and how many are masked together."""
METADATA = "audio_encoder"


class PretrainingError(ValueError):
    """Speech that cannot be used, or an encoder's file that does not fit."""


@dataclass(frozen=True)
class PretrainedEncoder:
    """An encoder after pretraining.

    Attributes:
        encoder: the network.
        losses: mean absolute error on the masked frames, by step, in standard deviations.
        files: number of files it was trained on.
        faults: file → why it was left out.
    """

    encoder: AudioEncoder
    losses: list[float]
    files: int
    faults: dict[str, str]

    def save(self, path: str | Path) -> Path:
        """Write the weights, for `initialise`."""
        tensors = {name: t.contiguous() for name, t in self.encoder.state_dict().items()}
        metadata = {METADATA: json.dumps(_sizes(self.encoder) | {"files": self.files})}
        return write_bytes(Path(path), safetensors.torch.save(tensors, metadata))


def pretrain(
    folder: str | Path, *, n_mels: int = speech.N_MELS, width: int = 64, steps: int = 500, seed: int = 0
) -> PretrainedEncoder:
    """Train an encoder on every sound file below a folder.

    Args:
        folder: of `.wav`, `.ogg` or `.flac`.
        n_mels: mel bands, as the generator will have them.
        width: channels, likewise.
        steps: of Adam, on batches of 16 stretches of 64 pose frames.
        seed: of everything.

    Raises:
        FileNotFoundError: no such folder, or no sound file in it.
        PretrainingError: no file can be used; every reason is named.
    """
    mels, faults = read_folder(Path(folder), n_mels)
    together = torch.cat(mels)
    with seeded(seed, "ears"):
        encoder = AudioEncoder(width, n_mels, together.mean(0), together.std(0).clamp_min(1e-3))
        decoder = nn.Conv1d(width, MEL_FRAMES * n_mels, 3, padding=1)

    def loss(step: int) -> Tensor:
        draws = Draws(seed, step, "ears")
        mel = _stretches(mels, draws)
        return masked_error(encoder, decoder, mel, mask(mel, draws))

    losses = minimise(loss, nn.ModuleList([encoder, decoder]), steps=steps, rate=RATE, of="the audio encoder")
    return PretrainedEncoder(encoder.eval(), losses, len(mels), faults)


def initialise(encoder: AudioEncoder, source: str | Path, *, seed: int = 0, steps: int = 300) -> None:
    """Initialise a generator's encoder with pretrained weights, in place; its own scale of the data stays.

    Args:
        encoder: the generator's.
        source: a file that `PretrainedEncoder.save` wrote, a folder of speech, or "synthetic": synthetic voices that
            are in no corpus.
        seed: of the pretraining, where it happens here.
        steps: of the pretraining.

    Raises:
        FileNotFoundError: no such file or folder.
        PretrainingError: the file is of no audio encoder, or of another size; the folder holds no usable speech.
    """
    path = Path(source).expanduser()
    if source != "synthetic" and (path.is_file() or path.suffix == ".safetensors"):
        weights = _load(path, _sizes(encoder))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            folder = synthetic_voices(Path(temporary), seed) if source == "synthetic" else path
            weights = pretrain(folder, **_sizes(encoder), steps=steps, seed=seed).encoder.state_dict()
    scale = {name: t for name, t in encoder.state_dict().items() if name.startswith("scale.")}
    encoder.load_state_dict(weights | scale)


def synthetic_voices(folder: Path, seed: int, count: int = 6, seconds: float = 30.0) -> Path:
    """Write sound files of synthetic voices, pitches from low to high.

    Args:
        folder: where to; it is returned.
        seed: of the voices.
        count: number of files.
        seconds: of each.
    """
    for number in range(count):
        voice = speech.Voice(pitch=90 + 25 * number, rate=3.8 + 0.3 * number, accents=0.2)
        address = key(seed, "ears", number)
        said = speech.synthesise(speech.prosody(seconds, voice, address), voice, address)
        soundfile.write(folder / f"voice_{number}.wav", said.samples, speech.SAMPLE_RATE)
    return folder


def masked_error(encoder: AudioEncoder, decoder: nn.Module, mel: Tensor, masked: Tensor) -> Tensor:
    """Mean absolute error of the reconstruction of masked pose frames, in standard deviations, a scalar.

    Args:
        encoder: log-mel to features `[B, C, T]`.
        decoder: features back to `[B, 4 · n_mels, T]`.
        mel: log-mel `[B, 4T, n_mels]`.
        masked: `[B, T]`, True where a pose frame is masked.
    """
    scale = encoder.scale
    rebuilt = decoder(encoder(torch.where(masked.repeat_interleave(MEL_FRAMES, 1)[..., None], scale.center, mel)))
    true = scale(mel).unflatten(1, (-1, MEL_FRAMES)).flatten(2).transpose(1, 2)
    return (rebuilt - true).abs().transpose(1, 2)[masked].mean()


def mask(mel: Tensor, draws: Draws) -> Tensor:
    """Masked pose frames `[B, T]` of log-mels `[B, 4T, n_mels]`: pairs, about a third, at least one pair per clip."""
    count, frames = len(mel), mel.shape[1] // MEL_FRAMES
    chance = draws.rand("hide", count, -(-frames // SPAN))
    pairs = (chance < MASKED) | (chance == chance.amin(dim=1, keepdim=True))
    return pairs.repeat_interleave(SPAN, dim=1)[:, :frames]


def read_folder(folder: Path, n_mels: int) -> tuple[list[Tensor], dict[str, str]]:
    """Log-mels `[M, n_mels]` of every sound file below a folder, by name, and why some were left out.

    Raises:
        FileNotFoundError: no such folder, or no sound file in it.
        PretrainingError: no file can be used; every reason is named.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder of speech")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in speech.SUFFIXES)
    if not files:
        raise FileNotFoundError(f"{folder}: no {', '.join(speech.SUFFIXES)} file in it")
    mels, faults = [], {}
    for path in files:
        try:
            mel = torch.from_numpy(speech.log_mel(speech.read(path), n_mels))
            seconds, least = len(mel) / MEL_FRAMES / speech.POSE_FPS, FRAMES / speech.POSE_FPS
            if seconds < least:
                raise speech.SpeechError(f"{seconds:.1f} s; at least {least:.1f} s")
            mels.append(mel)
        except Exception as fault:  # whatever a damaged file raises: it is named, and the rest go on
            faults[path.name] = str(fault) or type(fault).__name__
    if not mels:
        reasons = "".join(f"\n  {name}: {reason}" for name, reason in faults.items())
        raise PretrainingError(f"{folder}: no speech can be used{reasons}")
    return mels, faults


def _sizes(encoder: AudioEncoder) -> dict[str, int]:
    return {"n_mels": encoder.n_mels, "width": encoder.out.out_features}


def _load(path: Path, sizes: dict[str, int]) -> dict[str, Tensor]:
    """The weights in a file of `PretrainedEncoder.save`, of an encoder of these sizes; raises as `initialise`."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of an audio encoder; write one with {__name__}")
    try:
        with safetensors.safe_open(path, "pt") as file:
            written = json.loads((file.metadata() or {}).get(METADATA, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (safetensors.SafetensorError, ValueError) as error:
        raise PretrainingError(f"{path.name}: not a file of an audio encoder ({error})") from error
    if {name: written.get(name) for name in sizes} != sizes:
        raise PretrainingError(f"{path.name}: written with {written or 'no sizes'}, this generator has {sizes}")
    return tensors


def _stretches(mels: list[Tensor], draws: Draws) -> Tensor:
    """A batch of stretches `[BATCH, 256, n_mels]`, each second of speech as likely as any other."""
    room = torch.tensor([len(mel) // MEL_FRAMES - FRAMES + 1 for mel in mels])
    ends = room.cumsum(0)
    places = draws.randint("place", BATCH, high=int(ends[-1]))
    which = torch.searchsorted(ends, places, right=True)
    firsts = (places - (ends - room)[which]) * MEL_FRAMES
    return torch.stack([mels[w][f : f + FRAMES * MEL_FRAMES] for w, f in zip(which.tolist(), firsts.tolist())])


def main() -> None:
    """Pretrain on a folder and write the encoder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", help="of speech")
    parser.add_argument("out", help="the file to write")
    for option, default in {"--width": 64, "--n-mels": speech.N_MELS, "--steps": 500, "--seed": 0}.items():
        parser.add_argument(option, type=int, default=default)
    args = vars(parser.parse_args())
    out = args.pop("out")
    trained = pretrain(**args)
    for name, reason in trained.faults.items():
        print(f"left out: {name}: {reason}")
    first, last = (sum(part) / len(part) for part in (trained.losses[:20], trained.losses[-20:]))
    print(f"{trained.files} files; error on masked frames {first:.3f} → {last:.3f} standard deviations")
    print(trained.save(out))


if __name__ == "__main__":
    main()
