"""A person steers a run in JupyterLab: everything that the panel promises, done with mouse and keyboard."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import yaml

from gannb.training.checkpoint import Checkpoint, digest
from tests.browser import notebook

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

FOREVER = 100_000
SUBSHELLS = "@jupyterlab/apputils-extension:kernels-settings"
THEME = "@jupyterlab/apputils-extension:themes"
CONTRAST = 4.5  # WCAG 2.1 AA, for text
CUT = """panel => [...panel.querySelectorAll(".gannb-name, figcaption")]
    .filter(element => element.scrollWidth > element.clientWidth).map(element => element.innerText)"""
PIXELS = """canvas => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
    .reduce((count, value, i) => count + (i % 4 === 3 && value > 0), 0)"""  # that are drawn


class Session:
    """One notebook, open on one page.

    Attributes:
        complaints: console errors, failed requests, and requests to anywhere but this machine.
    """

    def __init__(self, lab, browser, name: str, shots: Path, **options: object) -> None:
        self.lab, self.name, self.shots = lab, name, shots
        self.runs = lab.folder / f"{name}-runs"
        notebook.write(lab.folder / f"{name}.ipynb", self.runs, **options)
        self.complaints: list[str] = []
        self.page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        self.page.set_default_timeout(90_000)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("request", self._request)
        self.open()

    def open(self) -> None:
        self.page.goto(self.lab.address(f"lab/workspaces/{self.name}/tree/{self.name}.ipynb?token={self.lab.token}"))
        self.page.locator("#jp-main-statusbar").get_by_text("Idle").wait_for()
        if self.page.locator("#filebrowser").is_visible():
            self.page.keyboard.press("Control+B")  # the file list, out of the way

    def run_all(self, *, start: bool = True) -> None:
        self.menu("Run", "Run All Cells")
        self.panel.wait_for(timeout=150_000)
        if start:
            self.state("ready")
            self.button("Start").click()
            self.state("training")

    def menu(self, *path: str) -> None:
        first, *rest = path
        self.page.locator(".lm-MenuBar-item").get_by_text(first, exact=True).click()
        for item in rest:
            self.page.locator(".lm-Menu-itemLabel").get_by_text(item, exact=True).click()

    def _console(self, message) -> None:
        if message.type == "error":
            self.complaints.append(f"console: {message.text} {message.location.get('url', '')}")

    def _request(self, request) -> None:
        if not re.match(r"(https?|wss?)://127\.0\.0\.1[:/]|blob:|data:", request.url):
            self.complaints.append(f"request to {request.url}")

    # ---- what is on the page

    @property
    def panel(self):
        return self.page.get_by_role("region", name="Live view")

    def slider(self, name: str):
        return self.panel.get_by_role("slider", name=name, exact=True)

    def field(self, name: str):
        return self.panel.get_by_role("textbox", name=f"{name}, value", exact=True)

    def button(self, name: str):
        return self.panel.get_by_role("button", name=name, exact=True)

    def row(self, name: str):
        return self.panel.locator(".gannb-number", has=self.page.get_by_role("slider", name=name, exact=True))

    def state(self, word: str) -> None:
        self.panel.locator(".gannb-state").get_by_text(word, exact=True).wait_for()

    def step(self) -> int:
        return int(re.search(r"step (\d+)", self.panel.locator(".gannb-where").inner_text())[1])

    def rate(self) -> float:
        found = re.search(r"([\d.]+) steps/s", self.panel.locator(".gannb-where").inner_text())
        return float(found[1]) if found else 0.0

    def shot(self, what: str) -> None:
        self.page.screenshot(path=self.shots / f"{what}.png")

    # ---- what is on disk

    @property
    def folder(self) -> Path:
        (folder,) = (self.runs / "spots").iterdir()
        return folder

    def events(self, by: str = "person", **wanted: object) -> list[dict]:
        rows = [json.loads(line) for line in (self.folder / "events.jsonl").read_text().splitlines()]
        return [row for row in rows if row.get("by") == by and all(row.get(k) == v for k, v in wanted.items())]

    def event(self, **wanted: object) -> dict:
        """The newest event of a kind that a person caused, once it is there."""
        return until(lambda: self.events(**wanted), seen=lambda: [self.events(), self.panel.inner_text()])[-1]


def until(look: Callable[[], object], seconds: float = 60.0, seen: Callable[[], object] = str):
    """What `look` finds, as soon as it finds something; else an error that tells what was seen instead."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"it did not happen; there is {seen()}"
        time.sleep(0.02)
    return found


