"""Retention in a real Chromium: the operating point by hand and by key, on all pages; refused items; files; phone."""

from __future__ import annotations

import csv
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import LONG, SHORT, Visitor, again, grip, narrow, pressed, settled, swept

SOUNDS, PICTURES = "model=soundbox-ensemble", "model=toybox-ensemble"


@pytest.fixture
def place(address: str) -> str:
    return address


def opened(page: Page, place: str, query: str) -> Locator:
    """The handle of the operating point, once the chart stands."""
    page.goto(f"{place}/Retention?{query}")
    handle = page.get_by_role("slider", name="share of answers kept")
    expect(handle).to_be_visible(timeout=LONG)
    settled(page)
    return handle


def metric(page: Page, label: str) -> Locator:
    return page.get_by_test_id("stMetric").filter(has_text=label).get_by_test_id("stMetricValue")


def test_arrows_move_the_point_where_they_point_and_other_pages_follow(page: Page, place: str) -> None:
    handle = opened(page, place, f"{PICTURES}&keep=0.5&measure=epistemic")
    expect(metric(page, "Kept")).to_have_text("456 of 912")
    expect(page.get_by_text(re.compile("Keeping the surest 50 % by unfamiliarity raises accuracy"))).to_be_visible()
    pressed(handle, "ArrowRight", "0.49", "0.48", "0.47", "0.46", "0.45")  # the axis falls: to the right fewer are kept
    expect(metric(page, "Kept")).to_have_text("411 of 912")
    expect(handle).to_contain_text("keep 45 %")
    expect(page).to_have_url(re.compile("keep=0.45"))
    settled(page)
    page.get_by_test_id("stTopNavLink").filter(has_text="Retrieve").click()
    expect(page.get_by_role("slider", name="share kept")).to_have_attribute("aria-valuenow", "0.45", timeout=LONG)
    expect(page.get_by_text(re.compile("Keeping the surest 45 % of queries"))).to_be_visible()


def test_dragging_the_point_moves_numbers_and_gallery(page: Page, place: str) -> None:
    handle = opened(page, place, f"{SOUNDS}&keep=0.8")
    expect(page.get_by_text("112 answers are refused: 70 of them are wrong")).to_be_visible(timeout=LONG)

    def drag() -> None:
        x, y = grip(handle)
        swept(page, [[x, y], [x + 186, y]])

    far = re.compile(r"^0\.[1-6]\d?$")
    again(drag, lambda: expect(handle).to_have_attribute("aria-valuenow", far, timeout=SHORT))
    settled(page)
    place_of_it = float(handle.get_attribute("aria-valuenow") or "nan")
    kept = round(560 * place_of_it)
    expect(metric(page, "Kept")).to_have_text(f"{kept} of 560")
    expect(page.get_by_text(re.compile(f"{560 - kept} answers are refused"))).to_be_visible()


def test_a_refused_sound_says_why_and_plays(page: Page, place: str) -> None:
    opened(page, place, SOUNDS)
    cards = page.locator(".st-key-refused-cards")
    expect(cards.get_by_text(re.compile("Unfamiliar|Ambiguous")).first).to_be_visible(timeout=LONG)
    expect(cards.get_by_role("img", name=re.compile("thumbnail of")).first).to_be_visible()
    page.get_by_text("Wrong answers").click()
    expect(cards.get_by_text(re.compile("taken for it at"))).to_have_count(0)
    expect(page.locator("audio")).to_have_count(0)
    cards.get_by_role("button", name="Play").first.click()
    expect(page.locator("audio")).to_have_count(1)
    source = page.locator("audio").get_attribute("src")
    assert source is not None
    assert page.request.get(place + source if source.startswith("/") else source).body().startswith(b"fLaC")


def test_the_curve_is_a_file_with_what_it_stands_on(page: Page, place: str) -> None:
    opened(page, place, f"{PICTURES}&overlay=toybox-mc-dropout")
    expect(page.get_by_text(re.compile("At 80 % kept, Toybox, "))).to_be_visible(timeout=LONG)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="CSV").first.click()
    rows = list(csv.DictReader(waiting.value.path().read_text().splitlines()))
    assert {row["of"] for row in rows} == {"Toybox, Ensemble", "Toybox, MC dropout"}
    assert {row["model"] for row in rows} == {"toybox-ensemble"}
    assert all(row["fingerprint"] and row["date"] for row in rows)
    whole = [float(row["value"]) for row in rows if row["order"] == "total" and row["share_kept"] == "1.0"]
    assert whole[0] == pytest.approx(0.811, abs=1e-3)


def test_classes_and_figures_are_one_tab_away(page: Page, place: str) -> None:
    opened(page, place, PICTURES)
    page.get_by_role("tab", name="Class by class").click()
    expect(page.get_by_text(re.compile("gains most, from .* least is kept of"))).to_be_visible()
    expect(page.get_by_label(re.compile("What is kept, class by class"))).to_be_visible()
    page.get_by_role("tab", name="Figures").click()
    expect(page.get_by_text(re.compile("AUGRC: the mean risk"))).to_be_visible()
    page.get_by_role("tab", name="Is this doubt any good?").click()
    expect(page.get_by_text(re.compile("Looked for: a flat or falling curve"))).to_be_visible()


def test_on_a_phone_it_stacks_and_wears_the_dark_theme(visitor: Visitor, place: str) -> None:
    page = visitor(390, 844, color_scheme="dark", has_touch=True)
    opened(page, place, PICTURES)
    narrow(page)
    drawing = page.locator(".penumbra-plot .drawing").first
    box = drawing.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert 320 <= box["width"] <= 390
    assert drawing.evaluate("graph => graph._fullLayout.font.color") == "#E6EAF0"
