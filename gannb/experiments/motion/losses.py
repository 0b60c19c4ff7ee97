"""Loss terms of motion that both experiments share: position, velocity, smoothness, bones and joint limits.

All take poses `[..., T, 52, 3]` in metres (never z-scores: a bone between z-scores has no length) and return a scalar;
differences are per frame. Source: motion_balance, "curriculum" and its physics constraints (bone lengths and joint
angles); the weights 0.1, 0.05, 0.7 and 0.3 are the specification's.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gannb.experiments.motion import kinematics, skeleton
from gannb.networks.constants import constant

FRAME_AXIS = -3
ACCELERATION_SHARE, JERK_SHARE = 0.1, 0.05
HAND_SHARE, BODY_SHARE = 0.7, 0.3


def absolute(generated: Tensor, real: Tensor) -> Tensor:
    """Mean |generated - real| of poses `[..., T, 52, 3]`, metres. Velocity alone would leave the pose free."""
    _check_pair(generated, real)
    return (generated - real).abs().mean()


def velocity(generated: Tensor, real: Tensor) -> Tensor:
    """Mean |difference of frame-to-frame changes| of poses `[..., T, 52, 3]`, metres per frame."""
    _check_pair(generated, real)
    return (generated - real).diff(dim=FRAME_AXIS).abs().mean()


def reconstruction(
    generated: Tensor, real: Tensor, absolute_weight: Tensor | float, velocity_weight: Tensor | float
) -> Tensor:
    """The weighted sum of `absolute` and `velocity`, a scalar.

    Args:
        generated: poses `[..., T, 52, 3]`, metres.
        real: the poses of the same speech.
        absolute_weight: of `absolute`.
        velocity_weight: of `velocity`.
    """
    return absolute_weight * absolute(generated, real) + velocity_weight * velocity(generated, real)


def acceleration(generated: Tensor) -> Tensor:
    """Mean |second difference in time| of poses `[..., T, 52, 3]`, metres per frame²; at least 3 frames."""
    return _difference(generated, 2)


def jerk(generated: Tensor) -> Tensor:
    """Mean |third difference in time| of poses `[..., T, 52, 3]`, metres per frame³; at least 4 frames."""
    return _difference(generated, 3)


def smoothness(generated: Tensor) -> Tensor:
    """The detail loss of poses `[..., T, 52, 3]` without its adversarial part: 0.1 |acceleration| + 0.05 |jerk|."""
    return ACCELERATION_SHARE * acceleration(generated) + JERK_SHARE * jerk(generated)


def bone_length(generated: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Mean |bone length - its own length|, metres.

    Args:
        generated: poses `[..., T, 52, 3]`.
        lengths: `[51]`, or `[B, 51]` for each clip's speaker; the skeleton's by default.
    """
    _check(generated)
    lengths = constant(skeleton.BONE_LENGTHS, generated.device) if lengths is None else lengths
    if lengths.ndim == 2:
        lengths = lengths.unsqueeze(1)
    return (kinematics.bone_lengths(generated) - lengths.to(generated)).abs().mean()


def joint_angles(generated: Tensor) -> tuple[Tensor, Tensor]:
    """Mean violation of joint limits of poses `[..., T, 52, 3]`, radians: (hands, body).

    Hands: 40 angles beyond their limits, and the sideways bend of 20 finger hinges. Body: 17 angles beyond theirs.
    Angles are read with anatomical signs, so both sides of a mirrored pose give the same.
    """
    _check(generated)
    angles, sideways = kinematics.read(generated)
    beyond = kinematics.limit_violation(angles)
    hands = torch.cat([beyond[..., constant(tuple(skeleton.HAND_ANGLES), beyond.device)], sideways.abs()], dim=-1)
    return hands.mean(), beyond[..., constant(tuple(skeleton.BODY_ANGLES), beyond.device)].mean()


def physics(generated: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Bone lengths + 0.7 hand angles + 0.3 body angles, metres and radians.

    Args:
        generated: poses `[..., T, 52, 3]`.
        lengths: `[51]`, or `[B, 51]` for each clip's speaker; the skeleton's by default.
    """
    hands, body = joint_angles(generated)
    return bone_length(generated, lengths) + HAND_SHARE * hands + BODY_SHARE * body


def check_metres(pose: Tensor) -> None:
    """Check that real poses `[..., T, 52, 3]` can be in metres, before training.

    Raises:
        ValueError: a median bone below half or above twice the skeleton's: z-scores, centimetres, other joints.
    """
    _check(pose)
    ratio = float((kinematics.bone_lengths(pose) / skeleton.BONE_LENGTHS.to(pose)).median())
    if not 0.5 < ratio < 2.0:
        raise ValueError(
            f"pose: its bones are {ratio:.2g} times as long as a body's in the median (allowed 0.5 to 2); "
            "are these z-scores, another unit, or another order of joints? Give metres"
        )


def _difference(generated: Tensor, order: int) -> Tensor:
    _check(generated)
    if generated.shape[FRAME_AXIS] <= order:
        raise ValueError(f"pose: {generated.shape[FRAME_AXIS]} frames; a difference of order {order} needs {order + 1}")
    return generated.diff(n=order, dim=FRAME_AXIS).abs().mean()


def _check_pair(generated: Tensor, real: Tensor) -> None:
    _check(generated)
    if generated.shape != real.shape:
        raise ValueError(f"generated has shape {tuple(generated.shape)}, real {tuple(real.shape)}; one shape is needed")


def _check(pose: Tensor) -> None:
    if pose.ndim < 3 or pose.shape[-2:] != (len(skeleton.JOINTS), 3):
        raise ValueError(f"pose: shape {tuple(pose.shape)}, expected [..., frames, 52 joints, 3 axes]")
