"""FGD: the Fréchet distance between real and generated gestures, in the code of an autoencoder fitted to the real ones.

A number that means nothing across papers: every one has its own autoencoder (ours adds how lively its channels are). So
it is printed with the encoder's hash, the numbers of clips, and the distance of two halves of the real clips, and
compared only under one encoder.
Source: Yoon et al. 2020, section 5.2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gannb.experiments.motion.networks.autoencoder import MotionAutoencoder
from gannb.metrics.feature_cache import content_hash, load_weights, store_weights, weights_hash
from gannb.metrics.frechet import Moments, frechet_distance
from gannb.metrics.score import Score
from gannb.metrics.small_sample import grouped_jackknife, halves
from gannb.networks.fit import minimise
from gannb.random import generator, seeded

STEPS, BATCH, RATE = 400, 64, 2e-3


class GestureFeatures:
    """Codes of clips, from an autoencoder fitted to real ones.

    Args:
        network: the autoencoder; kept in eval mode.
        fitted_to: the clips `[N, T, 52, 3]` that it was fitted to, over which each entry of a code has unit spread.

    Attributes:
        fingerprint: a hash of its weights; distances compare under the same one only.
    """

    def __init__(self, network: MotionAutoencoder, fitted_to: Tensor) -> None:
        self.network = network.eval().requires_grad_(False)
        self.spread = self._describe(fitted_to).std(0).clamp_min(1e-3)
        self.fingerprint = weights_hash(network)[:12]

    def __call__(self, pose: Tensor) -> Tensor:
        """Codes `[N, 96]` of poses `[N, T, 52, 3]` in metres, each entry with unit spread over the clips fitted to."""
        return self._describe(pose) / self.spread

    def _describe(self, pose: Tensor) -> Tensor:
        device = self.network.center.device
        with torch.inference_mode():
            return torch.cat([self.network.describe(part.to(device).float()) for part in pose.split(256)]).cpu()


def fit(real: Tensor, steps: int = STEPS, seed: int = 0) -> GestureFeatures:
    """Fit the autoencoder to real clips, or take it from the cache.

    It depends on the clips and `seed` alone, never on a run's seed: variants that share their data share their encoder.

    Args:
        real: `[N, T, 52, 3]`, metres.
        steps: of Adam.
        seed: of weights and batches.

    Raises:
        ValueError: fewer than 2 clips, or clips that are all alike.
    """
    if len(real) < 2 or bool((real == real[:1]).all()):
        raise ValueError(f"FGD needs real clips that differ; found {len(real)}{', all alike' if len(real) > 1 else ''}")
    real = real.float()
    center, spread = real.mean((0, 1)), real.std((0, 1)).clamp_min(0.01)
    change = ((real - center) / spread).diff(dim=1).std((0, 1)).clamp_min(0.01)
    with seeded(seed, "fgd"):
        network = MotionAutoencoder(real.shape[1], center=center, spread=spread, change=change)
    address = content_hash(real, "fgd-1", steps, seed)
    if not load_weights("fgd", address, network):
        _fit(network, real, steps, seed)
        store_weights("fgd", address, network)
    return GestureFeatures(network, real)


def fgd(features: GestureFeatures, real: Tensor, generated: Tensor, seed: int = 0) -> tuple[Score, Score]:
    """Fréchet gesture distance of generated against real clips, and its ratio to that of real against real.

    Args:
        features: fitted to clips other than `real` where the score is to be held-out.
        real: `[N, T, 52, 3]`, metres.
        generated: likewise.
        seed: of the random halves.

    Returns:
        (`fgd`, `fgd_over_floor`). `fgd`: all against all, error by a jackknife over tenths, floor from halves of the
        real clips. `fgd_over_floor`: halves against halves, equally many of each; 1 for a perfect generator.

    Raises:
        ValueError: fewer than 4 real or 2 generated clips.
    """
    codes_real, codes_generated = features(real), features(generated)
    both = halves(codes_real, codes_generated, seed)
    protocol = {
        "n_real": len(real), "n_fake": len(generated), "features": f"motion autoencoder {features.fingerprint}",
        "floor": f"halves of {both.size}, 20 draws",
    }  # fmt: skip
    moments = Moments.of(codes_real)
    error = grouped_jackknife(moments, codes_generated) if len(generated) >= 20 else None
    value = frechet_distance(moments, codes_generated)
    kind = {"error": "jackknife over tenths of the generated"} if error is not None else {}
    ratio_protocol = protocol | {"error": "spread over draws"}
    return (
        Score("fgd", value, error, floor=float(both.floor.mean()), protocol=protocol | kind),
        Score("fgd_over_floor", both.ratio, both.ratio_error, floor=1.0, protocol=ratio_protocol),
    )


def _fit(network: MotionAutoencoder, real: Tensor, steps: int, seed: int) -> None:
    order = generator("fgd", "order", seed)

    def loss(step: int) -> Tensor:
        batch = real[torch.randint(len(real), (min(BATCH, len(real)),), generator=order)]
        return F.mse_loss(network(batch), network.scaled(batch))

    minimise(loss, network, steps=steps, rate=RATE, one_cycle=True, of="the autoencoder of FGD")
