"""The newcomer's path: README, `make lab`, the tour, Start, move a slider, see its effect."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gannb.runs.files import read_lines
from tests.browser.conftest import serving

ROOT = Path(__file__).parents[2]
LIMIT = 300  # seconds from `make lab` to the effect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(LIMIT + 60)]


def lab_command() -> list[str]:
    """What `make lab` runs once everything is installed, with this Python in place of .venv's."""
    command = ["make", "--no-print-directory", "-n", "lab"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    python, *rest = shlex.split(printed.strip().splitlines()[-1])
    assert python.endswith("bin/python") and rest[-1] == "notebooks"
    return [sys.executable, *rest[:-1], str(ROOT / "notebooks")]


def test_from_the_readme_to_the_effect_of_a_slider(browser, tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"`make lab`.*`00_tour`", readme), "the README says how to begin"
    complaints: list[str] = []
    began, runs = time.monotonic(), tmp_path / "runs"
    with serving(tmp_path, ROOT / "notebooks", lab_command(), GANNB_RUNS=str(runs)) as lab:
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(LIMIT * 1000 / 3)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(lab.address(f"lab?token={lab.token}"))
        page.locator(".jp-DirListing-item", has_text="00_tour.ipynb").dblclick()
        page.locator("#jp-main-statusbar").get_by_text("Idle").wait_for()
        page.locator(".lm-MenuBar-item").get_by_text("Run", exact=True).click()
        page.locator(".lm-Menu-itemLabel").get_by_text("Run All Cells", exact=True).click()
        panel = page.get_by_role("region", name="Live view")
        panel.get_by_role("button", name="Start", exact=True).click()
        panel.get_by_alt_text(re.compile("Newest samples, step [1-9]")).wait_for()
        page.wait_for_timeout(500)  # it has scrolled
        box = panel.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 900, "all of the panel is in view"

        slider = panel.get_by_role("slider", name="noise", exact=True)
        slider.focus()
        for _ in range(4):
            page.keyboard.press("PageUp")
        panel.get_by_text(re.compile("noise .* → 0.5 by you")).wait_for()
        (folder,) = (runs / "tour").iterdir()
        moved = [row for row in read_lines(folder / "events.jsonl") if row.get("by") == "person"][-1]
        assert (moved["name"], moved["new"], moved["outcome"]) == ("noise", 0.5, "applied")
        panel.get_by_role("img", name=re.compile("^numbers: noise 0.5")).wait_for()
        while (shown := re.search(r"step (\d+)", panel.locator(".gannb-samples").inner_text())) is None or int(
            shown[1]
        ) <= moved["step"]:
            assert time.monotonic() - began < LIMIT
            page.wait_for_timeout(100)
        took = time.monotonic() - began
        print(f"from `make lab` to the effect of a slider: {took:.0f} s")
        assert took < LIMIT
        assert int(re.search(r"of (\d+)", panel.locator(".gannb-where").inner_text())[1]) > moved["step"], "in time"
        panel.get_by_role("button", name="Stop", exact=True).click()
        panel.locator(".gannb-state").get_by_text("stopped", exact=True).wait_for()
        page.context.close()
    assert complaints == []
