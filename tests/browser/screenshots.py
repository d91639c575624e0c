"""Renews the pictures of the README: `python -m tests.browser.screenshots`. Look at each afterwards."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import ROOT, free_port, start_browser, start_server

FOLDER = Path(__file__).resolve().parent / "pictures"


@dataclass(frozen=True)
class Shot:
    name: str
    where: str
    wait_for: str
    width: int = 1280
    height: int = 900
    scheme: Literal["light", "dark"] = "light"
    choose: bool = False  # the first option of a list of them
    press: str = ""  # a button to begin with, if the page only offers something

    @property
    def file(self) -> str:
        return f"tests/browser/pictures/{self.name}.png"


def three(
    name: str,
    where: str,
    wait_for: str,
    height: int = 900,
    *,
    dark: str = "",
    phone: str = "",
    choose: bool = False,
    press: str = "",
) -> list[Shot]:
    """A page in light, in the dark theme and on a phone; other places than ``where`` show more of it."""
    return [
        Shot(name, where, wait_for, height=height, choose=choose, press=press),
        Shot(f"{name}-dark", dark or where, wait_for, height=height, scheme="dark", choose=choose, press=press),
        Shot(f"{name}-phone", phone or where, wait_for, width=390, height=1240, choose=choose, press=press),
    ]


_CHART = ".penumbra-plot .main-svg"
_SAMPLE = "/Inspect?from=Samples&sample="
SHOTS = (
    *three("home", "/", "text=A picture of no class", 1180),
    *three(
        "inspect",
        f"{_SAMPLE}Dog+or+rain",
        ".main-svg",
        1240,
        dark=f"{_SAMPLE}Boat&model=toybox-mc-dropout",
        phone=f"{_SAMPLE}A+sound+of+no+class",
    ),
    *three("map", "/Map", _CHART, 1240, dark="/Map?model=toybox-laplace"),
    Shot("lists", "/Map?model=toybox-ensemble&list=wrong", _CHART, height=1500),
    *three("retention", "/Retention", _CHART, 1240, dark="/Retention?model=toybox-laplace&keep=0.7"),
    *three("compare", "/Compare", _CHART, 1240, dark="/Compare?model=toybox-laplace"),
    *three("retrieve", "/Retrieve", _CHART, 1240, dark="/Retrieve?model=toybox-laplace"),
    *three("train", "/Train?run=first", _CHART, 1500),
    *three(
        "learn",
        "/Learn?lesson=doubts",
        "text=/As you expected|It came out/",
        1500,
        dark="/Learn?lesson=ambiguity",
        choose=True,
        press="Compute it",
    ),
    *three("shapes", "/Shapes?shape-number=1", _CHART, 1500, dark="/Shapes?shape=digit&shape-number=3"),
    *three("questions", "/Questions", _CHART, 1400),
    *three("listen", "/Listen?made=Dog", "text=Doubt was highest between", 1240, press="Listen"),
    *three("you", "/You?model=toybox-ensemble", "text=What is it?", 1000, press="Begin"),
)
FIRST = ("train", "first", "--name", "first")  # what the page Train has to show
PICTURING = "KEEP_PICTURES"  # of the environment: the curator's afternoon keeps two of its screens
RUNS = "[data-testid=stApp][data-test-script-state=running]"


def take(browser: Browser, address: str, shot: Shot) -> None:
    size = {"width": shot.width, "height": shot.height}
    context = browser.new_context(viewport=size, color_scheme=shot.scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(address + shot.where)
    if shot.choose:
        page.get_by_test_id("stRadio").get_by_role("radiogroup").locator("label").first.click(timeout=120_000)
    if shot.press:
        page.get_by_role("button", name=re.compile(f"^{shot.press}")).click(timeout=120_000)
    page.locator(shot.wait_for).first.wait_for(timeout=120_000)
    for _ in range(2):  # once more: a first answer may have been the first of several
        page.locator(RUNS).wait_for(state="detached", timeout=120_000)
        page.wait_for_timeout(2500)
    keep(page, shot.name)
    context.close()


def keep(page: Page, name: str) -> None:
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(FOLDER / f"{name}.png", optimize=True)


def main(wanted: Sequence[str] = ()) -> None:
    """All of them, or those whose names begin as wanted."""
    FOLDER.mkdir(exist_ok=True)
    port = free_port()
    with tempfile.TemporaryDirectory() as home, sync_playwright() as run:
        if not wanted or "train" in wanted:
            command = [sys.executable, "-m", "core", *FIRST]
            subprocess.run(command, cwd=ROOT, env={**os.environ, "PENUMBRA_HOME": home}, check=True)
        if not wanted or "curating" in wanted:
            afternoon = [sys.executable, "-m", "pytest", "-q", "tests/browser/test_curating.py"]
            subprocess.run(afternoon, cwd=ROOT, env={**os.environ, PICTURING: "1"}, check=True)
        server = start_server(Path(home), port)
        browser = start_browser(run)
        try:
            for shot in SHOTS:
                if not wanted or shot.name.startswith(tuple(wanted)):
                    take(browser, f"http://127.0.0.1:{port}", shot)
        finally:
            browser.close()
            server.terminate()
            server.wait(timeout=10)


if __name__ == "__main__":
    main(sys.argv[1:])
