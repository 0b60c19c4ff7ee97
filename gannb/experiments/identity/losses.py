"""The objective of `05_identity`: six terms, and their weighted sum in `Losses` (identity §2–§4).

Every term is a scalar and does not depend on the length of the features.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from gannb.experiments.identity.params import Identity
from gannb.training.turn import Turn


class Losses:
    """The loss of the one network, as the parameters configure it.

    The weights λ are dynamic parameters, before → after in the document: identity 1.0 → 2.0, pose 0.5 → 0.3,
    orthogonality 0.1 → 0.05, contrast 0.3 → 0.2, reconstruction 0.2 → 0.5, protection none → 0.5.
    """

    def __init__(self, p: Identity) -> None:
        self.p = p

    def loss(self, turn: Turn) -> Tensor:
        """Σ λ · term over the six terms of a batch, scalar; each term is logged."""
        faces, now = turn.batch, turn.now
        enhanced = turn.model(faces.features, faces.pose, now.removal, now.blend)
        output, target = enhanced.output, faces.target
        if self.p.similarity_width == 256:  # the document's first version compares in the model's 256 dimensions
            output, target = enhanced.identity, turn.model.feature_to_identity(target)
        before, detached = (faces.features, True) if self.p.protect == "raw" else (enhanced.base_output, False)
        terms = {
            "identity": identity_similarity(output, target),
            "pose": pose_regression(enhanced.pose, faces.pose),
            "orthogonality": orthogonality(enhanced.identity, enhanced.contamination),
            "contrast": contrast(enhanced.identity, faces.identity),
            "reconstruction": reconstruction(enhanced.rebuilt, faces.features),
            "protection": protection(enhanced.output, faces.target, before, detached=detached),
        }
        turn.log(**terms)
        return sum(getattr(now, f"lambda_{name}") * term for name, term in terms.items())


def identity_similarity(output: Tensor, target: Tensor) -> Tensor:
    """Mean of 1 − cosine(output, target), in [0, 2]; both `[B, d]`."""
    return (1 - cosine_similarity(output.float(), target.float())).mean()


def pose_regression(predicted: Tensor, pose: Tensor) -> Tensor:
    """Mean squared error of yaw, pitch, roll: predicted `[B, 3]` in units of 90°, pose `[B, 3]` in degrees."""
    return (predicted.float() - pose / 90).square().mean()


def orthogonality(identity: Tensor, contamination: Tensor) -> Tensor:
    """Mean squared cosine of identity and contamination, both `[B, d]`, in [0, 1]; the formula is ours."""
    return cosine_similarity(identity.float(), contamination.float()).square().mean()


def contrast(identity: Tensor, person: Tensor, temperature: float = 0.1) -> Tensor:
    """Supervised contrastive loss (Khosla et al. 2020, eq. 2); the document names the loss and gives no formula.

    Args:
        identity: `[B, d]`.
        person: `[B]` integers; faces whose person occurs once in the batch do not count, a batch of them costs 0.
        temperature: above 0.
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
    """Mean of ‖rebuilt − raw‖² / ‖raw‖², both `[B, 512]`; the formula is ours."""
    raw = raw.float()
    return ((rebuilt.float() - raw).square().sum(dim=1) / raw.square().sum(dim=1)).mean()


def protection(output: Tensor, target: Tensor, before: Tensor, *, detached: bool = True) -> Tensor:
    """Mean of ReLU(cosine(before, target) − cosine(output, target)): only a fall of the similarity costs.

    Args:
        output: `[B, d]`; `before` is the raw feature.
        target: `[B, d]`; `before` is the raw feature.
        before: `[B, d]`; `before` is the raw feature.
        detached: no gradient reaches `before`. False is the literal reading with the model's own base features, which
            training can satisfy by making the base worse (identity §3; claim I6).
    """
    before = before.detach() if detached else before
    was = cosine_similarity(before.float(), target.float())
    return torch.relu(was - cosine_similarity(output.float(), target.float())).mean()
