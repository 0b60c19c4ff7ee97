"""Scores side by side with pytorch-fid and torch-fidelity, in one run on one machine; prints ratios.

    python benchmarks/scores.py     # all parts; about 10 minutes on two idle cores

Every network has seeded random weights (speed does not depend on them), so no download is needed. Times are of this
process: `seconds` by the clock, `cpu` by the processor, which other load on the machine disturbs less. `--keep`
writes `results/scores_speed.json` (`_cuda` on a card, where the networks of both run; their
statistics stay on the CPU).
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from unittest import mock

import device as device_options
import numpy as np
import psutil
import torch
from PIL import Image
from torch import Tensor, nn

from gannb.comparison.results import hardware, keep, numbers
from gannb.comparison.trials import Trial

WIDTH = 2048


@dataclass(frozen=True)
class Timed:
    """What a call gave, and what it cost."""

    value: float
    seconds: float
    cpu: float


def timed(call: Callable[[], float]) -> Timed:
    """Run once."""
    clock, cpu = time.perf_counter(), time.process_time()
    value = call()
    return Timed(float(value), time.perf_counter() - clock, time.process_time() - cpu)


def inception_like(n: int, seed: int) -> Tensor:
    """Features `[n, 2048]`, not negative and correlated, with a spectrum that falls off, as Inception's do."""
    draw = torch.Generator().manual_seed(0)
    mix = torch.randn(WIDTH, WIDTH, generator=draw) * (torch.arange(1, WIDTH + 1) ** -0.5)[:, None]
    return (torch.randn(n, WIDTH, generator=torch.Generator().manual_seed(seed)) @ mix / 4).relu()


# ----------------------------------------------------------------------------------------------------------------------
# The Fréchet step: from features to the distance


def statistics_by_numpy(x: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance, as pytorch-fid and torch-fidelity take them."""
    array = x.double().numpy()
    return array.mean(0), np.cov(array, rowvar=False)


def by_pytorch_fid(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> float:
    from pytorch_fid.fid_score import calculate_frechet_distance

    return calculate_frechet_distance(*a, *b)


def by_torch_fidelity(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> float:
    from torch_fidelity.metric_fid import fid_statistics_to_metric

    stored = [dict(zip(("mu", "sigma"), statistics)) for statistics in (a, b)]
    return fid_statistics_to_metric(*stored, verbose=False)["frechet_inception_distance"]


def frechet_step(n: int, m: int) -> list[Trial]:
    """Rows for one pair of sizes: from both features, with the real side's statistics kept, and from both statistics.

    What either side may keep, both keep: pytorch-fid and torch-fidelity store mean and covariance, we the moments.
    """
    from gannb.metrics.frechet import Moments, frechet_distance

    x, y = inception_like(n, 1), inception_like(m, 2) * 1.05
    real, fake, kept = Moments.of(x), Moments.of(y), Moments.of(x)
    frechet_distance(kept, y)  # the first call loads LAPACK
    ours = {
        "from features": best_of_three(lambda: frechet_distance(x, y)),
        "real side kept": best_of_three(lambda: frechet_distance(kept, y)),
        "from statistics": best_of_three(
            lambda: frechet_distance(replace(real), replace(fake))
        ),  # without a kept factor
    }
    a, b = statistics_by_numpy(x), statistics_by_numpy(y)
    taken = best_of_three(lambda: float(statistics_by_numpy(y)[0][0]))
    rows = []
    for peer, call in (("pytorch-fid", by_pytorch_fid), ("torch-fidelity", by_torch_fidelity)):
        distance = timed(lambda call=call: call(a, b))
        for times, (start, mine) in zip((2, 1, 0), ours.items()):
            theirs = Timed(distance.value, distance.seconds + times * taken.seconds, distance.cpu + times * taken.cpu)
            rows.append(compared(f"Fréchet step, {n} / {m} × {WIDTH}, {start}", peer, mine, theirs))
    return rows


def best_of_three(call: Callable[[], float]) -> Timed:
    """The run that took the least processor time."""
    return min((timed(call) for _ in range(3)), key=lambda t: t.cpu)


def compared(what: str, peer: str, ours: Timed, theirs: Timed) -> Trial:
    """What two calls took, and how far apart they are."""
    return numbers(
        f"{what}, against {peer}",
        ours_seconds=ours.seconds,
        theirs_seconds=theirs.seconds,
        ratio=theirs.seconds / ours.seconds,
        ratio_cpu=theirs.cpu / ours.cpu,
        relative_difference=abs(ours.value - theirs.value) / abs(theirs.value),
    )


# ----------------------------------------------------------------------------------------------------------------------
# All scores of a set of images


def random_inception(home: Path) -> Path:
    """A torch home whose hub cache holds pytorch-fid's Inception with He-scaled random weights."""
    from pytorch_fid import inception
    from torchvision.models.inception import Inception3

    with (
        mock.patch.object(inception, "load_state_dict_from_url", lambda *_, **__: {}),
        mock.patch.object(Inception3, "load_state_dict", lambda *_, **__: None),
    ):
        network = inception.fid_inception_v3()
    draw = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, generator=draw)
    file = home / "hub" / "checkpoints" / inception.FID_WEIGHTS_URL.rpartition("/")[2]
    file.parent.mkdir(parents=True)
    torch.save(network.state_dict(), file)
    return file


