"""Draw the findings that the README shows, as `docs/findings/NAME.svg`: `python docs/figures.py` (needs a Chromium)."""

import base64
import shutil
from pathlib import Path
from urllib.parse import unquote_to_bytes

from playwright.sync_api import sync_playwright
from plotly.offline import get_plotlyjs

from gannb.figures.findings import findings

FOLDER = Path(__file__).parent / "findings"
WIDTH = 860  # pixels, that of a README


def drawn() -> dict[str, bytes]:
    """Each finding's figure as SVG, by the name of its experiment."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"]).new_page()
        page.set_content("<meta charset='utf-8'><div id='place'></div>")
        page.add_script_tag(content=get_plotlyjs())
        return {each.name: _svg(page, each.figure()) for each in findings()}


def _svg(page, figure) -> bytes:
    size = {"format": "svg", "width": WIDTH, "height": figure.layout.height}
    address = page.evaluate(f"Plotly.toImage({figure.to_json()}, {size})")
    head, _, content = address.partition(",")
    return base64.b64decode(content) if "base64" in head else unquote_to_bytes(content)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, svg in drawn().items():
        (FOLDER / f"{name}.svg").write_bytes(svg)
