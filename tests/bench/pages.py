"""Start to the first page, and from page to page, in a real browser: ``python -m tests.bench.pages``; JSON out.

A page is there when its heading is and its run has ended; what is drawn later (a map's points) is measured by
``tests.bench.plot``. The server is new, its home that of a bare clone; each page is visited once before it is timed.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, expect, sync_playwright

from core.ui.shell import page_files
from tests.browser.conftest import free_port, start_browser, start_server, stop_server

THERE = """name => document.querySelector('h1')?.innerText.includes(name) &&
    document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'"""


def there(page: Page, name: str) -> None:
    page.wait_for_function(THERE, arg=name)


def changes(page: Page, names: list[str], rounds: int) -> dict[str, list[float]]:
    """Seconds from the click on a page's link until it is there; the first round only warms up."""
    found: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for name in names:
            link = page.get_by_role("link", name=name, exact=True).first
            expect(link).to_be_visible()
            begin = time.perf_counter()
            link.click()
            there(page, name)
            if number:
                found[name].append(time.perf_counter() - begin)
            page.wait_for_timeout(1500)  # until it has drawn what it shows
    return found


def figures(seconds: list[float]) -> dict[str, float]:
    return {"p50": round(float(np.median(seconds)), 3), "p95": round(float(np.quantile(seconds, 0.95)), 3)}


def measured(rounds: int) -> dict[str, Any]:
    names = [file.address for file in page_files()][1:]
    with tempfile.TemporaryDirectory() as home, sync_playwright() as run:
        browser, port = start_browser(run), free_port()
        begin = time.perf_counter()
        server = start_server(Path(home), port)
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(120_000)
        page.goto(f"http://127.0.0.1:{port}")
        page.wait_for_function("document.querySelector('h1')")
        first = time.perf_counter() - begin
        page.wait_for_timeout(3000)
        try:
            found = changes(page, names, rounds)
        finally:
            stop_server(server)
            browser.close()
    return {
        "load": [round(value, 2) for value in os.getloadavg()],
        "start to first page": round(first, 2),
        "page change": {name: figures(values) for name, values in found.items()},
        "all": figures([value for values in found.values() for value in values]),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=10)
    print(json.dumps(measured(options.parse_args().rounds), indent=2))


if __name__ == "__main__":
    main()
