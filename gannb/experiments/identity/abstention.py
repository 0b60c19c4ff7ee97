"""Abstention: the raw feature comes back where removing pose harmed training people who were left out."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, normalize

from gannb.experiments.identity import networks
from gannb.experiments.identity.faces import Faces
from gannb.experiments.identity.losses import Losses
from gannb.experiments.identity.metrics import HARM, compare
from gannb.experiments.identity.params import Identity
from gannb.random import generator, seeded

FOLDS = 5


def calibrate(model: nn.Module, faces: Faces, p: Identity) -> None:
    """Set when a model abstains, on its training people alone; nothing to do for one that never does.

    A fifth of the people at a time is left out, a model is trained on the others, and the gains of those left out are
    kept with their likeness: the cosine of the raw feature to the mean frontal face. A face that still looks frontal
    has most to lose. The limit is the largest likeness up to which at most a share `p.abstain` of these faces was
    harmed. No guarantee for new people follows: that takes a hundred people at 1 %.

    Args:
        model: not trained yet, or trained; only its two buffers change.
        faces: the training people, with targets.
        p: parameters of the run; weights stand at their start, whatever moves them later.
    """
    if not getattr(model, "abstains", False):
        return
    likeness, change = crossfit(faces, p)
    model.frontal.copy_(mean_frontal(faces))
    model.limit.fill_(limit(likeness, change, p.abstain))


def crossfit(faces: Faces, p: Identity) -> tuple[Tensor, Tensor]:
    """Likeness and change of the cosine `[N]` of people that the model was not trained on, all of them in turn."""
    order = faces.identities[torch.randperm(len(faces.identities), generator=generator("abstention", p.seed))]
    found = []
    for left_out in order.chunk(FOLDS):
        inside = torch.isin(faces.identity, left_out)
        others, judged = faces[~inside], faces[inside]
        model = trained(others, p)
        cleaned = networks.clean(judged.features, judged.pose, model, removal=p.removal, blend=p.blend)
        found.append((cosine_similarity(judged.features, mean_frontal(others)), compare(cleaned, judged).change))
    likeness, change = (torch.cat(part) for part in zip(*found))
    return likeness, change


def limit(likeness: Tensor, change: Tensor, allowed: float) -> float:
    """The largest likeness up to which at most a share `allowed` of all faces fell by more than 0.005; −1: none.

    Args:
        likeness: `[N]`.
        change: of the cosine to the target, `[N]`.
        allowed: in [0, 1].
    """
    order = likeness.argsort(stable=True)
    harmed = (change[order] < -HARM).cumsum(0) / len(change)
    within = int((harmed <= allowed).sum())
    return float(likeness[order[within - 1]]) if within else -1.0


def mean_frontal(faces: Faces) -> Tensor:
    """The mean over people of their targets, `[512]` of length 1."""
    assert faces.target is not None
    each = [normalize(faces.target[faces.identity == person].mean(dim=0), dim=0) for person in faces.identities]
    return normalize(torch.stack(each).mean(dim=0), dim=0)


def trained(faces: Faces, p: Identity) -> nn.Module:
    """A model that never abstains, trained on these faces as the run's own will be, without schedules."""
    with seeded(p.seed, "model"):
        model = networks.build(p.model_copy(update={"abstain": 0.0}))
    optimiser, loss = torch.optim.Adam(model.parameters(), lr=p.lr), Losses(p).loss
    now = SimpleNamespace(**p.loss_weights(), removal=p.removal, blend=p.blend)
    draw, data = generator("abstention.batches", p.seed), faces.for_batches()
    size = min(p.batch_size, len(faces))
    for _ in range(p.epochs):
        for rows in torch.randperm(len(faces), generator=draw).split(size)[: len(faces) // size]:
            batch = type(data)(*(part[rows] for part in data))
            turn = SimpleNamespace(batch=batch, now=now, model=model, log=lambda **_: None)
            optimiser.zero_grad()
            loss(turn).backward()
            optimiser.step()
    return model
