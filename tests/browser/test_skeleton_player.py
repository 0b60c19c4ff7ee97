"""The skeleton player in a real browser: in step with the sound, by hand and by keyboard, offline."""

import time
from pathlib import Path

import numpy as np
import pytest

from gannb.experiments.motion.data.clips import FPS
from gannb.experiments.motion.data.speech import SAMPLE_RATE, Speech
from gannb.experiments.motion.data.synthetic import STYLES, record
from gannb.experiments.motion.widgets.skeleton_player import SkeletonPlayer

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
CLICKS = (15, 47, 80, 121)  # frames

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=[*FLAGS, "--disable-sync"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def player() -> SkeletonPlayer:
    """A hand that jumps at every click of a click track, and a broken motion beside it."""
    take = record(STYLES[0], 10.0)
    pose, samples = np.repeat(take.pose[:1], 150, axis=0), np.zeros(10 * SAMPLE_RATE, np.float32)
    for i, frame in enumerate(CLICKS):
        pose[frame:] = take.pose[20 if i % 2 == 0 else 0]
        at = round(frame / FPS * SAMPLE_RATE)
        samples[at : at + 48] = 0.9
    broken = take.pose.copy()
    broken[60:90, 3] *= 1.2
    return SkeletonPlayer({"clicks": pose, "broken": broken}, Speech(samples, "click track"))


@pytest.fixture
def page(browser, player, tmp_path):
    """The saved page, ready; fails afterwards on any console error or request outside the file."""
    page = browser.new_page(viewport={"width": 900, "height": 430})
    faults, asked = [], []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: asked.append(request.url[:60]))
    page.goto(player.save(tmp_path / "player.html").as_uri())
    page.wait_for_selector("body[data-ready]", timeout=60_000, state="attached")
    yield page
    page.close()
    assert not faults
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]


def until(page, condition: str, seconds: float = 60.0) -> None:
    """Wait for a condition, frame by frame; a busy machine draws few of them, and has a minute."""
    page.evaluate(
        f"""() => new Promise((done, fail) => {{
            const end = performance.now() + {1000 * seconds};
            const look = () => ({condition}) ? done()
                : performance.now() < end ? requestAnimationFrame(look)
                : fail(new Error({f"not within {seconds} s: {condition}"!r}));
            look();
        }})"""
    )


def test_ready_within_two_seconds(page):
    """The best of five openings: what else the machine does is no fault of the page."""
    taken = []  # milliseconds from the opening of the page
    while len(taken) < 5 and not (taken and min(taken) < 2000):
        if taken:
            page.reload()
            page.wait_for_selector("body[data-ready]", timeout=60_000, state="attached")
        taken.append(int(page.get_attribute("body", "data-ready")))
    assert 0 < min(taken) < 2000, taken


def test_picture_keeps_step_with_the_sound(page):
    page.click("#play")
    until(page, "player.frame > 1")
    offsets, seen = [], []
    for _ in range(8):
        time.sleep(0.15)
        frame, sound = page.evaluate(
            "() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame("
            "() => r([player.frame, audio.currentTime * player.fps]))))"
        )
        offsets.append(abs(frame - sound))
        seen.append(sound)
    assert max(offsets) <= 1.0, offsets
    assert seen[-1] > seen[0] + 5  # it did play
    page.click("#play")
    assert page.evaluate("audio.paused") and page.inner_text("#play") == "Play"


def test_clicks_are_heard_on_the_frames_where_the_hand_jumps(page):
    heard = page.evaluate(
        """async () => {
            const bytes = Uint8Array.from(atob(data.audio.split(",")[1]), c => c.charCodeAt(0));
            const sound = await new OfflineAudioContext(1, 1, 24000).decodeAudioData(bytes.buffer);
            const samples = sound.getChannelData(0), clicks = [];
            for (let i = 0; i < samples.length; i++)
                if (Math.abs(samples[i]) > 0.4) { clicks.push(i / sound.sampleRate * player.fps); i += 2400; }
            return clicks;
        }"""
    )
    jumps = page.evaluate(
        """() => {
            const { pose, frames } = motions[0], jumps = [];
            const n = 3 * J;
            for (let f = 1; f < frames; f++)
                if (pose.subarray(f * n, (f + 1) * n).some((v, i) => v !== pose[(f - 1) * n + i])) jumps.push(f);
            return jumps;
        }"""
    )
    assert tuple(jumps) == CLICKS
    assert np.abs(np.array(heard) - np.array(jumps)).max() < 0.1  # frames


