"""The generator of a trained run, for `gannb sample` and `gannb export`."""

from gannb.experiments.motion.inference import network, write_gesture

__all__ = ["network", "write_gesture"]
