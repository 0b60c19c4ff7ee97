"""How good a motion is: against the real one, against itself, and against what a body can do.

Everything takes poses `[N, T, 52, 3]` in metres and gives a `Score` whose protocol names the settings; errors are one
standard error over clips. Beats are in `beats.py`, the Fréchet distance in `gesture_features.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gannb.experiments.motion import kinematics, skeleton
from gannb.experiments.motion.data.clips import FPS
from gannb.metrics.score import Score

BONE_TOLERANCE = 0.01
LIMIT_TOLERANCE_DEGREES = 0.5
PCK_SHARE = 0.2


# ----------------------------------------------------------------------------------------------------------------
# generated beside the real motion of the same speech


def maje(real: Tensor, generated: Tensor) -> Score:
    """Mean absolute joint error of poses `[N, T, 52, 3]`, metres per coordinate (Yoon et al. 2020)."""
    _check_pair(real, generated)
    return _mean("maje", (generated - real).abs().flatten(1).mean(1), unit="m", paired=True)


def mad(real: Tensor, generated: Tensor, fps: float = FPS) -> Score:
    """Mean absolute difference of accelerations, m/s² per coordinate (Yoon et al. 2020).

    Args:
        real: `[N, T, 52, 3]`, metres.
        generated: to the same speech.
        fps: frames per second.
    """
    _check_pair(real, generated)
    apart = (generated - real).diff(n=2, dim=1) * fps**2
    return _mean("mad", apart.abs().flatten(1).mean(1), unit="m/s²", fps=fps, paired=True)


def pck(real: Tensor, generated: Tensor, share: float = PCK_SHARE) -> Score:
    """Share of correct keypoints: joints within a share of the real pose's bounding box (Ginosar et al. 2019).

    Args:
        real: `[N, T, 52, 3]`, metres.
        generated: to the same speech.
        share: of the longer side of the box.
    """
    _check_pair(real, generated)
    box = (real.amax(2) - real.amin(2)).amax(-1)  # [N, T]
    near = (generated - real).norm(dim=-1) <= share * box.unsqueeze(-1)
    return _mean("pck", near.float().flatten(1).mean(1), within=f"{share:g} of the box", paired=True)


# ----------------------------------------------------------------------------------------------------------------
# how much and how fast


def l1div(pose: Tensor, name: str = "l1div") -> Score:
    """Distance of a clip `[N, T, 52, 3]` from its own mean pose: Σ over coordinates of |x - mean|, metres (EMAGE)."""
    _check(pose)
    return _mean(name, (pose - pose.mean(1, keepdim=True)).abs().sum((2, 3)).mean(1), unit="m")


def diversity(pose: Tensor, name: str = "diversity") -> Score:
    """Distance between clips `[N, T, 52, 3]`: mean over pairs of the mean |difference| of a coordinate, metres.

    No error is given: pairs share clips, so they do not count singly.
    """
    _check(pose, clips=2)
    flat = pose.flatten(1)
    pairs = len(flat) * (len(flat) - 1) / 2
    apart = torch.nn.functional.pdist(flat, p=1).double().sum() / pairs / flat.shape[1]
    return Score(name, float(apart), protocol={"n_fake": len(pose), "unit": "m", "pairs": int(pairs)})


def jerk(pose: Tensor, fps: float = FPS, name: str = "jerk") -> Score:
    """Mean length of the third derivative of joint positions, m/s³.

    Args:
        pose: `[N, T, 52, 3]`, metres.
        fps: frames per second.
        name: of the score.
    """
    _check(pose, frames=4)
    third = pose.diff(n=3, dim=1).norm(dim=-1) * fps**3
    return _mean(name, third.flatten(1).mean(1), unit="m/s³", fps=fps)


def seam_jerk(pose: Tensor, hop: int = 32, quantile: float = 0.95) -> float:
    """Jerk where windows of generation meet, over the 95th percentile of the jerk elsewhere; at most 1 without a seam.

    Args:
        pose: one motion `[F, 52, 3]`, longer than one window.
        hop: frames between the beginnings of windows.
        quantile: of the rest.

    Raises:
        ValueError: a motion without a seam, or of another shape.
    """
    if pose.ndim != 3 or len(pose) < 2 * hop:
        raise ValueError(f"pose: shape {tuple(pose.shape)}, expected [at least {2 * hop} frames, 52 joints, 3 axes]")
    third = pose.diff(n=3, dim=0).norm(dim=-1).mean(1)
    at = torch.zeros(len(third), dtype=torch.bool)
    for start in range(hop, len(pose), hop):
        at[max(0, start - 3) : start] = True
    return float(third[at].mean() / third[~at].quantile(quantile).clamp_min(1e-12))


def speed_hellinger(real: Tensor, generated: Tensor, fps: float = FPS, bins: int = 50, fastest: float = 5.0) -> Score:
    """Hellinger distance between the histograms of joint speeds, 0 (the same) to 1 (no overlap).

    Args:
        real: `[N, T, 52, 3]`, metres.
        generated: likewise; as many clips are not needed.
        fps: frames per second.
        bins: of equal width from 0 to `fastest`.
        fastest: m/s; higher speeds count in the last bin.
    """
    _check(real, frames=2)
    _check(generated, frames=2)
    p, q = (_speed_histogram(pose, fps, bins, fastest) for pose in (real, generated))
    value = math.sqrt(max(0.0, 1.0 - float((p * q).sqrt().sum())))
    protocol = {"n_real": len(real), "n_fake": len(generated), "fps": fps, "bins": bins, "fastest": fastest}
    return Score("speed_hellinger", value, protocol=protocol)


def _speed_histogram(pose: Tensor, fps: float, bins: int, fastest: float) -> Tensor:
    speed = pose[:, :, 1:].diff(dim=1).norm(dim=-1) * fps  # the neck stands still by convention
    counts = torch.histc(speed.clamp(max=fastest), bins, 0.0, fastest).double()
    return counts / counts.sum()


# ----------------------------------------------------------------------------------------------------------------
# what a body can do


def bone_violation(pose: Tensor, lengths: Tensor | None = None) -> tuple[Score, Score]:
    """Bones that change their length: the worst |length / rest - 1|, and the share of frames with one beyond 1 %.

    Args:
        pose: `[N, T, 52, 3]`.
        lengths: rest lengths `[51]` or `[N, 51]`; the skeleton's by default.
    """
    _check(pose)
    lengths = skeleton.BONE_LENGTHS if lengths is None else lengths
    off = kinematics.bone_violation(pose, lengths.unsqueeze(1) if lengths.ndim == 2 else lengths)
    worst = Score("bone_worst", float(off.max()), protocol={"n_fake": len(pose), "joint_frames": _joint_frames(pose)})
    frames = (off.amax(-1) > BONE_TOLERANCE).float().mean(1)
    return worst, _mean("bone_frames", frames, beyond=BONE_TOLERANCE, joint_frames=_joint_frames(pose))


def limit_violation(pose: Tensor) -> Score:
    """Share of joint-frames of poses `[N, T, 52, 3]` bent further than a body can, by more than 0.5°.

    A joint counts where any of its angles is beyond its limits or, for finger hinges, where it bends sideways.
    """
    _check(pose)
    beyond = torch.stack([violating_joints(clip) for clip in pose])
    bending = sorted({*skeleton.ANGLE_JOINTS})
    share = beyond[:, :, bending].float().flatten(1).mean(1)
    return _mean(
        "limit_joint_frames", share, beyond_degrees=LIMIT_TOLERANCE_DEGREES, joints=len(bending),
        joint_frames=_joint_frames(pose),
    )  # fmt: skip


def violating_joints(pose: Tensor) -> Tensor:
    """Which joints `[..., 52]` of poses `[..., 52, 3]` are bent beyond their limits by more than 0.5°."""
    tolerance = math.radians(LIMIT_TOLERANCE_DEGREES)
    wrong = torch.zeros(pose.shape[:-1], dtype=torch.bool, device=pose.device)
    beyond = kinematics.limit_violation(kinematics.joint_angles(pose)) > tolerance
    sideways = kinematics.hinge_deviation(pose).abs() > tolerance
    hinges = [skeleton.INDEX[name] for name in skeleton.HINGES]
    for joints, found in ((skeleton.ANGLE_JOINTS, beyond), (hinges, sideways)):
        for i, joint in enumerate(joints):
            wrong[..., joint] |= found[..., i]
    return wrong


# ----------------------------------------------------------------------------------------------------------------
# body and hands together (M19): the document expects harmony and gives no measure, so these two are ours


@dataclass(frozen=True)
class Harmony:
    """How hands move with arms.

    Attributes:
        correlation: of hand and arm speed over time, per clip and side, averaged.
        isolated: share of frames with a moving hand in which its arm rests.
    """

    correlation: Score
    isolated: Score


HAND_MOVES = math.radians(40.0)  # a second, mean over the hand's 20 angles
ARM_RESTS = 0.05  # metres per second at the wrist


def harmony(pose: Tensor, fps: float = FPS) -> Harmony:
    """Body-hand harmony of poses `[N, T, 52, 3]`; compare generated with real motion (M19).

    A hand's speed is the mean |change| of its 20 finger angles, so that carrying a stiff hand does not count; the other
    speed is the wrist's. Clips in which either stands still have no correlation and are left out of it.
    """
    _check(pose, frames=3)
    hand, wrist = hand_and_arm_speed(pose, fps)
    moving = hand > HAND_MOVES
    settings = {"fps": fps, "hand_moves": "40°/s", "arm_rests": "0.05 m/s"}
    centred = [speed - speed.mean(1, keepdim=True) for speed in (hand, wrist)]
    size = centred[0].norm(dim=1) * centred[1].norm(dim=1)  # [N, 2]
    lively = size > 1e-6
    if lively.any():
        values = ((centred[0] * centred[1]).sum(1)[lively] / size[lively]).double()
        correlation = _mean("hand_arm_correlation", values, **settings)
    else:
        correlation = Score.missing("hand_arm_correlation", "no hand and arm move in any clip", **settings)
    if moving.any():
        share = float((moving & (wrist < ARM_RESTS)).sum() / moving.sum())
        isolated = Score("isolated_hand", share, protocol={"n_fake": len(pose)} | settings)
    else:
        isolated = Score.missing("isolated_hand", "no hand moves in any frame", **settings)
    return Harmony(correlation, isolated)


def hand_and_arm_speed(pose: Tensor, fps: float = FPS) -> tuple[Tensor, Tensor]:
    """Speed of hands (rad/s, mean over 20 angles) and arms (m/s at the wrist) `[N, T-1, 2]`, left then right."""
    change = kinematics.joint_angles(pose).diff(dim=1).abs() * fps
    sides = torch.stack([change[..., list(skeleton.HAND_ANGLES[:20])], change[..., list(skeleton.HAND_ANGLES[20:])]], 2)
    wrists = pose[:, :, [skeleton.INDEX["left_wrist"], skeleton.INDEX["right_wrist"]]]
    return sides.mean(-1), wrists.diff(dim=1).norm(dim=-1) * fps


# ----------------------------------------------------------------------------------------------------------------


def _mean(name: str, per_clip: Tensor, **protocol: object) -> Score:
    error = float(per_clip.double().std() / math.sqrt(len(per_clip))) if len(per_clip) > 1 else None
    kind = {"error": "standard error over clips"} if error is not None else {}
    return Score(name, float(per_clip.double().mean()), error, protocol={"n_fake": len(per_clip)} | protocol | kind)


def _joint_frames(pose: Tensor) -> int:
    return pose[..., 0].numel()


def _check_pair(real: Tensor, generated: Tensor) -> None:
    _check(real)
    _check(generated)
    if real.shape != generated.shape:
        raise ValueError(f"real {tuple(real.shape)} and generated {tuple(generated.shape)}: clips have to be paired")


def _check(pose: Tensor, clips: int = 1, frames: int = 1) -> None:
    if pose.ndim != 4 or pose.shape[2:] != (len(skeleton.JOINTS), 3):
        raise ValueError(f"pose: shape {tuple(pose.shape)}, expected [clips, frames, 52 joints, 3 axes]")
    if pose.shape[0] < clips or pose.shape[1] < frames:
        raise ValueError(f"pose: {pose.shape[0]} clips of {pose.shape[1]} frames; needed: {clips} of {frames} at least")
    if not pose.isfinite().all():
        bad = (~pose.isfinite()).flatten(1).any(1).nonzero().flatten().tolist()
        raise ValueError(f"pose: clips {bad[:10]} hold values that are not finite")
