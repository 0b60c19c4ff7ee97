"""An audio encoder that learns from speech alone, from any folder of it, before it is taken into a generator.

    python -m gannb.experiments.motion.audio_pretraining FOLDER ears.safetensors --width 64

Self-supervised: stretches of the log-mel are hidden and have to be said from what stands around them (as in masked
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
import torch
from torch import Tensor, nn

from gannb.experiments.motion.data import speech
from gannb.experiments.motion.networks.audio_encoder import MEL_FRAMES, AudioEncoder
from gannb.networks.fit import minimise
from gannb.random import Draws, key, seeded
from gannb.runs.files import write_bytes

FRAMES, BATCH, RATE = 64, 16, 2e-3
HIDDEN, SPAN = 0.3, 2
"""Share of the pose frames that is hidden, and how many are hidden together."""


class PretrainingError(ValueError):
    """Speech that cannot be learnt from, or an encoder's file that does not fit."""


@dataclass(frozen=True)
class PretrainedEncoder:
    """An encoder that has learnt to listen.

    Attributes:
        encoder: the network.
        losses: mean absolute error on what was hidden, by step, in standard deviations.
        files: how many files it heard.
        faults: file → why it was left out.
    """

    encoder: AudioEncoder
    losses: list[float]
    files: int
    faults: dict[str, str]

    def save(self, path: str | Path) -> Path:
        """Write the weights, to be taken in by `load_encoder`."""
        encoder = self.encoder
        told = {"n_mels": encoder.n_mels, "width": encoder.out.out_features, "files": self.files}
        tensors = {name: t.contiguous() for name, t in encoder.state_dict().items()}
        return write_bytes(Path(path), safetensors.torch.save(tensors, {"ears": json.dumps(told)}))


def pretrain(
    folder: str | Path, *, n_mels: int = speech.N_MELS, width: int = 64, steps: int = 500, seed: int = 0
) -> PretrainedEncoder:
    """Train an encoder on every sound file below a folder.

    Args:
        folder: of `.wav`, `.ogg` or `.flac`.
        n_mels, width: as the generator will have them.
        steps: of Adam, on batches of 16 stretches of 64 pose frames.
        seed: of everything.

    Raises:
        FileNotFoundError: no such folder, or no sound file in it.
        PretrainingError: no file can be used; every reason is named.
    """
    heard, faults = read_folder(Path(folder), n_mels)
    together = torch.cat(heard)
    center, spread = together.mean(0), together.std(0).clamp_min(1e-3)
    with seeded(seed, "ears"):
        encoder = AudioEncoder(width, n_mels, center, spread)
        decoder = nn.Conv1d(width, MEL_FRAMES * n_mels, 3, padding=1)

    def loss(step: int) -> Tensor:
        draws = Draws(seed, step, "ears")
        mel = _stretches(heard, draws)
        return masked_error(encoder, decoder, mel, mask(mel, draws))

    losses = minimise(loss, nn.ModuleList([encoder, decoder]), steps=steps, rate=RATE)
    return PretrainedEncoder(encoder.eval(), losses, len(heard), faults)


def initialise(encoder: AudioEncoder, source: str, *, seed: int = 0, steps: int = 300) -> None:
    """Let a generator's encoder learn to listen first, in place; its own scale of the data stays.

    Args:
        encoder: the generator's.
        source: a folder of speech, a file that `PretrainedEncoder.save` wrote, or "synthetic".
        seed, steps: of the learning, where it happens here.

    Raises:
        FileNotFoundError, PretrainingError: what is wrong with the source.
    """
    if source != "synthetic" and Path(source).expanduser().is_file():
        load_encoder(encoder, source)
        return
    told = {"n_mels": encoder.n_mels, "width": encoder.out.out_features, "steps": steps, "seed": seed}
    with tempfile.TemporaryDirectory() as temporary:
        folder = synthetic_voices(Path(temporary), seed) if source == "synthetic" else Path(source).expanduser()
        learnt = pretrain(folder, **told).encoder.state_dict()
    kept = {name: t for name, t in encoder.state_dict().items() if name.startswith("scale.")}
    encoder.load_state_dict(learnt | kept)


def synthetic_voices(folder: Path, seed: int, count: int = 6, seconds: float = 30.0) -> Path:
    """Write sound files of synthetic voices, pitches from low to high, into a folder; returns the folder."""
    import soundfile

    for number in range(count):
        voice = speech.Voice(pitch=90 + 25 * number, rate=3.8 + 0.3 * number, accents=0.2)
        address = key(seed, "ears", number)
        said = speech.synthesise(speech.prosody(seconds, voice, address), voice, address)
        soundfile.write(folder / f"voice_{number}.wav", said.samples, speech.SAMPLE_RATE)
    return folder