def save_folder(folder: Path, n: int, seed: int) -> Path:
    """`n` soft colour images of 64×64 as PNG."""
    folder.mkdir()
    coarse = torch.rand(n, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    images = nn.functional.interpolate(coarse, size=(64, 64), mode="bicubic").clamp(0, 1)
    for index, one in enumerate((images * 255).byte().permute(0, 2, 3, 1).numpy()):
        Image.fromarray(one).save(folder / f"{index:05d}.png")
    return folder


def full_set(n: int, device: torch.device) -> list[Trial]:
    """Rows for FID, KID, IS, precision and recall of `n` images against `n`."""
    from pytorch_fid.fid_score import calculate_fid_given_paths
    from torch_fidelity import calculate_metrics

    from gannb.metrics.evaluator import Evaluator
    from gannb.metrics.inception import inception
    from gannb.metrics.score_folders import FileImages

    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        weights = random_inception(home / "torch")
        os.environ.update(TORCH_HOME=str(home / "torch"), GANNB_CACHE=str(home / "cache"))
        real, fake = save_folder(home / "real", n, 1), save_folder(home / "fake", n, 2)

        def ours() -> float:
            extractor = inception(device=device)
            return float(Evaluator(FileImages(real), features=extractor)(FileImages(fake), seed=0).fid)

        def fidelity() -> float:
            scores = {"kid": True, "isc": True, "prc": True, "kid_subset_size": n, "kid_subsets": 10}
            network = {"feature_extractor": "inception-v3-compat", "feature_layer_prc": "2048", "batch_size": 16}
            network |= {"feature_extractor_weights_path": str(weights), "cuda": device.type == "cuda"}
            found = calculate_metrics(
                input1=str(fake), input2=str(real), cache=False, verbose=False, **scores, **network
            )
            return found["inception_score_mean"]

        cold, warm = timed(ours), timed(ours)
        fid = timed(lambda: calculate_fid_given_paths([str(real), str(fake)], 16, str(device), 2048, num_workers=0))
        others = timed(fidelity)
    both = Timed(fid.value, fid.seconds + others.seconds, fid.cpu + others.cpu)
    what = f"FID, KID, IS, precision, recall (ours: also density, coverage, floor, errors), {n} images against {n}"
    peers = "pytorch-fid (FID) + torch-fidelity (the others)"
    return [
        compared(f"{what}; first time", peers, cold, both),
        compared(f"{what}; real features cached", peers, warm, both),
    ]


# ----------------------------------------------------------------------------------------------------------------------
# Memory


class Endless:
    """`n` images made batch by batch, so that they take no memory of their own."""

    def __init__(self, n: int, seed: int) -> None:
        self.n, self.seed = n, seed

    def batches(self) -> Iterator[Tensor]:
        draw = torch.Generator().manual_seed(self.seed)
        for start in range(0, self.n, 50):
            yield torch.rand(min(50, self.n - start), 3, 16, 16, generator=draw) * 2 - 1

    def some(self, most: int) -> Tensor:
        return next(self.batches())[:most]

    def fingerprint(self) -> None:
        return None


class Wide(nn.Module):
    """2048 features and 1008 logits at hardly any cost, in place of Inception."""

    def __init__(self) -> None:
        super().__init__()
        self.features, self.logits = nn.Linear(3 * 16, WIDTH), nn.Linear(WIDTH, 1008)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        found = self.features(nn.functional.avg_pool2d(x, 4).flatten(1)).relu()
        return found, self.logits(found)


def memory(n: int) -> list[Trial]:
    """Peak memory of all scores of `n` against `n` images, above what the process holds with its network loaded."""
    from gannb.metrics.evaluator import Evaluator
    from gannb.metrics.extractor import FeatureExtractor

    with tempfile.TemporaryDirectory() as cache:
        os.environ["GANNB_CACHE"] = cache
        extractor = FeatureExtractor("inception", Wide().eval().requires_grad_(False), lambda x: x, "none", "wide")
        Evaluator(Endless(60, 2), features=extractor)(Endless(60, 1))  # libraries load on first use
        process, peak, done = psutil.Process(), [0], threading.Event()
        before = process.memory_info().rss

        def watch() -> None:
            while not done.wait(0.02):
                peak[0] = max(peak[0], process.memory_info().rss)

        watcher = threading.Thread(target=watch)
        watcher.start()
        took = timed(lambda: float(Evaluator(Endless(n, 2), features=extractor)(Endless(n, 1)).fid))
        done.set()
        watcher.join()
    above = (peak[0] - before) / 1e6
    features = 2 * n * WIDTH * 4 / 1e6
    variant = f"memory, {n} images against {n} × {WIDTH} features, against all features in float32"
    costs = {"ours_megabytes": above, "theirs_megabytes": features, "ratio": features / above}
    return [numbers(variant, **costs, ours_seconds=took.seconds)]


# ----------------------------------------------------------------------------------------------------------------------
# The report


def main() -> None:
    """Run the chosen parts and keep each as it comes; parts that were not run stay as they were."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=["frechet", "memory", "full"], help="default: all")
    parser.add_argument("--images", type=int, default=500, help="of the full set (default: 500)")
    parser.add_argument("--streamed", type=int, default=50_000, help="of the memory test (default: 50000)")
    parser.add_argument("--keep", action="store_true", help="write results/scores_speed.json")
    device_options.option(parser)
    given = parser.parse_args()
    device = device_options.chosen(given.device)
    warnings.simplefilter("ignore")
    run = {
        "frechet": lambda: [*frechet_step(300, 500), *frechet_step(10_000, 10_000)],
        "memory": lambda: memory(given.streamed),
        "full": lambda: full_set(given.images, device),
    }
    packages = ("torch", "numpy", "scipy", "pytorch-fid", "torch-fidelity")
    head = {
        "question": "How fast are the scores beside their peers, and how much memory do they take?",
        "command": f"python benchmarks/scores.py --device {device}",
        "hardware": hardware(device),
        "versions": {name: version(name) for name in packages},
        "load": round(os.getloadavg()[0], 1),
    }
    for part in given.only or run:
        trials = run[part]()
        if given.keep:
            keep(device_options.named("scores_speed", device), trials, **head)
        print(*(json.dumps(trial.as_dict(), ensure_ascii=False) for trial in trials), sep="\n", flush=True)


if __name__ == "__main__":
    main()
