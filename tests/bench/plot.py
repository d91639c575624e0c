"""Our chart against st.plotly_chart, in one browser: ``python -m tests.bench.plot --counts 20000 200000``; JSON out.

A cold page each time. Bytes are those of the web socket; a lasso over the middle is answered when its count is shown.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, WebSocket, sync_playwright

from tests.browser.conftest import free_port, start_browser, start_server


def measure(browser: Browser, address: str, way: str, count: int) -> dict[str, Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(120_000)
    moved = {"in": 0, "out": 0}

    def follow(socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: moved.update({"in": moved["in"] + len(frame)}))
        socket.on("framesent", lambda frame: moved.update(out=moved["out"] + len(frame)))

    page.on("websocket", follow)
    start = time.perf_counter()
    page.goto(f"{address}/?way={way}&count={count}")
    page.wait_for_selector(".js-plotly-plot .modebar", state="attached")
    page.wait_for_function("document.querySelector('.js-plotly-plot')?._fullLayout?._modeBar")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    painted = time.perf_counter() - start
    page.wait_for_timeout(1500)
    drawn = dict(moved)
    box = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    corners = [(x - 60, y - 60), (x + 60, y - 60), (x + 60, y + 60), (x - 60, y + 60)]
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner, steps=3)
    start = time.perf_counter()
    page.mouse.up()
    answer = page.get_by_text(re.compile("^holds [1-9]"))
    answer.wait_for()
    answered = time.perf_counter() - start
    held = int(answer.inner_text().split()[1])
    page.wait_for_timeout(500)
    context.close()
    sizes = {"drawn_bytes": drawn["in"], "reply_bytes": moved["out"] - drawn["out"]}
    return {"way": way, "points": count, **sizes, "painted_s": painted, "answered_s": answered, "held": held}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[20_000, 200_000])
    port = free_port()
    with tempfile.TemporaryDirectory() as home, sync_playwright() as run:
        counts = parser.parse_args().counts
        server = start_server(Path(home), port, "tests/browser/apps/plot_race.py")
        browser = start_browser(run)
        try:
            for count in counts:
                for way in ("component", "streamlit"):
                    print(json.dumps(measure(browser, f"http://127.0.0.1:{port}", way, count)), flush=True)
        finally:
            browser.close()
            server.terminate()
            server.wait(timeout=10)


if __name__ == "__main__":
    main()
