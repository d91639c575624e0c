"""The app in a real Chromium: one server and one browser for all browser tests of a worker."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent.parent
expect.set_options(timeout=30_000)  # a busy machine is no failure
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream"]
QUIET += ["--use-fake-ui-for-media-stream"]


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
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1) as answer:
                if answer.read() == b"ok":
                    return process
        except OSError:
            time.sleep(0.1)
    process.kill()
    raise RuntimeError("the app did not start within 30 seconds")


def start_browser(run: object) -> Browser:
    path = subprocess.run([ROOT / ".requirements/find-chromium"], capture_output=True, text=True, check=True)
    return run.chromium.launch(executable_path=path.stdout.strip(), args=QUIET)  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    server = start_server(tmp_path_factory.mktemp("home"), port)
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait(timeout=10)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as run:
        browser = start_browser(run)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, permissions=["microphone", "camera"])
    page = context.new_page()
    page.set_default_timeout(30_000)
    yield page
    context.close()
