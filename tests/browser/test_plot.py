"""The charts that answer, in a real Chromium: lasso, click, hover, drag, keyboard, recolour, dark, narrow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from core.maps import lasso
from tests.browser.conftest import (
    LONG,
    SHORT,
    Visitor,
    again,
    grip,
    narrow,
    pixels,
    pressed,
    served,
    settled,
    swept,
)

COUNT = 400


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("home"), "tests/browser/apps/plots.py") as address:
        yield address


def cloud() -> tuple[np.ndarray, np.ndarray]:
    """The points of the page, made once more."""
    x, y = np.random.default_rng(0).normal(size=(2, COUNT)).astype(np.float32)
    x[:3], y[:3] = (-4, 0, 4), (4, -4, 4)
    return x, y


def opened(page: Page, place: str) -> Page:
    page.goto(place)
    expect(page.locator(".penumbra-plot .modebar-btn[aria-label]").first).to_be_attached(timeout=LONG)
    expect(page.locator(".penumbra-plot .main-svg .xaxislayer-above, .penumbra-plot .gl-canvas")).not_to_have_count(0)
    expect(page.locator(".penumbra-plot .handle")).to_have_count(3)
    expect(page.locator(".penumbra-plot .handle:visible")).to_have_count(1)
    settled(page)
    return page


def drawing(page: Page, chart: int) -> Locator:
    return page.locator(".penumbra-plot .drawing").nth(chart)


TRIANGLE = [(-1.5, -1.0), (1.5, -1.2), (0.2, 1.6)]


def drawn(page: Page, chart: int, name: str) -> list[int]:
    """Draw the triangle, until the page says what it holds."""
    x, y = ([corner[axis] for corner in (*TRIANGLE, TRIANGLE[0])] for axis in (0, 1))
    again(lambda: swept(page, pixels(drawing(page, chart), x, y)), lambda: held(page, name, timeout=SHORT))
    settled(page)
    return held(page, name)


def held(page: Page, name: str, timeout: int = 30_000) -> list[int]:
    line = page.get_by_text(re.compile(rf"^{name} holds [1-9]"))
    expect(line).to_be_visible(timeout=timeout)
    return [int(part) for part in line.inner_text().partition(":")[2].split()]


def test_a_lasso_holds_the_points_inside_it_and_the_other_chart_stays_as_it_was(page: Page, place: str) -> None:
    opened(page, place)
    found = drawn(page, 0, "one")
    x, y = cloud()
    grown, shrunk = ([(a * s, b * s) for a, b in TRIANGLE] for s in (1.08, 0.92))  # the hand misses by some pixels
    certain = np.flatnonzero(lasso.inside(shrunk, x, y))[:40]
    possible = set(np.flatnonzero(lasso.inside(grown, x, y)).tolist())
    assert set(found) <= possible
    assert len(found) == 40
    assert set(certain[certain <= max(found)].tolist()) <= set(found)
    expect(page.get_by_text("two holds 0:")).to_be_visible()


def test_recolouring_keeps_lasso_and_zoom_and_moved_points_drop_them(page: Page, place: str) -> None:
    opened(page, place)
    before = drawn(page, 0, "one")
    ranges = "graph => [graph._fullLayout.xaxis.range, graph.layout.selections.length]"
    start = drawing(page, 0).evaluate(ranges)
    drawing(page, 0).get_by_role("button", name="Zoom in").click()
    page.wait_for_function(f"document.querySelector('.drawing')._fullLayout.xaxis.range[1] < {start[0][1]}")
    settled(page)
    kept = drawing(page, 0).evaluate(ranges)
    page.get_by_text("class", exact=True).click()
    expect(drawing(page, 0)).to_contain_text("rooster")
    settled(page)
    assert drawing(page, 0).evaluate(ranges) == kept
    assert kept[1] == 1
    assert held(page, "one") == before
    page.get_by_text("Mirror").click()
    expect(page.get_by_text("one holds 0:")).to_be_visible()
    expect(page.get_by_text("one clicked None hovered None outlines 0")).to_be_visible()


def test_a_click_and_the_pointer_answer_with_the_id(page: Page, place: str) -> None:
    opened(page, place)
    spot = pixels(drawing(page, 1), [4.0], [4.0])[0]

    def point() -> None:
        page.mouse.move(spot[0] - 3, spot[1])
        page.mouse.move(*spot, steps=3)

    def told(line: str) -> Callable[[], None]:
        return lambda: expect(page.get_by_text(line)).to_be_visible(timeout=SHORT)

    again(point, told("two clicked None hovered id-2"))
    again(lambda: page.mouse.click(*spot), told("two clicked id-2"))
    expect(page.get_by_text("one clicked None hovered None")).to_be_visible()
    again(lambda: page.mouse.move(5, 5, steps=3), told("two clicked id-2 hovered None"))


def test_escape_lets_go_of_the_lasso_and_arrows_walk_the_points(page: Page, place: str) -> None:
    opened(page, place)
    drawn(page, 0, "one")
    drawing(page, 0).press("Escape")
    expect(page.get_by_text("one holds 0:")).to_be_visible()
    settled(page)

    def walk() -> None:
        drawing(page, 0).press("ArrowRight")
        expect(page.locator(".cursor").first).to_be_visible()
        for _ in range(60):  # to the right end; id-2 stands alone above it
            page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")

    again(walk, lambda: expect(page.get_by_text("one clicked id-")).to_be_visible(timeout=SHORT))


def test_the_operating_point_is_dragged_and_says_its_value(page: Page, place: str) -> None:
    opened(page, place)
    handle = page.get_by_role("slider", name="share kept")

    def drag() -> None:
        start = grip(handle)
        swept(page, [start, pixels(drawing(page, 2), [0.4], [0.9])[0]])

    moved = page.get_by_text("kept 0.40 dragged 0.4", exact=True)
    again(drag, lambda: expect(moved).to_be_visible(timeout=SHORT))
    expect(handle).to_have_attribute("aria-valuenow", "0.4")
    expect(handle).to_contain_text("keep 40 %: 97.6 % right")
    page.get_by_role("button", name="Keep half").click()  # set elsewhere: the handle follows
    expect(handle).to_have_attribute("aria-valuenow", "0.5")


def test_arrow_keys_move_the_operating_point(page: Page, place: str) -> None:
    opened(page, place)
    handle = page.get_by_role("slider", name="share kept")
    pressed(handle, "ArrowLeft", "0.79", "0.78")
    expect(page.get_by_text("kept 0.78 dragged 0.78")).to_be_visible()
    pressed(handle, "PageDown", "0.68")
    expect(page.get_by_text("kept 0.68 dragged 0.68")).to_be_visible()
    pressed(handle, "End", "1")
    expect(page.get_by_text("kept 1.00 dragged 1")).to_be_visible()
    expect(handle).to_have_css("outline-style", "solid")


def test_downloads_are_a_png_and_an_svg_reachable_by_keyboard(page: Page, place: str) -> None:
    opened(page, place)
    for kind, start in (("PNG", b"\x89PNG"), ("SVG", b"<svg")):
        with page.expect_download() as waiting:
            page.locator(".penumbra-plot").nth(2).get_by_role("button", name=f"Download {kind}").press("Enter")
        assert waiting.value.path().read_bytes().startswith(start)
        assert waiting.value.suggested_filename == f"curve.{kind.lower()}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_charts_stack_and_fit_and_wear_the_theme(visitor: Visitor, place: str, scheme: str) -> None:
    page = opened(visitor(390, 800, color_scheme=scheme, has_touch=True), place)
    narrow(page)
    boxes = [drawing(page, chart).bounding_box() for chart in range(3)]
    assert all(box and box["x"] >= 0 and 320 <= box["width"] <= 390 for box in boxes)
    assert boxes[0]
    assert boxes[1]
    assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"]
    ink = drawing(page, 2).evaluate("graph => graph._fullLayout.font.color")
    assert ink == {"light": "#1B2430", "dark": "#E6EAF0"}[scheme]


def test_every_chart_says_what_it_shows(page: Page, place: str) -> None:
    opened(page, place)
    expect(page.get_by_role("application", name="Map one of 400 points")).to_be_visible()
    expect(page.get_by_role("button", name="Share chart")).to_have_count(0)  # nothing is uploaded
    expect(page.get_by_role("figure", name="Accuracy against share kept")).to_be_visible()


def test_a_second_visit_does_not_fetch_the_drawing_program_again(page: Page, place: str) -> None:
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    for _ in range(2):
        opened(page, place)
    scripts = [url for url in fetched if "plotly.min.js" in url and not url.startswith("blob:")]
    assert len(scripts) == 1
    assert re.search(r"\?v=\d+\.\d+", scripts[0])


def test_a_finger_scrolls_until_it_has_picked_the_lasso(visitor: Visitor, place: str) -> None:
    page = opened(visitor(390, 844, has_touch=True, is_mobile=True), place)
    wire = page.context.new_cdp_session(page)

    def touch(kind: str, *spots: list[float]) -> None:
        points = [{"x": left, "y": top} for left, top in spots]
        wire.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
        page.wait_for_timeout(20)

    def stroke() -> None:
        x, y = ([corner[axis] for corner in TRIANGLE] for axis in (0, 1))
        path = pixels(drawing(page, 0), x, y)
        touch("Start", path[0])
        for (left, top), (right, low) in pairwise(path):
            for step in range(1, 9):
                touch("Move", [left + (right - left) * step / 8, top + (low - top) * step / 8])
        touch("End")

    stroke()
    settled(page)
    expect(page.get_by_text("one holds 0:")).to_be_visible()
    drawing(page, 0).get_by_role("button", name="Lasso Select").tap()
    again(stroke, lambda: held(page, "one", timeout=SHORT))
    assert len(held(page, "one")) == 40


def test_the_keyboard_passes_through_a_chart_and_its_tools(page: Page, place: str) -> None:
    opened(page, place)
    drawing(page, 2).focus()
    passed: list[str] = []
    for _ in range(12):
        page.keyboard.press("Tab")
        passed.append(
            page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.innerText")
        )
        if passed[-1] == "Keep half":
            break
    assert passed[0] == "Zoom"
    assert passed[-3:] == ["Download SVG", "share kept", "Keep half"]
    drawing(page, 2).get_by_role("button", name="Pan").press("Enter")
    page.wait_for_function("document.querySelectorAll('.penumbra-plot .drawing')[2]._fullLayout.dragmode === 'pan'")
