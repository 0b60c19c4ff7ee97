"""The live view: what it shows, what it hands on, what it leaves alone."""

import io
import signal
import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image

from gannb.control.alarms import Lasting
from gannb.control.commands import Command
from gannb.training.interrupt import Paused
from gannb.widgets.clock import Clock, RateLimit
from gannb.widgets.live_view import LiveView, live
from gannb.widgets.picture import png
from tests.training.regimes import open_run, sagan

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def trainer(tmp_path):
    return sagan(open_run(tmp_path))


def act(view, **message):
    """What the page sends, as ipywidgets hands it over."""
    view.panel._handle_custom_msg(message, [])


def at(trainer, step, do):
    trainer.watchers.append(lambda trainer: do() if trainer.step == step else None)


def messages(view, kind):
    return [line["text"] for line in view.panel.frame["messages"] if line["kind"] == kind]


def standing(view, name):
    index = [number["name"] for number in view.panel.numbers].index(name)
    return view.panel.frame["numbers"][index]


def test_in_batch_it_is_not_there(trainer, capsys, monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert live(trainer) is None
    assert trainer.watchers == [] and not trainer.session.live
    assert capsys.readouterr() == ("", "")


def test_run_again_it_replaces_itself(tmp_path, capsys):
    trainer = sagan(open_run(tmp_path, live="on"))
    live(trainer)
    live(trainer)
    assert len(trainer.watchers) == 1


def test_it_shows_where_the_run_stands(trainer):
    view = LiveView(trainer, lambda trainer: torch.zeros(4, 1, 8, 8), version="7.3.0")
    assert view.panel.frame["state"] == "ready" and trainer.session.live
    trainer.watchers.append(view)
    trainer.fit(steps=12)
    frame = view.panel.frame
    assert (frame["state"], frame["step"], frame["target"], frame["running"]) == ("done", 12, 12, False)
    assert [chart["title"] for chart in frame["charts"]][:3] == ["loss", "discriminator", "gradient norm"]
    losses = {line["name"]: np.frombuffer(line["y"], np.float32) for line in frame["charts"][0]["lines"]}
    assert losses.keys() == {"D", "G"} and len(losses["D"]) == 12
    np.testing.assert_allclose(losses["D"], trainer.run.history["D/loss"].values, rtol=1e-5)
    assert standing(view, "real_label") == {
        "value": trainer.numbers["real_label"].value, "held": False, "driver": "schedule",
    }  # fmt: skip
    assert Image.open(io.BytesIO(view.panel.picture["image"])).size == (2 * 66, 2 * 66)
    assert view.panel.picture["label"] == "step 12"


def test_looking_changes_nothing(trainer, tmp_path):
    alone = sagan(open_run(tmp_path / "alone"))
    alone.fit(steps=12)
    view = LiveView(trainer, lambda trainer: trainer.ema("G")(torch.randn(4, 4)).reshape(4, 1, 1, 2), version="7.3.0")
    view._frames.shortest = view._pictures.shortest = 0.0
    view._frames.share = view._pictures.share = 1e9
    trainer.watchers.append(view)
    trainer.fit(steps=12)
    assert trainer.weights() == alone.weights()
    assert trainer.run.history.rows() == alone.run.history.rows()


def test_what_a_person_does_reaches_the_run(trainer):
    view = LiveView(trainer, version="7.3.0")
    trainer.watchers.append(view)
    at(trainer, 2, lambda: act(view, do="move", name="real_label", value=0.7))
    at(trainer, 4, lambda: act(view, do="move", name="real_label", value=1.5))
    trainer.fit(steps=6)
    assert standing(view, "real_label") == {"value": 0.7, "held": True, "driver": "schedule"}
    assert view.panel.frame["refused"] == {"real_label": "refused: 1.5 is outside [0, 1]"}
    assert messages(view, "refused") == ["real_label, by you: refused: 1.5 is outside [0, 1]"]
    assert any(says.startswith("real_label ") and says.endswith("→ 0.7 by you") for says in messages(view, "note"))
    act(view, do="release", name="real_label")
    trainer.fit(steps=8)
    assert not standing(view, "real_label")["held"] and "released real_label by you" in messages(view, "note")


def test_interrupt_move_run_again_works_where_clicks_arrive_late(trainer):
    view = LiveView(trainer, version="6.31.0")
    assert not trainer.session.live and "ipykernel 6.31.0" in view.panel.frame["notice"]
    trainer.watchers.append(view)
    at(trainer, 3, lambda: trainer.session.inbox.put(Command("pause")))  # with nobody there to go on it ends the call
    with pytest.raises(Paused):
        trainer.fit(steps=6)
    assert view.panel.frame["state"] == "interrupted"
    trainer.watchers.pop()
    act(view, do="move", name="lr", value=1e-3)
    assert standing(view, "lr")["value"] == 2e-3
    trainer.fit(steps=6)
    assert (standing(view, "lr")["value"], view.panel.frame["state"]) == (1e-3, "done")
    assert trainer.run.events("move")[-1]["step"] >= 3


def test_a_pause_waits_for_the_person(trainer):
    view = LiveView(trainer, version="7.3.0")
    trainer.watchers.append(view)
    at(trainer, 3, lambda: act(view, do="pause"))  # taken at the next boundary
    seen = []

    def person():
        for _ in range(500):
            if view.panel.frame["state"] == "paused":
                seen.append(view.panel.frame["step"])
                act(view, do="resume")
                return
            time.sleep(0.02)

    thread = threading.Thread(target=person)
    thread.start()
    trainer.fit(steps=6)
    thread.join()
    assert seen == [4] and trainer.step == 6


def test_a_page_that_never_answers_is_found_out(trainer):
    view = LiveView(trainer, version="7.3.0")
    trainer.session.running = True
    view._check_answer(10.0)
    view._check_answer(12.0)
    assert trainer.session.live
    view._check_answer(14.0)
    assert not trainer.session.live and "this page" in view._frame()["notice"]
    act(view, do="hello")
    assert trainer.session.live and view._frame()["notice"] == ""
    assert trainer.session.inbox.take() == []


def test_alarms_are_shown(tmp_path):
    trainer = sagan(open_run(tmp_path))
    trainer.alarms.append(Lasting("high", lambda seen: True, "it is high", patience=3))
    view = LiveView(trainer, version="7.3.0")
    trainer.watchers.append(view)
    trainer.fit(steps=10)
    assert messages(view, "alarm") == ["high: it is high"]


def test_turns_that_play_eagerly_are_shown_with_the_reason(tmp_path):
    trainer = sagan(open_run(tmp_path, capture="on"))
    loss = trainer.players["G"].loss
    trainer.players["G"].loss = lambda turn: loss(turn) * (1 + turn.step % 2)
    view = LiveView(trainer, version="7.3.0")
    trainer.watchers.append(view)
    trainer.fit(steps=10)
    assert messages(view, "note") == ["G plays eager: it reads turn.step (turn.due(n) can be captured)"]


def test_samples_that_fail_are_shown_and_stop_no_training(trainer):
    view = LiveView(trainer, lambda trainer: 1 / 0, version="7.3.0")
    trainer.watchers.append(view)
    trainer.fit(steps=2)
    assert messages(view, "alarm") == ["samples: ZeroDivisionError: division by zero"]


def test_the_newest_file_is_shown_by_default_with_its_own_step(trainer):
    file = trainer.run.path("samples", "000120.png")
    file.write_bytes(png(torch.zeros(1, 1, 4, 4)))
    view = LiveView(trainer, version="7.3.0")
    assert view.panel.picture == {"label": "step 120", "image": file.read_bytes()}
    assert view.newest_file(trainer) is None, "it is shown already"


def test_pace_keeps_to_its_share():
    for took, pause in ((0.001, 0.2), (0.05, 5.0)):  # 1 ms: the shortest interval; 50 ms: one per cent of 5 s
        pace = RateLimit(0.2, 0.01)
        pace.did(8.0, 9.0)
        assert pace.next == pytest.approx(9.2), "the first time loads much, and says nothing of the next"
        for known in range(1, 8):
            pace.did(10.0, 10.0 + took)
            assert pace.next == pytest.approx(10.0 + took + max(0.2, pause * min(known, 5) / 5))
            assert pace.earliest == pytest.approx(10.0 + took + 0.2)


def test_a_delayed_refresh_does_not_hide_a_change_of_state(trainer):
    """On a busy machine one refresh may take half a second, and its share of the time then ends in minutes."""
    view = LiveView(trainer, version="7.3.0")
    trainer.watchers.append(view)
    seen = []
    trainer.watchers.append(lambda trainer: seen.append(view.panel.frame["state"]))
    at(trainer, 2, lambda: setattr(view._frames, "next", 1e12))
    at(trainer, 3, lambda: act(view, do="pause"))

    def person():
        for act_on, do in (("paused", "move"), ("paused", "resume")):
            while view.panel.frame["state"] != act_on:
                time.sleep(0.02)
            act(view, do=do, **({"name": "real_label", "value": 0.7} if do == "move" else {}))
            while do == "move" and standing(view, "real_label")["value"] != 0.7:
                time.sleep(0.02)

    thread = threading.Thread(target=person, daemon=True)
    thread.start()
    trainer.fit(steps=6)
    thread.join(30)
    assert not thread.is_alive(), "a move while it was paused was not shown"
    assert seen[-2:] == ["training", "done"] and "paused" in seen


def test_the_last_samples_are_shown_however_long_they_take(trainer):
    seen = []
    view = LiveView(trainer, lambda trainer: seen.append(trainer.step) or torch.zeros(1, 1, 4, 4), version="7.3.0")
    view._pictures.shortest = 1e9
    view._pictures.did(0.0, time.perf_counter())
    trainer.watchers.append(view)
    trainer.fit(steps=5)
    assert (seen[0], seen[-1], view.panel.picture["label"]) == (0, 5, "step 5")


def test_a_number_without_effect_is_not_offered(trainer, monkeypatch):
    monkeypatch.setattr(type(trainer.run.params), "inactive", lambda p: {"real_label"})
    view = LiveView(trainer)
    names = [number["name"] for number in view.panel.numbers]
    assert "real_label" not in names and len(names) == len(trainer.numbers.parameters) - 1
    assert standing(view, "lr")["value"] == trainer.numbers["lr"].value


def test_the_clock_leaves_pauses_out(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("gannb.widgets.clock.time.perf_counter", lambda: now[0])
    clock = Clock()
    for step, training in ((0, False), (0, True), (10, True), (30, True), (30, False), (30, True), (40, True)):
        clock.tick(step, training)
        now[0] += 1.0
    assert clock.seconds == 3.0
    packed = clock.packed(40, 60)
    assert packed["left"] == 20 / packed["rate"]


def test_slow_motion_takes_its_time_and_changes_nothing(trainer, tmp_path):
    alone = sagan(open_run(tmp_path / "alone"))
    alone.fit(steps=6)
    view = LiveView(trainer, version="7.3.0", lasting=1.2)
    trainer.watchers.append(view)
    began = time.monotonic()
    trainer.fit(steps=6)
    assert time.monotonic() - began > 0.8 and view.clock.limit == pytest.approx(5.0)
    assert trainer.weights() == alone.weights()
    act(view, do="limit", value=0)
    began = time.monotonic()
    trainer.fit(steps=12)
    assert view.clock.limit == 0


def test_it_begins_when_a_person_presses_start(tmp_path):
    trainer = sagan(open_run(tmp_path, live="on"))
    live(trainer)
    (view,) = trainer.watchers
    seen = []

    def person():
        for _ in range(500):
            if view.panel.frame["state"] == "ready" and view.panel.frame["running"]:
                seen.append(view.panel.frame["step"])
                act(view, do="move", name="real_label", value=0.7)
                act(view, do="start")
                return
            time.sleep(0.02)

    thread = threading.Thread(target=person)
    thread.start()
    trainer.fit(steps=4)
    thread.join()
    assert seen == [0] and trainer.step == 4
    assert trainer.run.events("move")[0]["step"] == 0, "a move before the start acts from the first step on"


def test_nobody_there_to_start_it_is_found_out(trainer):
    view = LiveView(trainer, version="7.3.0")
    trainer.session.running = trainer.session.waiting = True
    view._check_answer(10.0)
    view._check_answer(20.0)
    assert trainer.session.live, "a page may take a while to load"
    view._check_answer(26.0)
    assert not trainer.session.live


def test_an_interrupted_run_goes_on_from_the_panel(trainer):
    view = LiveView(trainer, version="7.3.0")
    trainer.watchers.append(view)
    at(trainer, 3, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(Paused):
        trainer.fit(steps=8)
    assert view.panel.frame["state"] == "interrupted"
    assert messages(view, "note")[-1] == "interrupted; saved"
    trainer.watchers.pop()
    act(view, do="resume")
    assert trainer.step == 8 and view.panel.frame["state"] == "done"
    assert messages(view, "note")[-1] == "resumed by you"
    assert [mark["kind"] for mark in view.panel.frame["marks"]] == ["resume"]


def test_a_checkpoint_is_deleted_while_it_trains_and_afterwards(trainer):
    view = LiveView(trainer, version="7.3.0")
    trainer.watchers.append(view)
    at(trainer, 2, lambda: [act(view, do="checkpoint", name=name) for name in ("one", "two")])
    at(trainer, 4, lambda: act(view, do="delete", name="one"))
    trainer.fit(steps=8)
    offered = [(name, own) for name, _, own in view.panel.frame["checkpoints"]]
    assert ("two", True) in offered and "one" not in dict(offered)
    newest = str(trainer.checkpoints.by_step()[0][0])
    act(view, do="delete", name=newest)
    act(view, do="delete", name="two")
    assert [name for name, _, own in view.panel.frame["checkpoints"] if own] == []
    assert trainer.checkpoints.named() == {} and trainer.checkpoints.find(newest).is_file()
    assert [text for text in messages(view, "note") if "deleted" in text] == [
        f"deleted checkpoint {name} by you" for name in ("one", "two")
    ]
    assert len(messages(view, "refused")) == 1


def test_what_happened_leaves_marks(trainer):
    trainer.alarms.append(Lasting("high", lambda seen: True, "it is high", patience=8))
    view = LiveView(trainer, version="7.3.0")
    trainer.watchers.append(view)
    at(trainer, 2, lambda: act(view, do="move", name="real_label", value=0.7))
    at(trainer, 3, lambda: act(view, do="checkpoint", name="before"))
    at(trainer, 5, lambda: act(view, do="rollback", name="before"))
    trainer.fit(steps=20)
    marks = view.panel.frame["marks"]
    assert [mark["kind"] for mark in marks] == ["move", "rollback", "alarm"]
    assert marks[1]["text"] == "rolled back to before by you"
    assert ("before", "before (step 4)", True) in [tuple(kept) for kept in view.panel.frame["checkpoints"]]
    assert "kept before by you" in messages(view, "note")
    (path,) = [path for path in view.panel.frame["paths"] if path["name"] == "real_label"]
    assert np.frombuffer(path["y"], np.float32)[-1] == np.float32(0.7)