def test_scrubbing_speed_and_keys(page):
    from playwright.sync_api import Error

    page.evaluate("() => { scrub.value = 75; scrub.dispatchEvent(new Event('input')); }")
    assert page.evaluate("[player.frame, player.time * player.fps]") == pytest.approx([75, 75], abs=0.01)
    page.focus("canvas[tabindex]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("player.frame") == pytest.approx(76, abs=0.01)
    before = page.evaluate("player.view")
    page.keyboard.press("Shift+ArrowLeft")
    assert page.evaluate("player.view")[0] < before[0]
    page.select_option("#speed", "2")
    assert page.evaluate("audio.playbackRate") == 2
    page.focus("canvas[tabindex]")
    page.keyboard.press(" ")
    try:
        until(page, "player.frame > 80", seconds=9)
    except Error:  # without a sound card, a busy machine's media clock may stand still: seek, and play on
        page.evaluate("() => { audio.currentTime += 0.01; audio.play(); }")
    until(page, "player.frame > 80")
    page.keyboard.press(" ")
    assert page.evaluate("audio.paused")


def test_dragging_turns_and_views_are_named(page):
    before = page.evaluate("player.view")
    box = page.locator("canvas[tabindex]").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=3)
    page.mouse.up()
    assert page.evaluate("player.view")[0] == pytest.approx(before[0] + 0.6, abs=0.05)
    assert page.input_value("#view") == "turned"
    page.select_option("#view", "left")
    assert page.evaluate("player.view") == pytest.approx([-np.pi / 2, 0])
    page.evaluate("() => turn(0.3, 0)")
    page.select_option("#view", "left")  # chosen again, after it was turned away from
    assert page.evaluate("player.view") == pytest.approx([-np.pi / 2, 0])


def test_it_stops_at_the_end_and_begins_again(page):
    page.evaluate("() => { scrub.value = 147; scrub.dispatchEvent(new Event('input')); }")
    page.click("#play")
    until(page, "audio.paused && player.frame > 148.9")
    page.click("#play")
    until(page, "!audio.paused && player.frame > 1 && player.frame < 100")


def test_nothing_leaves_the_picture_however_it_is_turned(page):
    cut = page.evaluate(
        """() => {
            const cut = [];
            for (const [x, y] of [[0, 0], [1.2, 0.2], [-1.5, 0], [0, -1.5], [2, 3]]) {
                turn(x, y);
                for (let f = 0; f < frames; f += 15) {
                    draw(f / player.fps);
                    for (const { canvas } of panels) {
                        const w = canvas.width, h = canvas.height, paper = canvas.getContext("2d");
                        const edges = [[0, 0, w, 1], [0, h - 1, w, 1], [0, 0, 1, h], [w - 1, 0, 1, h]];
                        const inked = edge => paper.getImageData(...edge).data.some((v, i) => i % 4 === 3 && v);
                        edges.forEach((edge, side) => { if (inked(edge)) cut.push([...player.view, f, side]); });
                    }
                }
            }
            return cut;
        }"""
    )
    assert cut == []


def test_a_new_clip_in_its_place_keeps_view_speed_and_frame(browser, player, tmp_path):
    (tmp_path / "notebook.html").write_text(f"<!doctype html><body>{player._repr_html_()}</body>")
    page = browser.new_page()
    page.goto((tmp_path / "notebook.html").as_uri())
    page.frame_locator("iframe").locator("body[data-ready]").wait_for(timeout=60_000, state="attached")
    first = page.frames[1]
    first.evaluate("() => { turn(0.5, 0.1); go(40); }")
    first.select_option("#speed", "0.5")
    turned = first.evaluate("player.view")
    page.evaluate("() => { const old = document.querySelector('iframe'), html = old.outerHTML; old.outerHTML = html; }")
    page.frame_locator("iframe").locator("body[data-ready]").wait_for(timeout=60_000, state="attached")
    again = page.frames[1]
    assert again.evaluate("player.view") == turned and again.input_value("#view") == "turned"
    until(again, "Math.round(player.frame) === 40 && Math.round(player.time * player.fps) === 40")
    assert again.evaluate("audio.playbackRate") == 0.5
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_violations_are_red_only_where_they_are(page, scheme):
    page.emulate_media(color_scheme=scheme)
    count = """f => { go(f); return panels.map(({canvas}) => {
        const p = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        let red = 0;
        for (let i = 0; i < p.length; i += 4)
            if (p[i + 3] > 200 && p[i] > 190 && p[i + 1] < 120 && p[i + 2] < 120) red++;
        return red;
    }); }"""
    assert page.evaluate(count, 30) == [0, 0]
    clicks, broken = page.evaluate(count, 75)
    assert clicks == 0 and broken > 30
    assert "violations in 30 of 150 frames" in page.inner_text("#panels")


def test_it_works_within_a_notebooks_output(browser, player, tmp_path):
    """Exported HTML holds the same frame as JupyterLab's output."""
    html = f"<!doctype html><body>{player._repr_html_()}</body>"
    (tmp_path / "notebook.html").write_text(html)
    page = browser.new_page()
    page.goto((tmp_path / "notebook.html").as_uri())
    frame = page.frame_locator("iframe")
    frame.locator("body[data-ready]").wait_for(timeout=60_000, state="attached")
    frame.locator("#play").click()
    inner = page.frames[1]
    until(inner, "player.frame > 3")
    assert inner.evaluate("document.documentElement.scrollHeight <= innerHeight + 1"), "the frame is too low"
    page.close()


def test_silent_player_keeps_its_own_clock(browser, tmp_path):
    page = browser.new_page()
    page.goto(SkeletonPlayer({"a": record(STYLES[0], 4.0).pose}).save(tmp_path / "a.html").as_uri())
    page.click("#play")
    until(page, "player.frame > 5")
    page.click("#play")
    frame = page.evaluate("player.frame")
    time.sleep(0.3)
    assert page.evaluate("player.frame") == frame
    page.close()
