"""What the live view costs and how soon a move acts, in a real kernel: `python benchmarks/live.py [--keep]`.

Cost: one small SAGAN trains in blocks of steps: without the view, with it, without it; every message goes out to a
client that reads it. Ratios are of neighbouring blocks, by the clock and by processor time (all threads of the
kernel), so other work on the machine weighs little. Effect: the client sends moves while the cell is busy, as a
page does, and the trainer notes when each took effect. (From a key pressed in a browser: tests/browser.)
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from queue import Empty
from typing import Any

import device as device_options

from gannb.comparison.results import hardware, keep, numbers

BLOCKS, STEPS, MOVES = 40, 25, 20
ALLOWED_COST, ALLOWED_DELAY = 0.02, 0.1


# ------------------------------------------------------------------------------------------------ within the kernel


def trainer_and_view(folder: str, device: str) -> tuple[Any, Any]:
    """The quick preset of particles_sagan on random images, in one thread, and its live view."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits as bce

    from gannb.control.numbers import Numbers
    from gannb.data.batches import Batches
    from gannb.experiments.particles_sagan.params import ParticlesSagan
    from gannb.networks import sagan
    from gannb.random import generator, seeded
    from gannb.runs.folder import Run
    from gannb.training.player import Player
    from gannb.training.trainer import Trainer
    from gannb.widgets.live_view import LiveView

    p = ParticlesSagan(runs=folder, threads=1, device=device, loss="bce")  # so that its labels act
    run = Run.open(p)
    with seeded(0, "networks"):
        G, D = sagan.Generator(p.latent_dim, p.ngf, p.image_size), sagan.Discriminator(p.ndf, p.image_size)
    G, D = G.to(run.device), D.to(run.device)
    images = torch.rand(256, 1, p.image_size, p.image_size, generator=generator("images")) * 2 - 1
    z = torch.randn(16, p.latent_dim, generator=generator("grid")).to(run.device)

    def fake(turn):
        return turn.G(turn.draws.randn("z", len(turn.batch), p.latent_dim))

    def d_loss(turn):
        real, generated = turn.D(turn.batch), turn.D(fake(turn))
        turn.log(real=real.sigmoid().mean(), fake=generated.sigmoid().mean())
        return bce(real, turn.now.real_label.expand_as(real)) + bce(generated, torch.zeros_like(generated))

    def g_loss(turn):
        generated = turn.D(fake(turn))
        return bce(generated, torch.ones_like(generated))

    players = [
        Player("D", D, d_loss, lr=lambda now: now.lr_d, clip_norm=1.0),
        Player("G", G, g_loss, lr=lambda now: now.lr_g, clip_norm=1.0, ema=0.995),
    ]
    batches = Batches(images, p.batch_size, seed=0, device=run.device)
    trainer = Trainer(players, batches, Numbers.of(p), run, precision=p.precision, checkpoint_every=0)
    trainer.start().session.running = True
    return trainer, LiveView(trainer, lambda trainer: trainer.ema("G")(z))


def cost(folder: str, device: str) -> dict[str, Any]:
    """Seconds and processor seconds of blocks of steps: without the view, with it, and without it again."""
    trainer, view = trainer_and_view(folder, device)
    rounds, refreshes, hidden = [], 0, time.perf_counter()
    for number in range(-2, BLOCKS):  # two rounds to warm up
        taken = []
        for watchers in ([], [view], []):
            trainer.watchers = watchers
            if watchers:  # what is due by the clock waits for the blocks in which somebody watches
                for due in (view._frames, view._pictures):
                    due.next += time.perf_counter() - hidden
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(STEPS):
                due = view._frames.next
                trainer.session.notify()
                refreshes += number >= 0 and view._frames.next != due
                trainer.advance()
            taken.append((time.perf_counter() - wall, time.process_time() - cpu))
            hidden = time.perf_counter() if watchers else hidden
        if number >= 0:
            rounds.append(taken)
    return {"rounds": rounds, "refreshes": refreshes}


def effects(folder: str, device: str) -> dict[str, Any]:
    """When each value of `real_label` took effect; the client is messages the panel's comm first."""
    from IPython import get_ipython

    from gannb.widgets import message_priority

    trainer, view = trainer_and_view(folder, device)
    message_priority.install(get_ipython().kernel)
    message_priority.prioritise(view.panel.model_id)
    print(f"comm {view.panel.comm.comm_id}", flush=True)
    trainer.watchers.append(view)
    seen, steps = {}, []
    while len(seen) < MOVES:
        for command in trainer.session.inbox.take():
            trainer.session.execute(command)
            seen[f"{trainer.numbers['real_label'].value:.6g}"] = time.time()
        trainer.session.notify()
        began = time.perf_counter()
        trainer.advance()
        steps.append(time.perf_counter() - began)
    return {"seen": seen, "step_seconds": statistics.median(steps)}


# ------------------------------------------------------------------------------------------------------- the client