@pytest.fixture(scope="module")
def shots(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("shots")


@pytest.fixture(scope="module")
def session(lab, browser, shots) -> Iterator[Session]:
    """A notebook whose training goes on until it is stopped."""
    session = Session(lab, browser, "spots", shots, steps=FOREVER)
    session.run_all()
    yield session
    session.page.context.close()


def test_run_all_shows_everything(session):
    for name in ("lr_d", "lr_g", "real_label", "noise", "g_turns"):
        assert session.slider(name).is_visible() and session.field(name).is_visible()
    assert session.panel.get_by_role("group", name="optimiser").get_by_role("slider").count() == 2
    assert "target for real images" in session.slider("real_label").get_attribute("title")
    for title in (r"loss: D \d.*, G \d", r"discriminator: D\(x\) 0\.\d+, D\(G\(z\)\) 0\.\d+", "numbers: noise 0"):
        chart = session.panel.get_by_role("img", name=re.compile(title))
        chart.wait_for()
        until(lambda chart=chart: chart.locator("canvas").evaluate(PIXELS) > 300)
    session.panel.get_by_alt_text(re.compile("Newest samples, step [1-9]")).wait_for()
    assert session.panel.get_by_alt_text("Newest samples").evaluate("image => image.naturalWidth") > 100
    before = session.field("noise").input_value()
    until(lambda: session.field("noise").input_value() != before)  # its schedule moves it
    assert "exponential" in session.row("noise").inner_text()
    assert session.panel.evaluate(CUT) == []
    session.shot("light")


def test_sliders_act_while_the_cell_trains(session):
    took = []
    slider = session.slider("real_label")
    slider.focus()
    for presses in range(1, 6):
        pressed = time.time()
        session.page.keyboard.press("ArrowLeft")
        marks = session.folder / "moved.txt"
        until(lambda n=presses, file=marks: file.exists() and len(file.read_text().splitlines()) >= n)
        took.append(float(marks.read_text().splitlines()[presses - 1]) - pressed)
    print(f"key to effect: {', '.join(f'{1000 * t:.0f}' for t in took)} ms")
    assert min(took) < 0.1, "slider to effect takes at most 100 ms (the quickest of five: other processes may hold up)"
    assert session.events(kind="move", name="real_label", outcome="applied")[-1]["new"] == 0.875
    session.row("real_label").get_by_text("held", exact=True).wait_for()
    assert session.button("Release real_label").get_attribute("aria-pressed") == "true"


def test_a_logarithmic_slider_by_mouse(session):
    slider = session.slider("lr_g")
    box = slider.bounding_box()
    session.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    moved = session.event(kind="move", name="lr_g")["new"]
    assert moved == pytest.approx(1e-4, rel=0.15)  # halfway from 1e-6 to 1e-2
    until(lambda: float(session.field("lr_g").input_value()) == moved)


def test_a_press_that_moves_nothing_leaves_the_slider_to_its_schedule(session):
    slider = session.slider("noise")
    filled = slider.evaluate("s => (s.value - s.min) / (s.max - s.min)")
    box = slider.bounding_box()
    session.page.mouse.click(box["x"] + 8 + filled * (box["width"] - 16), box["y"] + box["height"] / 2)
    stood = slider.get_attribute("aria-valuetext")
    until(lambda: slider.get_attribute("aria-valuetext") != stood)
    assert not session.events(kind="move", name="noise")


def test_everything_by_keyboard(session):
    keys = session.page.keyboard
    active = "document.activeElement.getAttribute('aria-label')"
    session.slider("g_turns").focus()
    keys.press("End")
    assert session.event(kind="move", name="g_turns")["new"] == 8
    keys.press("Home")
    keys.press("ArrowRight")
    until(lambda: session.events(kind="move", name="g_turns")[-1]["new"] == 1)
    keys.press("Tab")
    assert session.page.evaluate(active) == "g_turns, value"
    keys.press("ControlOrMeta+A")
    keys.type("2")
    keys.press("Enter")
    until(lambda: session.events(kind="move", name="g_turns")[-1]["new"] == 2)
    keys.press("Tab")
    until(lambda: session.page.evaluate(active) == "Release g_turns")
    keys.press("Space")
    assert session.event(kind="release", name="g_turns")["outcome"] == "applied"
    session.button("Hold g_turns").wait_for()
    assert session.page.locator(".jp-mod-editMode").count() == 0, "JupyterLab took a key for itself"


def test_a_refused_move_is_shown_and_recorded(session):
    session.field("real_label").fill("1.5")
    session.field("real_label").press("Enter")
    refusal = session.event(kind="move", name="real_label", new=1.5)
    assert refusal["outcome"] == "refused: 1.5 is outside [0, 1]"
    row = session.row("real_label")
    row.get_by_text("refused: 1.5 is outside [0, 1]").wait_for()
    until(lambda: session.field("real_label").input_value() == "0.875")  # it stands where it stood
    session.shot("refused")
    session.field("real_label").fill("warm")
    session.field("real_label").press("Enter")
    row.get_by_text("“warm” is not a number").wait_for()
    row.get_by_text("“warm” is not a number").wait_for(state="hidden", timeout=30_000)
    session.field("real_label").fill("cold")
    session.field("real_label").press("Enter")
    row.get_by_text("“cold” is not a number").wait_for()
    session.field("real_label").fill("0.86")
    session.field("real_label").press("Enter")
    row.get_by_text("“cold” is not a number").wait_for(state="hidden", timeout=2_000)
    session.event(kind="move", name="real_label", new=0.86)


def test_what_is_selected_in_a_field_stays_until_it_is_typed_over(session):
    """The schedule moves the number meanwhile, five times a second; the slider shows it."""
    field, keys = session.field("noise"), session.page.keyboard
    field.click()
    keys.press("ControlOrMeta+A")
    before, slid = field.input_value(), session.slider("noise").get_attribute("aria-valuetext")
    until(lambda: session.slider("noise").get_attribute("aria-valuetext") != slid)
    assert field.input_value() == before
    keys.type("0.65")
    keys.press("Enter")
    assert session.event(kind="move", name="noise", new=0.65)["outcome"] == "applied"
    session.button("Release noise").click()
    field.focus()
    keys.press("Escape")  # shows where the number stands again, and goes on doing so
    until(lambda: field.input_value() != before)
    before = field.input_value()
    until(lambda: field.input_value() != before)


def test_pause_single_step_and_go_on(session):
    session.button("Pause").click()
    session.state("paused")
    stood = session.event(kind="pause")["step"]
    until(lambda: session.step() == stood)
    session.button("Step").click()
    until(lambda: session.step() == stood + 1)
    session.shot("paused")
    session.button("Resume").click()
    session.state("training")
    until(lambda: session.step() > stood + 2)


def test_a_checkpoint_has_a_name_and_stays_and_is_rolled_back_to(session):
    session.panel.get_by_label("Name of the checkpoint").fill("before the fall")
    session.button("Checkpoint").click()
    step = session.event(kind="checkpoint", name="before the fall")["step"]
    until(lambda: session.step() > step + 120, seconds=120)  # two of the automatic ones, every 50 steps, came after it
    which = session.panel.get_by_label("Checkpoint to roll back to")
    which.select_option(label=f"before the fall (step {step})")
    session.button("Roll back").click()
    rollback = session.event(kind="rollback")
    assert (rollback["to"], rollback["name"]) == (step, "before the fall")
    session.panel.get_by_text("rolled back to before the fall by you").wait_for()
    assert (session.folder / "checkpoints" / "before the fall.safetensors").is_file()


def test_a_persons_checkpoint_is_deleted_by_two_presses(session):
    which = session.panel.get_by_label("Checkpoint to roll back to")
    remove = session.panel.get_by_role("button", name=re.compile("^Delete "))
    which.select_option(index=which.locator("option").count() - 1)  # the oldest by its step: resuming needs it
    until(lambda: remove.is_disabled())
    session.panel.get_by_label("Name of the checkpoint").fill("a spare")
    session.button("Checkpoint").click()
    session.event(kind="checkpoint", name="a spare")
    file = session.folder / "checkpoints" / "a spare.safetensors"
    which.locator("option", has_text="a spare").wait_for(state="attached")
    which.select_option("a spare")
    until(lambda: remove.is_enabled())
    remove.click()
    until(lambda: remove.inner_text() == "Sure?")
    session.page.keyboard.press("Tab")  # to leave it is to refuse
    until(lambda: remove.inner_text() == "Delete")
    assert file.is_file() and not session.events(kind="delete")
    remove.click()
    session.shot("delete")
    remove.click()
    assert session.event(kind="delete", name="a spare")["outcome"] == "applied"
    assert not file.exists()
    which.locator("option", has_text="a spare").wait_for(state="detached")


def test_charts_tell_values_and_marks_and_zoom(session):
    chart = session.panel.get_by_role("img", name=re.compile("^loss: "))
    plot, step = chart.locator(".u-over"), chart.locator(".u-legend .u-value").first
    box = plot.bounding_box()

    def hover(share: float) -> None:
        session.page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)

    def at() -> float:
        return float(step.text_content() or -1)

    hover(0.01)
    until(lambda: 0 <= at() < 0.1 * session.step())
    assert re.match(r"\d", chart.locator(".u-legend .u-value").nth(1).text_content())
    rolled = session.events(kind="rollback")[-1]["step"]
    says = session.panel.get_by_text(f"step {rolled}: rolled back to before the fall by you")

    def pointed() -> bool:  # the axis grows meanwhile
        hover(rolled / session.step())
        return says.is_visible()

    until(pointed)
    hover(0.5)
    session.page.mouse.down()
    hover(0.9)
    session.page.mouse.up()
    hover(0.01)
    until(lambda: at() > 0.3 * rolled)
    session.shot("zoomed")
    plot.dblclick()
    hover(0.01)
    until(lambda: 0 <= at() < 0.1 * session.step())


