"""Renews the pictures of the README: `python -m tests.browser.screenshots`. Look at each afterwards."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import sync_playwright

from tests.browser.conftest import free_port, start_browser, start_server

FOLDER = Path(__file__).resolve().parent / "pictures"


@dataclass(frozen=True)
class Shot:
    name: str
    where: str
    wait_for: str
    width: int = 1280
    height: int = 860
    scheme: Literal["light", "dark"] = "light"

    @property
    def file(self) -> str:
        return f"tests/browser/pictures/{self.name}.png"


SHOTS = (
    Shot("home", "/", "text=A picture of no class", height=1240),
    Shot("inspect-sound", "/Inspect?from=Samples&sample=Chirping+birds", ".heatmaplayer", height=1000),
    Shot("inspect-picture-dark", "/Inspect?from=Samples&sample=Boat", ".xtick", height=860, scheme="dark"),
    Shot("inspect-phone", "/Inspect?from=Samples&sample=Dog", ".heatmaplayer", width=390, height=1240),
)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    port = free_port()
    with tempfile.TemporaryDirectory() as home, sync_playwright() as run:
        server = start_server(Path(home), port)
        browser = start_browser(run)
        try:
            for shot in SHOTS:
                size = {"width": shot.width, "height": shot.height}
                context = browser.new_context(viewport=size, color_scheme=shot.scheme)  # type: ignore[arg-type]
                page = context.new_page()
                page.goto(f"http://127.0.0.1:{port}{shot.where}")
                page.wait_for_selector(shot.wait_for, timeout=60_000)
                page.wait_for_timeout(1500)
                page.screenshot(path=FOLDER / f"{shot.name}.png")
                context.close()
        finally:
            browser.close()
            server.terminate()
            server.wait(timeout=10)


if __name__ == "__main__":
    main()
