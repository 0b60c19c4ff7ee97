"""Scores in words, for readers who do not know their short names."""

from __future__ import annotations

import re

PARTS = {
    "fid": "Fréchet inception distance", "faed": "Fréchet distance on autoencoder features",
    "fgd": "Fréchet gesture distance", "fd": "Fréchet distance", "kid": "kernel distance",
    "over_floor": "over its floor (1 is perfect)", "floor": "of real images against real ones",
    "halves": "between equal halves", "all": "against all real images",
}  # fmt: skip
NAMES = {
    "precision": "precision: share of samples near real images", "recall": "recall: share of real images near samples",
    "density": "density of real images around samples", "coverage": "coverage: share of real images that are reached",
    "copies": "copies: share of samples nearer to training than to held-out images (0.5 is none)",
    "bc_emage": "beat consistency (EMAGE)", "bc_stroke": "beat consistency of strokes",
    "harm_rate": "share of faces that are harmed", "improvement": "gain in cosine similarity",
    "share_near": "share of points near a cluster", "modes_found": "clusters found",
    "choosing": "score on the selection images", "test/distance": "Fréchet distance to the test images",
    "distance": "energy distance to held-out points", "inception_score": "inception score",
    "particle_number": "number of particles, Wasserstein distance",
    "particle_radius": "radius of particles, Wasserstein distance, pixels",
    "particle_brightness": "brightness of particles, Wasserstein distance, grey levels",
    "brightness_spread": "spread of images' mean brightness, grey levels",
    "fine_detail": "power at the highest frequencies, squared grey levels",
    "exploded_at": "step at which G's gradients exploded",
    "d_accuracy_before": "share of cases in which D was right before that",
    "last_over_best": "distance at the last checkpoint over that at the best",
    "missing_classes": "classes that are missing", "alarms_per_1000_steps": "alarms per 1,000 steps",
    "lpips_diversity": "diversity by LPIPS", "maje": "mean absolute error of joint positions",
    "mad": "mean absolute error of accelerations", "pck": "share of joints near their real position",
    "l1div": "distance of poses from their clip's mean", "l1div_share": "distance of poses from their mean, over real",
    "diversity": "distance between clips", "diversity_share": "distance between clips, over that of real ones",
    "jerk": "mean jerk of joints, m/s³", "jerk_real": "mean jerk of real joints, m/s³",
    "speed_hellinger": "Hellinger distance of joint speeds (0: the same)",
    "bone_worst": "largest relative error of a bone's length", "bone_frames": "share of frames with a wrong bone",
    "limit_joint_frames": "share of joints bent beyond their limits",
    "bc_emage_over_shuffled": "beat consistency (EMAGE), less that with other speech",
    "bc_stroke_over_shuffled": "beat consistency of strokes, less that with other speech",
    "hand_arm_correlation": "correlation of hand and arm speed", "isolated_hand": "hands that move while arms rest",
    "hand_arm_correlation_real": "correlation of hand and arm speed, real motion",
    "isolated_hand_real": "hands that move while arms rest, real motion",
    "harmony_gap": "difference of that correlation from real motion's",
}  # fmt: skip
"""Scores by their whole name; others are put together from `PARTS`."""


def long_name(name: str) -> str:
    """A score's name in words; the short name with spaces where no words are known for it."""
    if name in NAMES:
        return NAMES[name]
    if found := re.fullmatch(r"tar_at_far_0_(\d+)(_raw)?", name):
        return f"true acceptance at 0.{found[1]} false acceptance{', raw features' if found[2] else ''}"
    if found := re.fullmatch(r"(improvement|harm_rate)_(\d+)_(\d+)", name):
        return f"{long_name(found[1])} at {found[2]}–{found[3]}°"
    head, _, rest = name.partition("_")
    if head not in PARTS:
        return name.replace("_", " ").replace("/", " ")
    ending = next((ending for ending in ("over_floor", "floor", "halves", "all") if rest.endswith(ending)), "")
    features, _, count = rest.removesuffix(ending).strip("_").rpartition("_")
    if not count.isdigit():
        features, count = rest.removesuffix(ending).strip("_"), ""
    named = {"faed": "autoencoder", "digits": "digit classifier"}.get(features, features.replace("_", " "))
    parts = (PARTS[head], named and f"on {named} features", count and f"of {count}", ending and PARTS[ending])
    return " ".join(filter(None, parts))