class Client:
    """A kernel, and what a front end does: read everything, send moves."""

    def __init__(self) -> None:
        from jupyter_client.manager import start_new_kernel

        self.manager, self.client = start_new_kernel(env={**os.environ, "OMP_NUM_THREADS": "1"})
        self.printed, self.bytes, self.done, self.closing = "", 0, threading.Event(), False
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        while not self.closing:
            try:
                message = self.client.iopub_channel.get_msg(timeout=0.2)
            except Empty:
                continue
            self.bytes += sum(len(part) for part in message.get("buffers", ()))
            content = message["content"]
            self.printed += content.get("text", "") + "\n".join(content.get("traceback", ()))
            if (
                content.get("execution_state") == "idle"
                and message["parent_header"].get("msg_type") == "execute_request"
            ):
                self.done.set()

    def call(self, function: str, folder: str, device: str) -> None:
        """Have the kernel run one of this file's functions and print what it returns."""
        self.printed, self.bytes = "", 0
        self.done.clear()
        here = str(Path(__file__).parent)
        self.client.execute(
            f"import json, sys\nsys.path.insert(0, {here!r})\nimport live\n"
            f"print('result', json.dumps(live.{function}({folder!r}, {device!r})))"
        )

    def result(self, seconds: float = 900) -> dict[str, Any]:
        if not self.done.wait(seconds) or "result " not in self.printed:
            raise RuntimeError(f"the kernel did not answer:\n{self.printed[-2000:]}")
        return json.loads(self.printed.partition("result ")[2].splitlines()[0])

    def moves(self) -> dict[str, float]:
        """Send moves until the kernel has seen them all; when each was sent."""
        while "comm " not in self.printed:
            time.sleep(0.1)
        comm = self.printed.partition("comm ")[2].split()[0]
        sent = {}
        for number in range(MOVES):
            time.sleep(0.25)
            value = 0.9 - number / 100
            move = {"do": "move", "name": "real_label", "value": value}
            message = self.client.session.msg(
                "comm_msg", {"comm_id": comm, "data": {"method": "custom", "content": move}}
            )
            sent[f"{value:.6g}"] = time.time()
            self.client.shell_channel.send(message)
        return sent

    def close(self) -> None:
        self.closing = True
        self.reader.join()
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def measure(device: str) -> dict[str, float]:
    """Both measurements, in one kernel after the other."""
    with tempfile.TemporaryDirectory() as folder:
        client = Client()
        client.call("cost", folder, device)
        blocks = client.result()
        sent_bytes = client.bytes
        client.close()
        client = Client()
        client.call("effects", folder, device)
        sent = client.moves()
        answered = client.result()
        client.close()
    delays = sorted(1000 * (answered["seen"][value] - at) for value, at in sent.items())
    shown = sum(round_[1][0] for round_ in blocks["rounds"])
    return {
        "cost_by_processor_time": ratio(blocks["rounds"], 1, 1),
        "cost_by_clock": ratio(blocks["rounds"], 1, 0),
        "without_against_without_by_processor_time": ratio(blocks["rounds"], 2, 1),
        "without_against_without_by_clock": ratio(blocks["rounds"], 2, 0),
        "refreshes_per_second": blocks["refreshes"] / shown,
        "kilobytes_per_refresh": sent_bytes / 1000 / max(1, blocks["refreshes"]),
        "step_milliseconds": 1000 * answered["step_seconds"],
        "delay_ms_median": statistics.median(delays),
        "delay_ms_least": delays[0],
        "delay_ms_most": delays[-1],
    }


def ratio(rounds: list[list[list[float]]], block: int, clock: int) -> float:
    """What a block takes above the mean of its neighbours without the view, as a median share.

    For the last block (2), which has no view either, against the first: what the measurement makes of no difference.
    """
    usual = (lambda r: (r[0][clock] + r[2][clock]) / 2) if block == 1 else (lambda r: r[0][clock])
    return statistics.median(r[block][clock] / usual(r) for r in rounds) - 1


def main() -> int:
    """Measure, keep where asked, and say whether it is within what is allowed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    device_options.option(parser)
    parser.add_argument("--keep", action="store_true", help="write results/live.json (live_cuda.json on a card)")
    given = parser.parse_args()
    device, load = device_options.chosen(given.device), os.getloadavg()[0]
    found = measure(str(device))
    head = {"question": "What does the live view cost, and how soon does a move act?", "hardware": hardware(device)}
    head |= {"command": f"python benchmarks/live.py --device {device}", "settings": {"moves": MOVES, "load": load}}
    trial = numbers("live view", **found)
    if given.keep:
        keep(device_options.named("live", device), [trial], **head)
    print(json.dumps(trial.as_dict(), indent=1), hardware(device), sep="\n")
    delay, step = found["delay_ms_median"], found["step_milliseconds"]
    cheap, soon = found["cost_by_processor_time"] <= ALLOWED_COST, delay <= max(1000 * ALLOWED_DELAY, step)
    print(f"live view: {100 * found['cost_by_processor_time']:+.2f} % (allowed {100 * ALLOWED_COST:g} %)")
    print(f"move to effect: {delay:.0f} ms, steps of {step:.0f} ms (allowed {1000 * ALLOWED_DELAY:g} ms or one step)")
    return 0 if cheap and soon else 1


if __name__ == "__main__":
    sys.exit(main())
