"""Named kinds of parameters: what learning rates, weights, labels and counts of all experiments have in common."""

from __future__ import annotations

import math
from dataclasses import replace

from gannb.config.fields import Declaration
from gannb.control.alarms import ACTIONS

RATE = Declaration(group="optimiser", low=0.0, high=1.0, open_low=True, slider=(1e-6, 1e-2), scale="log", moves=True)
"""A learning rate."""

TOY_RATE = replace(RATE, slider=(1e-5, 1e-1))
"""A learning rate of networks that learn points or short sequences."""

RATE_FACTOR = Declaration(group="training", low=0.0, high=100.0, slider=(0.1, 10.0), scale="log", moves=True)
"""What a learning rate is multiplied by."""

SCALE = Declaration(group="balance", low=0.0, high=10.0, slider=(0.0, 2.0), moves=True)
"""A factor or a threshold of a rule that balances D and G."""

WEIGHT = Declaration(group="losses", low=0.0, high=1000.0, slider=(0.0, 20.0), moves=True)
"""The weight of a term of a loss."""

PENALTY = replace(WEIGHT, high=math.inf)
"""The weight of a penalty, or what it steers to: as large as one likes."""

PROBABILITY = Declaration(low=0.0, high=1.0, moves=True)
"""A probability, or a strength from none to full."""

LABEL = Declaration(group="labels", low=0.0, high=1.0, moves=True)
"""What D should answer, or how far it is moved."""

BETA1 = Declaration(group="optimiser", low=0.0, high=0.999)
"""Adam's first decay."""

BETA2 = Declaration(group="optimiser", low=0.0, high=0.9999)
"""Adam's second decay."""

EMA = Declaration(group="optimiser", low=0.0, high=0.99999)
"""The decay of an average of weights."""

TURNS = Declaration(group="training", low=0, high=8, moves=True)
"""Turns of a player per step."""

EPOCHS = Declaration(group="training", low=1, grows=True)
"""The length of a run, which a resumed run may extend."""

LATENT = Declaration(group="networks", low=1, high=4096)
"""The length of a latent vector."""

PRECISION = Declaration(group="training", choices=("auto", "fp32", "bf16", "fp16"))
"""Of forward passes; auto: bf16 where the device multiplies it in hardware, else fp32."""

ALARM = Declaration(group="alarms", choices=ACTIONS)
"""What an alarm does."""
