"""The values that a score can take, where its kind limits them: no interval reaches beyond."""

from __future__ import annotations

import math
import re

SHARES = re.compile(
    r"precision|recall|coverage|copies|collapsed|share_near|pck|bone_frames|limit_joint_frames|speed_hellinger"
    r"|((class|d)_)?accuracy(_raw)?|harm_rate(_\d+_\d+)?|tar_at_far_\w+"
)
"""Between 0 and 1."""
DISTANCES = re.compile(r"(fid|fd|faed|fgd)(_\w+)?|mad|maje|(l1div|diversity)(_share)?|jerk|particle_\w+|last_over_best")
"""Not below 0. A KID is not among them: its estimate is unbiased, and may lie below."""


def possible(name: str) -> tuple[float, float]:
    """The least and the largest value of a score; infinite where nothing is known."""
    if SHARES.fullmatch(name):
        return 0.0, 1.0
    return (0.0 if DISTANCES.fullmatch(name) else -math.inf), math.inf