def test_an_interrupt_is_logged_as_one_and_resumed_in_the_panel(session):
    session.menu("Kernel", "Interrupt Kernel")
    session.state("interrupted")
    session.panel.get_by_text("interrupted; saved").wait_for()
    assert session.events(by="interrupted", kind="checkpoint")
    stood = session.step()
    session.button("Resume").click()
    session.state("training")
    until(lambda: session.step() > stood + 5)
    session.field("noise").fill("0.4")
    session.field("noise").press("Enter")
    assert session.event(kind="move", name="noise", new=0.4)["outcome"] == "applied"
    session.menu("Kernel", "Interrupt Kernel")
    session.state("interrupted")
    session.page.locator(".jp-CodeCell").nth(4).click()
    session.page.keyboard.press("Control+Enter")  # the other way on: the cell again
    session.state("training")


def test_slow_motion(session):
    session.panel.get_by_label("Speed").select_option("5 steps/s")
    until(lambda: 4 < session.rate() < 6.5, seconds=120)
    session.panel.get_by_label("Speed").select_option("full speed")
    until(lambda: session.rate() > 10, seconds=120)


WATCH = """() => { window.places = []; let there = false; const look = () => {
    const go = document.querySelector(".gannb-live button.gannb-main:enabled");
    if (go && !there) { there = true; go.scrollIntoView({ block: "center" }); }
    const box = go && go.getBoundingClientRect();
    const hit = go && document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2) === go;
    if (hit) window.places.push(Math.round(box.y));
    requestAnimationFrame(look);
}; look(); }"""  # a person looks for Start as soon as it is there: where it stands, whenever a click would reach it


