"""The six things a pose-removing network is asked; each returns a scalar and is scale-free in the feature's length.

Their weights are dynamic numbers of the experiment, before → after: identity 1.0 → 2.0, pose 0.5 → 0.3, orthogonality
0.1 → 0.05, contrast 0.3 → 0.2, reconstruction 0.2 → 0.5, protection none → 0.5 (identity §2–§4).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize


def identity_similarity(output: Tensor, target: Tensor) -> Tensor:
    """Mean of 1 − cosine(output, target), in [0, 2].

    Shapes: both `[B, d]`; d = 512 is the document's second version, 256 its first (§2).
    """
    return (1 - cosine_similarity(output.float(), target.float())).mean()


def pose_regression(predicted: Tensor, pose: Tensor) -> Tensor:
    """Mean squared error of predicted yaw, pitch, roll, in units of 90°.

    Shapes: predicted `[B, 3]` in units of 90°, pose `[B, 3]` in degrees.
    """
    return (predicted.float() - pose / 90).square().mean()


def orthogonality(identity: Tensor, contamination: Tensor) -> Tensor:
    """Mean squared cosine between identity and what is taken for pose, in [0, 1].

    Shapes: both `[B, d]`. The document names the loss and gives no formula; this one is ours.
    """
    return cosine_similarity(identity.float(), contamination.float()).square().mean()


def contrast(identity: Tensor, person: Tensor, temperature: float = 0.1) -> Tensor:
    """Supervised contrastive loss: each face should find the faces of its own person among the batch.

    A face alone of its person asks nothing; a batch of such faces costs 0.

    Shapes: identity `[B, d]`, person `[B]` integers; temperature > 0.
    Source: Khosla et al. 2020, eq. 2. The document names the loss and gives no formula.
    """
    unit = normalize(identity.float(), dim=1)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    same = (person.unsqueeze(0) == person.unsqueeze(1)) & ~itself
    logits = (unit @ unit.T / temperature).masked_fill(itself, -torch.inf)
    log_share = (logits - logits.logsumexp(dim=1, keepdim=True)).masked_fill(~same, 0.0)
    partners = same.sum(dim=1)
    each = -log_share.sum(dim=1) / partners.clamp_min(1)
    return each.sum() / (partners > 0).sum().clamp_min(1)


def reconstruction(rebuilt: Tensor, raw: Tensor) -> Tensor:
    """Mean of ‖rebuilt − raw‖² / ‖raw‖²: 0 when identity and pose together still hold the whole feature.

    Shapes: both `[B, 512]`. The document names the loss and gives no formula; this one is ours.
    """
    raw = raw.float()
    return ((rebuilt.float() - raw).square().sum(dim=1) / raw.square().sum(dim=1)).mean()


def protection(output: Tensor, target: Tensor, before: Tensor, *, detached: bool = True) -> Tensor:
    """Mean of ReLU(cosine(before, target) − cosine(output, target)): only a fall in similarity costs.

    Args:
        output, target, before: `[B, d]`; `before` is the raw feature.
        detached: no gradient reaches `before`. False is the literal reading with the model's own base features: the
            loss can then be met by making the base worse (identity §3; claim I6).
    """
    before = before.detach() if detached else before
    was = cosine_similarity(before.float(), target.float())
    return torch.relu(was - cosine_similarity(output.float(), target.float())).mean()
