"""Beat consistency of gesture and speech: four published scores and one of ours, each beside its own baseline.

All are means of exp(-d²/2σ²) over beats, with d the time to the nearest beat of the other kind. They differ in what a
beat of motion is, in σ, and in whose beats are averaged over. Where every frame may be a beat, noise meets every onset:
so each score comes with the same motion scored on *other* clips' speech, and only the difference counts.
On synthetic motion, whose strokes fall on stressed syllables, that difference is next to nothing for the published four
(on all onsets, at 15 frames per second). `stroke` is ours: wrists that stop, against stressed syllables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import argrelmin, find_peaks
from torch import Tensor

from gannb.experiments.motion import kinematics, skeleton
from gannb.experiments.motion.data.clips import FPS
from gannb.experiments.motion.data.speech import HOP, SAMPLE_RATE, load_librosa
from gannb.metrics.score import Score
from gannb.random import key

Onsets = Sequence[np.ndarray]
"""Times of speech onsets in seconds, one array per clip."""


@dataclass(frozen=True)
class BeatVariant:
    """One published beat score.

    Args:
        name: its short name.
        source: the publication, and what is its own in it.
        sigma: width of the Gaussian, seconds.
        order: a beat of motion is a strict minimum among this many frames on either side, at the published frame rate.
        published_fps: that frame rate.
        over: whose beats are averaged over, `speech` or `motion`.
        signal: what has the minima: mean speed of the `joints`, `each_joint`'s own, rate of `angles`, or how wrists
            gain speed (`wrist_stops`; both wrists' beats count together).
        smooth: standard deviation of a Gaussian over the signal first, in published frames.
        least_drop: a minimum counts if the signal is higher by this on one side, in shares of real motion's mean.
        least_speed: a minimum counts if the signal there is above this share of real motion's mean.
        least_fall: a stop counts if speed falls by this share of real motion's mean within a frame.
        delay: seconds from the steepest fall of speed to the stop.
    """

    name: str
    source: str
    sigma: float
    order: int
    published_fps: float
    over: Literal["speech", "motion"]
    signal: Literal["joints", "each_joint", "angles", "wrist_stops"]
    smooth: float = 0.0
    least_drop: float = 0.0
    least_speed: float = 0.0
    least_fall: float = 0.0
    delay: float = 0.0

    def frames(self, published: float) -> float:
        """A length in published frames as frames of ours."""
        return published * FPS / self.published_fps

    @property
    def reach(self) -> int:
        """`order` in frames of ours."""
        return max(1, round(self.frames(self.order)))


VARIANTS: dict[str, BeatVariant] = {
    v.name: v
    for v in (
        BeatVariant("aist", "Li et al. 2021 (AIST++), eq. 6", 3 / 60, 10, 60.0, "motion", "joints"),
        BeatVariant("bailando", "Li et al. 2022 (Bailando), code", 3 / 60, 1, 60.0, "speech", "joints", smooth=5.0),
        BeatVariant("ha2g", "Liu et al. 2022 (HA2G), code", 0.1, 1, 15.0, "speech", "angles", least_drop=0.03),
        BeatVariant("emage", "Liu et al. 2024 (EMAGE), code", 0.3, 7, 30.0, "speech", "each_joint", least_speed=0.3),
        BeatVariant("stroke", "ours", 0.1, 2, 15.0, "speech", "wrist_stops", least_fall=0.75, delay=0.05),
    )
}

SHUFFLES = 20
"""How many times speech is dealt out anew, no clip keeping its own."""
_WRISTS = tuple(skeleton.INDEX[f"{side}_wrist"] for side in skeleton.SIDES)
_BEATING = tuple(range(1, 7))  # shoulders, elbows, wrists: the joints of the upper body that move by themselves


def speech_onsets(mel: Tensor) -> list[np.ndarray]:
    """Onsets in seconds of each clip's log-mel `[N, 4·T, n_mels]` (not normalised), by librosa's peak picking."""
    onset, onsets = load_librosa().onset, []
    for clip in mel.float().cpu().numpy():
        flux = onset.onset_strength(S=10 / np.log(10) * clip.T, sr=SAMPLE_RATE, hop_length=HOP, center=False)
        onsets.append(onset.onset_detect(onset_envelope=flux, sr=SAMPLE_RATE, hop_length=HOP, units="time"))
    return onsets


def speech_stresses(mel: Tensor, smooth: float = 0.06, prominence: float = 1.5) -> list[np.ndarray]:
    """Stressed syllables in seconds of each clip.

    Peaks of the amplitude that stand out. On synthetic speech 92 % of the known stresses are found, and nothing else.

    Args:
        mel: log-mel `[N, 4·T, n_mels]`, not normalised.
        smooth: standard deviation of a Gaussian over the amplitude, seconds.
        prominence: of a peak, in standard deviations of the amplitude.
    """
    rate, stresses = SAMPLE_RATE / HOP, []
    for clip in mel.double().cpu().numpy():
        amplitude = gaussian_filter1d(np.sqrt(np.exp(clip).sum(1)), smooth * rate)
        peaks, _ = find_peaks(amplitude, prominence=max(prominence * amplitude.std(), 1e-9))
        # The four mel frames of a pose frame lie around its time, so frame 0 is 1.5 frames early.
        stresses.append(((peaks - 1.5) / rate).clip(0))
    return stresses


def motion_beats(pose: Tensor, variant: BeatVariant, typical: np.ndarray | None = None) -> list[np.ndarray]:
    """Beats in seconds of one clip; one array, or one per joint where the variant looks at each.

    Args:
        pose: `[T, 52, 3]`.
        variant: the score.
        typical: `typical_speed` of real motion `[k]`, the unit of thresholds; of this clip itself when None.
    """
    typical = typical_speed(pose[None], variant) if typical is None else typical
    if variant.signal == "wrist_stops":
        return [_stops(pose, variant, typical)]
    # Entry t of a signal is the change from frame t to t + 1.
    return [(_minima(signal, variant) + 0.5) / FPS for signal in _signals(pose, variant, typical)]


def typical_speed(real: Tensor, variant: BeatVariant) -> np.ndarray:
    """Mean change a frame of each joint, or of each angle, over real clips `[N, T, 52, 3]`."""
    return np.concatenate([_changes(clip, variant) for clip in real], axis=1).mean(axis=1).clip(1e-9)


def beat_consistency(
    pose: Tensor, onsets: Onsets, variant: str | BeatVariant, real: Tensor | None = None, seed: int = 0
) -> tuple[Score, Score]:
    """One variant's score, and what it has above the same motion on other clips' speech.

    Args:
        pose: `[N, T, 52, 3]` metres.
        onsets: the speech onsets of each clip.
        variant: a name of `VARIANTS`, or one of your own.
        real: real clips, whose mean speeds the variants' thresholds are measured by; `pose` itself when None.
        seed: of the dealing.

    Returns:
        (`bc_<variant>`, `bc_<variant>_over_shuffled`); clips without a beat of either kind are left out, and where
        nothing is left the scores are missing with the reason.

    Raises:
        ValueError: an unknown variant, or not as many clips of onsets as of motion.
    """
    chosen = VARIANTS.get(variant) if isinstance(variant, str) else variant
    if chosen is None:
        raise ValueError(f"beat variant {variant!r} is unknown; allowed: {', '.join(VARIANTS)}")
    if len(onsets) != len(pose):
        raise ValueError(f"{len(pose)} clips of motion and {len(onsets)} of onsets: they have to be as many")
    typical = typical_speed(pose if real is None else real, chosen)
    beats = [motion_beats(clip, chosen, typical) for clip in pose]
    own = np.array([_clip_score(b, o, chosen) for b, o in zip(beats, onsets)])
    protocol = {
        "source": chosen.source, "sigma": f"{chosen.sigma:g} s", "order": chosen.reach, "fps": FPS,
        "over": f"{chosen.over} beats", "signal": chosen.signal, "n_fake": int(np.isfinite(own).sum()),
    }  # fmt: skip
    name = f"bc_{chosen.name}"
    if not np.isfinite(own).any():
        reason = "no clip has both a beat of motion and an onset of speech"
        return Score.missing(name, reason, **protocol), Score.missing(f"{name}_over_shuffled", reason, **protocol)
    value, error = float(np.nanmean(own)), _error(own)
    if len(pose) < 2:
        reason = "one clip alone: there is no other speech to compare with"
        return Score(name, value, protocol=protocol), Score.missing(f"{name}_over_shuffled", reason, **protocol)
    shuffled = _shuffled(beats, onsets, chosen, seed)
    above = own - np.ma.masked_invalid(shuffled).mean(axis=0).filled(np.nan)
    protocol |= {"shuffled": round(float(np.nanmean(shuffled)), 4), "shuffles": SHUFFLES, "error": "over clips"}
    score = Score(name, value, error, protocol=protocol)
    return score, Score(f"{name}_over_shuffled", float(np.nanmean(above)), _error(above), protocol=protocol)


def _shuffled(beats: list[list[np.ndarray]], onsets: Onsets, variant: BeatVariant, seed: int) -> np.ndarray:
    """Each clip's score on others' speech `[SHUFFLES, N]`: a rotation by a random amount of a random order."""
    rng, n = np.random.default_rng(key(seed, "shuffled speech")), len(beats)
    scores = np.full((SHUFFLES, n), np.nan)
    for row in scores:
        order = rng.permutation(n)
        other = np.empty(n, dtype=int)
        other[order] = np.roll(order, int(rng.integers(1, n)))
        for clip in range(n):
            row[clip] = _clip_score(beats[clip], onsets[other[clip]], variant)
    return scores


def _clip_score(beats: list[np.ndarray], onsets: np.ndarray, variant: BeatVariant) -> float:
    """Mean over joints that have beats; NaN where none has, or there is no onset."""
    scores = [_closeness(times, onsets, variant) for times in beats if len(times) and len(onsets)]
    return float(np.mean(scores)) if scores else float("nan")


def _closeness(beats: np.ndarray, onsets: np.ndarray, variant: BeatVariant) -> float:
    apart = np.abs(beats[:, None] - onsets[None, :])
    nearest = apart.min(axis=0 if variant.over == "speech" else 1)
    return float(np.exp(-np.square(nearest) / (2 * variant.sigma**2)).mean())


def _signals(pose: Tensor, variant: BeatVariant, typical: np.ndarray) -> np.ndarray:
    """What has the minima `[k, T-1]`, with real motion's mean at 1 where a threshold needs it."""
    changes = _changes(pose, variant)
    signals = changes if variant.signal == "joints" else changes / typical[:, None]
    signals = signals if variant.signal == "each_joint" else signals.mean(axis=0, keepdims=True)
    return gaussian_filter1d(signals, variant.frames(variant.smooth)) if variant.smooth else signals


def _stops(pose: Tensor, variant: BeatVariant, typical: np.ndarray) -> np.ndarray:
    """When either wrist comes to rest: a little after its speed falls most steeply."""
    gains = np.diff(_changes(pose, variant), axis=1)  # entry t lies on frame t + 1
    stops = []
    for gain, usual in zip(gains, typical):
        steepest = argrelmin(gain, order=variant.reach)[0]
        steepest = steepest[gain[steepest] < -variant.least_fall * usual]
        stops.append((steepest + 1) / FPS + variant.delay)
    return np.sort(np.concatenate(stops))


def _changes(pose: Tensor, variant: BeatVariant) -> np.ndarray:
    """How much each joint moves (or each body angle turns) from frame to frame `[k, T-1]`."""
    if variant.signal == "angles":
        return kinematics.joint_angles(pose)[:, list(skeleton.BODY_ANGLES)].diff(dim=0).abs().T.double().cpu().numpy()
    chosen = {"each_joint": _BEATING, "wrist_stops": _WRISTS, "joints": range(1, len(skeleton.JOINTS))}
    joints = list(chosen[variant.signal])
    return pose.diff(dim=0).norm(dim=-1)[:, joints].T.double().cpu().numpy()


def _minima(signal: np.ndarray, variant: BeatVariant) -> np.ndarray:
    """Indices of strict local minima that pass the variant's thresholds."""
    found = argrelmin(signal, order=variant.reach)[0]
    if variant.least_speed:
        found = found[signal[found] > variant.least_speed]
    if variant.least_drop:
        higher = np.maximum(signal[found - 1], signal[found + 1]) - signal[found]
        found = found[higher >= variant.least_drop]
    return found


def _error(values: np.ndarray) -> float | None:
    values = values[np.isfinite(values)]
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
