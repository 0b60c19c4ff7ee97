"""ResNets for 32×32 images (He et al. 2015, section 4.2), in the key layout of their public CIFAR-10 checkpoints.

Shortcuts have no weights ("option A"): where the map shrinks, every second place is taken and channels of zeros are
added. Checkpoints of akamaster/pytorch_resnet_cifar10 fit as they are.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

WIDTHS = (16, 32, 64)


class Shortcut(nn.Module):
    """`[N, C, H, W]` → `[N, C + added, H/stride, W/stride]` without weights.

    Args:
        stride: every so many places are taken.
        added: channels of zeros, half of them on either side.
    """

    def __init__(self, stride: int, added: int) -> None:
        super().__init__()
        self.stride, self.added = stride, added

    def forward(self, x: Tensor) -> Tensor:
        """`[N, C, H, W]` → `[N, C + added, H/stride, W/stride]`."""
        half = self.added // 2
        return F.pad(x[..., :: self.stride, :: self.stride], (0, 0, 0, 0, half, self.added - half))


class ResNetCifar(nn.Module):
    """Images `[N, 3, 32, 32]`, normalised → logits `[N, classes]`; 64 features before the last layer.

    Args:
        depth: 20, 32, 44, 56, 110, … (6n + 2).
        classes: number of classes.

    Raises:
        ValueError: a depth that is not 6n + 2.
    """

    def __init__(self, depth: int = 20, classes: int = 10) -> None:
        super().__init__()
        if depth < 8 or (depth - 2) % 6:
            raise ValueError(f"depth must be 6n + 2 (20, 32, 44, 56, …); found {depth}")
        self.depth = depth
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        first = [BasicBlock(16, 16), *(BasicBlock(n // 2, n, 2, Shortcut(2, n // 2)) for n in WIDTHS[1:])]
        more = (depth - 2) // 6 - 1
        stages = [nn.Sequential(a, *(BasicBlock(n, n) for _ in range(more))) for a, n in zip(first, WIDTHS)]
        self.layer1, self.layer2, self.layer3 = stages
        self.linear = nn.Linear(WIDTHS[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits `[N, classes]`."""
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def load_resnet(path: str | Path) -> ResNetCifar:
    """A network from a checkpoint; depth and classes are read from its keys. Holds weights only: no pickled code runs.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no torch checkpoint, or not in this key layout.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"classifier weights: there is no file {path}")
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        why = str(error).partition("\n")[0] or "it ends early"
        raise ValueError(f"{path.name} is no checkpoint of plain weights: {why}") from error
    state = stored.get("state_dict", stored) if isinstance(stored, Mapping) else {}
    state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    blocks = {int(found[1]) for name in state if (found := re.match(r"layer1\.(\d+)\.", name))}
    if not blocks or "linear.weight" not in state:
        names = ", ".join(list(state)[:3]) or "no weights"
        raise ValueError(f"{path.name} is no CIFAR ResNet: layer1.0… and linear.weight are needed; found {names}")
    network = ResNetCifar(6 * len(blocks) + 2, len(state["linear.weight"]))
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"{path.name} does not fit a CIFAR ResNet-{network.depth}: {error}") from error
    return network.eval()
