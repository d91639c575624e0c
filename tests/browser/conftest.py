"""The app in a real Chromium: servers, visitors, and how a test waits for what it has done.

A test waits for a state, never for a time: `settled` for the end of every run, `expect` for what a person would see,
`again` for a gesture that a chart or list which is just being drawn anew would lose.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as PageTimeout

from tests.patience import SECONDS

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LONG = 300_000  # ms: the worker loads its libraries once, on cores that may be busy
SHORT = 10_000  # ms: a gesture that led to nothing by then was lost
USUAL = 120_000  # ms: a busy machine is no failure
expect.set_options(timeout=USUAL)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream"]
QUIET += ["--use-fake-ui-for-media-stream"]
# Without a graphics card a turning wheel takes a tenth of a core, for as long as a test waits for what it announces.
UNMOVED = """addEventListener('DOMContentLoaded', () => {
    const style = document.createElement('style');
    style.textContent = '*, ::before, ::after { animation: none !important; transition: none !important }';
    document.head.append(style);
})"""
STILL = """() => {
    const app = document.querySelector('[data-testid=stApp]'), now = performance.now();
    if (!app || app.dataset.testScriptState !== 'notRunning') window.stillSince = null;
    else window.stillSince ??= now;
    return window.stillSince !== null && now - window.stillSince > 300;
}"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of this folder are marked `browser`, and each has one second try.

    Between a press and what it changes stand a browser, a server and a worker on cores that others use too: a lost
    press says nothing about the app. What fails twice is broken. The summary lists every second try, so that a test
    which needs them is seen and mended. No other test has one: it would hide a fault.
    """
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.flaky(reruns=1))


# ---- servers ----


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_server(home: Path, port: int, script: str = "app.py") -> subprocess.Popen[bytes]:
    """The app as `streamlit run app.py` starts it, on its own port and data folder; returns when it answers."""
    words = ["-m", "streamlit", "run", script, "--server.port", str(port), "--server.headless", "true"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PENUMBRA_")}
    process = subprocess.Popen(
        [sys.executable, *words, "--server.address", "127.0.0.1"],
        cwd=ROOT,
        env={**own, "PENUMBRA_HOME": str(home), "PENUMBRA_OFFLINE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5) as answer:
                if answer.read() == b"ok":
                    return process
        except OSError:
            time.sleep(0.1)
    process.kill()
    raise RuntimeError(f"the app did not start: {process.wait(timeout=10)}")


def stop_server(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(timeout=30)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait(timeout=30)


@contextlib.contextmanager
def served(home: Path, script: str = "app.py") -> Iterator[str]:
    """The address of a server of one's own."""
    port = free_port()
    server = start_server(home, port, script)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        stop_server(server)


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One server for all tests of a worker that keep nothing in its home: it stays that of a bare clone."""
    with served(tmp_path_factory.mktemp("home")) as place:
        yield place


# ---- visitors ----


def start_browser(run: object) -> Browser:
    path = subprocess.run([ROOT / ".requirements/find-chromium"], capture_output=True, text=True, check=True)
    return run.chromium.launch(executable_path=path.stdout.strip(), args=QUIET)  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as run:
        browser = start_browser(run)
        yield browser
        browser.close()


Visitor = Callable[..., Page]


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    """Somebody new, with a browser window of their own: `visitor(width, height, color_scheme="dark")`."""
    windows = []

    def come(width: int = 1280, height: int = 900, **more: Any) -> Page:
        windows.append(browser.new_context(viewport={"width": width, "height": height}, **more))
        windows[-1].set_default_timeout(USUAL)
        windows[-1].add_init_script(UNMOVED)
        return windows[-1].new_page()

    yield come
    for window in windows:
        window.close()


@pytest.fixture
def page(visitor: Visitor) -> Page:
    return visitor(permissions=["microphone", "camera"])


# ---- waiting ----


def settled(page: Page) -> None:
    """No run is under way, nor was one for a moment: what stands there stays."""
    page.evaluate("window.stillSince = null")
    page.wait_for_function(STILL, timeout=LONG)


def again(act: Callable[[], object], seen: Callable[[], object], tries: int = 6) -> None:
    """The gesture, until what it leads to is seen: ``seen`` expects it within SHORT."""
    for left in reversed(range(tries)):
        act()
        try:
            seen()
        except (AssertionError, PageTimeout):
            if not left:
                raise
        else:
            return


def pressed(handle: Locator, key: str, *values: str, attribute: str = "aria-valuenow") -> None:
    """The key, once a value: each press follows what the one before it led to."""
    for value in values:
        handle.press(key)
        expect(handle).to_have_attribute(attribute, value)


NARROW = """width => document.scrollingElement.scrollWidth <= width &&
    [...document.querySelectorAll('[data-testid=stMain]')].every(part => part.scrollWidth <= part.clientWidth)"""


def narrow(page: Page, width: int = 390, within: int = USUAL) -> None:
    """Nothing has to be scrolled sideways, neither the window nor the part of it that Streamlit scrolls."""
    settled(page)
    page.wait_for_function(NARROW, arg=width, timeout=within)


def swept(page: Page, path: list[list[float]]) -> None:
    """The pointer, pressed, along a path."""
    page.mouse.move(*path[0])
    page.mouse.down()
    for spot in path[1:]:
        page.mouse.move(*spot, steps=6)
    page.mouse.up()


def grip(handle: Locator) -> list[float]:
    """Where a handle of a chart is held."""
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    assert box is not None
    return [box["x"] + 14, box["y"] + box["height"] / 2]


PIXELS = """(graph, [x, y]) => {
    const {xaxis, yaxis} = graph._fullLayout, box = graph.getBoundingClientRect();
    return x.map((_, i) => [box.left + xaxis._offset + xaxis.l2p(x[i]), box.top + yaxis._offset + yaxis.l2p(y[i])]);
}"""


def pixels(drawing: Locator, x: list[float], y: list[float]) -> list[list[float]]:
    """Where in the window points of a chart are."""
    drawing.scroll_into_view_if_needed()
    return drawing.evaluate(PIXELS, [x, y])
