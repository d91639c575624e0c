"""A second map in a real Chromium: opened beside the first, one selection for both, one outline at a time."""

from __future__ import annotations

import re

import numpy as np
from playwright.sync_api import Locator, Page, expect

from core.pipeline.atlas import open_atlas
from core.settings import Settings
from tests.browser.conftest import LONG, SHORT, Visitor, again, narrow, pixels, settled, swept

TOYS = "toybox-ensemble"


def chart(page: Page, place: int) -> Locator:
    return page.locator(".penumbra-plot .drawing").nth(place)


def outlined(page: Page, place: int, points: np.ndarray, mine: np.ndarray) -> int:
    """Draw around some points on one of the charts; how many the page then says are selected."""
    low, high = (points[mine].min(axis=0) - 0.3).tolist(), (points[mine].max(axis=0) + 0.3).tolist()
    x, y = [low[0], high[0], high[0], low[0], low[0]], [low[1], low[1], high[1], high[1], low[1]]
    lines = "graph => (graph.layout.selections || []).length"
    other = chart(page, 1 - place)

    def drawn() -> None:
        expect(page.get_by_role("heading", name=re.compile(r"^\d+ selected$"))).to_be_visible(timeout=SHORT)
        settled(page)
        assert (chart(page, place).evaluate(lines), other.evaluate(lines)) == (1, 0)

    again(lambda: swept(page, pixels(chart(page, place), x, y)), drawn)
    return int(page.get_by_role("heading", name=re.compile(r"^\d+ selected$")).inner_text().split()[0])


def held(points: np.ndarray, mine: np.ndarray) -> int:
    low, high = points[mine].min(axis=0) - 0.3, points[mine].max(axis=0) + 0.3
    return int(((points > low) & (points < high)).all(axis=1).sum())


def test_what_is_selected_on_one_map_is_selected_on_both(visitor: Visitor, address: str) -> None:
    toys = open_atlas("heldout", TOYS, Settings(offline=True))
    other = toys.on(toys.maps[1]).points
    assert toys.points is not None
    assert other is not None
    page = visitor()
    page.goto(f"{address}/Map?model={TOYS}")
    expect(page.locator(".penumbra-plot .gl-canvas").first).to_be_visible(timeout=LONG)
    settled(page)
    page.get_by_text("How far to trust this map").click()
    page.get_by_role("button", name="Show it beside this one").click()
    expect(page.locator(".penumbra-plot .gl-canvas").nth(3)).to_be_visible(timeout=LONG)
    expect(page).to_have_url(re.compile("second="))
    settled(page)
    expect(page.get_by_text("nearest to an item on one map")).to_be_visible()
    boats = np.flatnonzero((np.array(toys.label_names) == "boat") & (toys.right == 1))
    near = boats[np.argsort(np.linalg.norm(toys.points[boats] - np.median(toys.points[boats], 0), axis=1))[:12]]
    count = outlined(page, 0, toys.points, near)
    assert abs(count - held(toys.points, near)) <= 4  # the hand misses by a pixel
    expect(page.get_by_text(f"nearest to each of the {count} selected items on one map")).to_be_visible()
    near = boats[np.argsort(np.linalg.norm(other[boats] - np.median(other[boats], 0), axis=1))[:12]]
    count = outlined(page, 1, other, near)
    assert abs(count - held(other, near)) <= 4
    expect(page.get_by_text(f"nearest to each of the {count} selected items on one map")).to_be_visible()
    page.get_by_role("button", name="Let go").click()
    expect(page.get_by_role("heading", name=f"All {len(toys)}")).to_be_visible()
    phone = visitor(390, 800, color_scheme="dark", has_touch=True)
    phone.goto(page.url)
    expect(phone.locator(".penumbra-plot .gl-canvas").nth(3)).to_be_visible(timeout=LONG)
    narrow(phone)
    first, second = (chart(phone, place).bounding_box() for place in (0, 1))
    assert first
    assert second
    assert first["y"] + first["height"] <= second["y"]