def masked_error(encoder: AudioEncoder, decoder: nn.Module, mel: Tensor, hidden: Tensor) -> Tensor:
    """Mean absolute error, in standard deviations, of what is said of the hidden pose frames.

    Args:
        encoder, decoder: speech to features, and features `[B, C, T]` back to `[B, 4 · n_mels, T]`.
        mel: log-mel `[B, 4T, n_mels]`.
        hidden: `[B, T]`, True where a pose frame is hidden.
    """
    scale = encoder.scale
    said = decoder(encoder(torch.where(hidden.repeat_interleave(MEL_FRAMES, 1)[..., None], scale.center, mel)))
    true = scale(mel).unflatten(1, (-1, MEL_FRAMES)).flatten(2).transpose(1, 2)
    return (said - true).abs().transpose(1, 2)[hidden].mean()


def mask(mel: Tensor, draws: Draws) -> Tensor:
    """Which pose frames are hidden `[B, T]`: pairs of neighbours, about a third, at least one pair a clip."""
    count, frames = len(mel), mel.shape[1] // MEL_FRAMES
    chance = draws.rand("hide", count, -(-frames // SPAN))
    pairs = (chance < HIDDEN) | (chance == chance.amin(dim=1, keepdim=True))
    return pairs.repeat_interleave(SPAN, dim=1)[:, :frames]


def read_folder(folder: Path, n_mels: int) -> tuple[list[Tensor], dict[str, str]]:
    """Log-mels of every sound file below a folder, by name, and why some were left out; raises as `pretrain`."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder of speech")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in speech.SUFFIXES)
    if not files:
        raise FileNotFoundError(f"{folder}: no {', '.join(speech.SUFFIXES)} file in it")
    heard, faults = [], {}
    for path in files:
        try:
            mel = torch.from_numpy(speech.log_mel(speech.read(path), n_mels))
        except speech.SpeechError as fault:
            faults[path.name] = str(fault)
            continue
        if len(mel) >= FRAMES * MEL_FRAMES:
            heard.append(mel)
        else:
            faults[path.name] = (
                f"{len(mel) / MEL_FRAMES / speech.POSE_FPS:.1f} s; at least {FRAMES / speech.POSE_FPS:.1f} s"
            )
    if not heard:
        raise PretrainingError(
            "\n  ".join([f"{folder}: no speech can be used", *(f"{n}: {r}" for n, r in faults.items())])
        )
    return heard, faults


def load_encoder(encoder: AudioEncoder, path: str | Path) -> None:
    """Give a generator's encoder what another learnt; its own scale of the data stays.

    Raises:
        FileNotFoundError: no such file.
        PretrainingError: no encoder's file, or one with other mel bands or widths.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file of an audio encoder; make one with gannb.experiments.motion.audio_pretraining"
        )
    try:
        with safetensors.safe_open(path, "pt") as file:
            told = json.loads((file.metadata() or {}).get("ears", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (safetensors.SafetensorError, ValueError) as error:
        raise PretrainingError(f"{path.name}: not a file of an audio encoder ({error})") from error
    mine = {"n_mels": encoder.n_mels, "width": encoder.out.out_features}
    if {name: told.get(name) for name in mine} != mine:
        raise PretrainingError(f"{path.name}: written with {told or 'no metadata'}, this generator has {mine}")
    kept = {name: t for name, t in encoder.state_dict().items() if name.startswith("scale.")}
    encoder.load_state_dict(tensors | kept)


def _stretches(heard: list[Tensor], draws: Draws) -> Tensor:
    """A batch of stretches `[BATCH, 256, n_mels]`, each second of speech as likely as any other."""
    room = torch.tensor([len(mel) // MEL_FRAMES - FRAMES + 1 for mel in heard])
    ends = room.cumsum(0)
    places = draws.randint("place", BATCH, high=int(ends[-1]))
    which = torch.searchsorted(ends, places, right=True)
    firsts = (places - (ends - room)[which]) * MEL_FRAMES
    return torch.stack([heard[w][f : f + FRAMES * MEL_FRAMES] for w, f in zip(which.tolist(), firsts.tolist())])


def main() -> None:
    """Train on a folder and write the encoder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", help="of speech")
    parser.add_argument("out", help="the file to write")
    parser.add_argument("--width", type=int, default=64, help="C of the generator that will take it")
    parser.add_argument("--n-mels", type=int, default=speech.N_MELS)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    ears = pretrain(args.folder, n_mels=args.n_mels, width=args.width, steps=args.steps, seed=args.seed)
    for name, reason in ears.faults.items():
        print(f"left out: {name}: {reason}")
    first, last = (sum(part) / len(part) for part in (ears.losses[:20], ears.losses[-20:]))
    print(f"{ears.files} files; error on what was hidden {first:.3f} → {last:.3f} standard deviations")
    print(ears.save(args.out))


if __name__ == "__main__":
    main()