def test_start_does_not_move_once_it_can_be_clicked(lab, browser, shots):
    other = Session(lab, browser, "moving", shots, steps=FOREVER)
    other.page.evaluate(WATCH)
    other.menu("Run", "Run All Cells")
    other.panel.wait_for(timeout=150_000)
    other.state("ready")
    until(lambda: other.page.evaluate("window.places.length") > 60)
    assert len(set(other.page.evaluate("window.places"))) == 1, other.page.evaluate("window.places")
    other.menu("Kernel", "Interrupt Kernel")
    other.page.context.close()


def test_a_second_notebook_at_the_same_time(session, lab, browser, shots):
    other = Session(lab, browser, "other", shots, steps=FOREVER)
    other.run_all()
    other.field("noise").fill("0.7")
    other.field("noise").press("Enter")
    assert other.event(kind="move", name="noise", new=0.7)["outcome"] == "applied"
    session.field("noise").fill("0.6")
    session.field("noise").press("Enter")
    assert session.event(kind="move", name="noise", new=0.6)["outcome"] == "applied"
    assert not other.events(new=0.6) and not session.events(new=0.7)
    other.button("Stop").click()
    other.state("stopped")
    other.page.get_by_text(re.compile("^weights [0-9a-f]{64}")).wait_for()  # the cell below went on
    assert other.complaints == []
    other.page.context.close()


def test_dark_theme(session, lab):
    lab.setting(THEME, theme="JupyterLab Dark")
    session.menu("Settings", "Theme", "JupyterLab Dark")
    session.page.locator('body[data-jp-theme-light="false"]').wait_for(state="attached")
    session.panel.scroll_into_view_if_needed()
    time.sleep(0.5)
    session.shot("dark")
    assert poor_contrast(session) == []
    session.page.keyboard.press("Escape")
    session.menu("Settings", "Theme", "JupyterLab Light")
    session.page.locator('body[data-jp-theme-light="true"]').wait_for(state="attached")
    assert poor_contrast(session) == []


