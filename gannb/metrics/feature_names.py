"""The feature spaces of scores by name, without torch: a run's parameters are checked before it is loaded."""

from __future__ import annotations

from gannb.config.sources import Source

INCEPTION_DIMS = (64, 192, 768, 2048)
"""The widths of Inception's feature spaces; the last one is FID's."""

FEATURES = Source(("auto", "faed", "inception", *(f"inception_{d}" for d in INCEPTION_DIMS[:-1])), prefixed=True)
"""Names, or NAME=FILE of a CIFAR-10 ResNet's weights."""
