"""A 3-D skeleton player with the speech in step: one self-contained page, offline, real beside generated.

The sound's own clock drives the picture, so they cannot drift apart. Poses travel as 16-bit steps (below 0.1 mm), sound
as Ogg Vorbis; ten seconds are well under a megabyte. What breaks a bone's length or a joint's limit is drawn in red.
"""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from gannb.experiments.motion.data.clips import FPS, Clips
from gannb.experiments.motion.data.speech import SAMPLE_RATE, Speech
from gannb.experiments.motion.kinematics import bone_lengths, bone_violation, joint_angles, limit_violation
from gannb.experiments.motion.metrics.evaluation import generate_clips
from gannb.experiments.motion.skeleton import ANGLE_JOINTS, BODY, JOINTS, PARENTS
from gannb.runs.files import write_text
from gannb.training.trainer import Trainer

HEIGHT, COMPACT_HEIGHT = 410, 286  # pixels of the frame in a notebook, and in a live view
BONE_TOLERANCE = 0.01  # share of a bone's length
LIMIT_TOLERANCE = 0.5  # degrees beyond a joint's limit
_BLOCK = 65536  # samples an encoder is given at a time; libsndfile's Vorbis overflows its stack on long ones


class SkeletonPlayer:
    """Plays motions side by side to one speech; the last expression of a cell shows it.

    Args:
        motions: a name above each panel → pose `[F, 52, 3]` in metres at 15 fps.
        speech: what is heard; None plays silently.
        compact: play again and again, without sound and controls, as in a live view.

    Raises:
        ValueError: no motion, another shape than `[F, 52, 3]`, or NaN in one.
    """

    def __init__(
        self, motions: Mapping[str, np.ndarray | torch.Tensor], speech: Speech | None = None, *, compact: bool = False
    ) -> None:
        if not motions:
            raise ValueError("motions: give at least one, such as {'real': pose}")
        self.motions = {name: _pose(name, pose) for name, pose in motions.items()}
        self.speech, self.compact = speech, compact
        self._packed: dict[float, str] = {}  # the sound by its length, which is slow to pack

    def with_motions(self, motions: Mapping[str, np.ndarray | torch.Tensor]) -> SkeletonPlayer:
        """The same player of other motions `[F, 52, 3]` by name; the sound is not packed again."""
        other = SkeletonPlayer(motions, self.speech)
        other._packed = self._packed
        return other

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return max(len(pose) for pose in self.motions.values()) / FPS

    def page(self) -> str:
        """The whole player as one HTML page."""
        template = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
        data = json.dumps(self._data(), separators=(",", ":")).replace("</", "<\\/")
        return template.replace("__DATA__", data)

    def save(self, path: str | Path) -> Path:
        """Write the page to a file that any browser opens."""
        return write_text(Path(path), self.page())

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{html.escape(self.page())}" title="Skeleton player" '
            f'style="width:100%;height:{COMPACT_HEIGHT if self.compact else HEIGHT}px;border:0" '
            'allow="autoplay"></iframe>'
        )

    def __repr__(self) -> str:
        said = "silent" if self.speech is None else f"to {self.speech.name}"
        return f"SkeletonPlayer({', '.join(self.motions)}; {self.seconds:.1f} s, {said})"

    def _data(self) -> dict[str, object]:
        heights = torch.cat([pose[..., 1].flatten() for pose in self.motions.values()])
        widths = torch.cat([pose[..., [0, 2]].norm(dim=-1).flatten() for pose in self.motions.values()])
        return {
            "fps": FPS,
            "parents": PARENTS,
            "sides": [name.split("_")[0] if "_" in name and "eye" not in name else "body" for name in JOINTS],
            "thick": [int(joint in BODY) for joint in range(len(JOINTS))],
            "low": round(float(heights.min()) - 0.05, 3),
            "high": round(float(heights.max()) + 0.05, 3),
            "width": round(2 * float(widths.max()), 3),
            "motions": [self._motion(name, pose) for name, pose in self.motions.items()],
            "audio": self._audio(),
            "compact": self.compact,
        }

    def _audio(self) -> str | None:
        if self.speech is None or self.compact:
            return None
        if self.seconds not in self._packed:
            self._packed[self.seconds] = _sound(self.speech.cut(0, self.seconds))
        return self._packed[self.seconds]

    def _motion(self, name: str, pose: torch.Tensor) -> dict[str, object]:
        step = max(float(pose.abs().max()), 1e-3) / 32767
        faults = violations(pose)
        faulty = int(faults.any(axis=1).sum())
        note = f"violations in {faulty} of {len(pose)} frames" if faulty else "no violation"
        steps = (pose / step).round().to(torch.int16).numpy().astype("<i2")
        packed = {"pose": _base64(steps.tobytes()), "fault": _base64(faults.tobytes())}
        return {"name": name, "frames": len(pose), "step": step, "note": note, "faulty": faulty > 0, **packed}


def beside_real(clips: Clips) -> Callable[[Trainer], SkeletonPlayer]:
    """What a live view shows of a generator of gestures: its motion to a clip's speech beside the real one.

    Args:
        clips: the first one is shown.
    """
    first = Clips(*(part[:1] for part in clips))

    def show(trainer: Trainer) -> SkeletonPlayer:
        generated = generate_clips(trainer.ema("G"), first)
        return SkeletonPlayer({"real": first.pose[0], "generated": generated[0]}, compact=True)

    return show


def violations(pose: torch.Tensor, lengths: torch.Tensor | None = None) -> np.ndarray:
    """What is wrong where: `[F, 52]` uint8, 1 for the bone that ends at a joint, 2 for the joint's limits, 3 for both.

    Args:
        pose: `[F, 52, 3]` metres.
        lengths: unbroken lengths `[51]`; the median over the frames when None.
    """
    lengths = bone_lengths(pose).median(dim=0).values if lengths is None else lengths
    out = np.zeros((len(pose), len(JOINTS)), dtype=np.uint8)
    out[:, 1:] |= (bone_violation(pose, lengths) > BONE_TOLERANCE).numpy().astype(np.uint8)
    beyond = torch.rad2deg(limit_violation(joint_angles(pose))) > LIMIT_TOLERANCE
    for angle, joint in enumerate(ANGLE_JOINTS):
        out[:, joint] |= 2 * beyond[:, angle].numpy().astype(np.uint8)
    return out


def _pose(name: str, pose: np.ndarray | torch.Tensor) -> torch.Tensor:
    pose = torch.as_tensor(pose).detach().cpu().float()
    if pose.ndim != 3 or pose.shape[1:] != (len(JOINTS), 3) or not len(pose):
        raise ValueError(f"motion {name!r}: shape {tuple(pose.shape)}, expected [F, {len(JOINTS)}, 3]")
    if not pose.isfinite().all():
        bad = (~pose.isfinite()).flatten(1).any(1).nonzero().flatten().tolist()
        raise ValueError(f"motion {name!r}: NaN or infinite positions in frames {bad[:8]}")
    return pose


def _sound(speech: Speech) -> str:
    import soundfile

    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", SAMPLE_RATE, 1, format="OGG", subtype="VORBIS") as file:
        for first in range(0, len(speech.samples), _BLOCK):
            file.write(speech.samples[first : first + _BLOCK])
    return f"data:audio/ogg;base64,{_base64(buffer.getvalue())}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