def test_after_a_reload_while_it_trains(session):
    session.page.keyboard.press("Escape")
    session.menu("File", "Save Notebook")
    time.sleep(1)
    before = session.step()
    session.page.reload()
    session.page.locator(".jp-Notebook").wait_for()
    session.page.locator(".jp-Cell").nth(5).scroll_into_view_if_needed()
    session.panel.wait_for()
    session.panel.scroll_into_view_if_needed()
    session.state("training")
    until(lambda: session.step() > before)
    assert session.button("Release real_label").is_visible()
    session.slider("real_label").press("ArrowLeft")
    until(lambda: session.events(kind="move", name="real_label", outcome="applied")[-1]["new"] == 0.855)
    session.shot("reloaded")


def test_stop_and_replay_without_a_browser(session, tmp_path, capsys):
    session.button("Stop").click()
    session.state("stopped")
    session.shot("stopped")
    log = session.folder / "interventions.yaml"
    done = [command["do"] for command in yaml.safe_load(log.read_text())["commands"]]
    assert {"move", "release", "pause", "resume", "checkpoint", "rollback", "delete", "stop"} <= set(done)

    threads = torch.get_num_threads()
    place = {"__name__": "replay"}
    try:
        for cell in notebook.cells(tmp_path, steps=FOREVER, live="off", pause=0.0, replay=str(log)):
            exec(cell, place)
    finally:
        torch.set_num_threads(threads)
    assert "not comparable" not in capsys.readouterr().out
    assert place["trainer"].step == session.events(kind="stop")[-1]["step"]
    ended = Checkpoint.read(session.folder / "checkpoints" / f"step-{place['trainer'].step:08d}.safetensors")
    assert digest(ended.tensors) == place["trainer"].weights(), "the replay is not bit-equal"


def test_nothing_went_wrong_in_the_page(session):
    assert session.complaints == []


def test_a_page_without_a_subshell_steers_all_the_same(lab, browser, shots):
    """Every page is one until the kernel has given it a subshell: its first click must not wait for the cell's end."""
    lab.setting(SUBSHELLS, commsOverSubshells="disabled")
    try:
        session = Session(lab, browser, "without", shots, steps=FOREVER)
        session.run_all()
        session.field("real_label").fill("0.8")
        session.field("real_label").press("Enter")
        assert session.event(kind="move", name="real_label", new=0.8)["outcome"] == "applied"
        session.button("Stop").click()
        session.state("stopped")
        assert session.panel.get_by_role("note").count() == 0 and session.complaints == []
        session.page.context.close()
    finally:
        lab.setting(SUBSHELLS)


def test_where_clicks_arrive_late_it_is_said_and_interrupting_works(lab, browser, shots):
    lab.setting(SUBSHELLS, commsOverSubshells="disabled")
    try:
        session = Session(lab, browser, "late", shots, steps=FOREVER, overtaking=False)  # as with ipykernel 6
        session.run_all(start=False)  # it begins by itself after a while
        session.panel.get_by_text("moves reach the run only between cells").wait_for()
        assert session.button("Pause").is_disabled() and session.button("Stop").is_disabled()
        session.field("real_label").fill("0.8")
        session.field("real_label").press("Enter")
        stood = session.step()
        until(lambda: session.step() > stood + 20)
        assert not session.events(kind="move"), "this page was meant to deliver late"
        session.shot("late")
        session.menu("Kernel", "Interrupt Kernel")
        session.state("interrupted")
        session.panel.get_by_text("waits for the training cell").wait_for()
        session.page.locator(".jp-CodeCell").nth(4).click()
        session.page.keyboard.press("Control+Enter")
        assert session.event(kind="move", name="real_label")["new"] == 0.8
        session.menu("Kernel", "Interrupt Kernel")
        session.state("interrupted")
        assert session.complaints == []
        session.page.context.close()
    finally:
        lab.setting(SUBSHELLS)


CONTRASTS = """panel => {
  const linear = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(linear);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = element => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if (!/, 0\\)$|transparent/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const text = node => node.nodeType === 3 && node.data.trim();
  const written = e => e.checkVisibility() && !e.disabled && [...e.childNodes].some(text);
  return [...panel.querySelectorAll("*")].filter(written).map(e => {
    const [more, less] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
    return [e.textContent.slice(0, 40), (more + 0.05) / (less + 0.05)];
  });
}"""


def poor_contrast(session) -> list[str]:
    """Visible texts of the panel that stand out too little from the page."""
    return [f"{text}: {ratio:.1f}" for text, ratio in session.panel.evaluate(CONTRASTS) if ratio < CONTRAST]
