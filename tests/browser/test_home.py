"""From a bare clone, offline: the landing page and its doors, and something real on every page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from core.ui.shell import page_files
from tests.browser.conftest import ROOT

pytestmark = pytest.mark.browser
REAL = ".penumbra-plot .drawing svg, [data-testid=stPlotlyChart] svg, [data-testid=stImage] img, audio"


@pytest.fixture
def home(page: Page, address: str) -> Page:
    page.goto(address)
    expect(page.get_by_role("slider", name="share of answers kept")).to_be_visible(timeout=60_000)
    return page


@pytest.mark.parametrize("file", page_files(), ids=lambda file: file.address)
def test_a_bare_clone_shows_something_real_on_every_page(page: Page, address: str, file: Any) -> None:
    """Or, where a visitor's file is what it is about, a button that shows it."""
    page.goto(f"{address}/{file.address}")
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_have_count(1, timeout=90_000)
    offer = page.get_by_role("button", name=re.compile("sample", re.IGNORECASE))
    expect(page.locator(REAL).or_(offer).first).to_be_visible(timeout=60_000)
    assert page.get_by_test_id("stAlertContentError").count() == 0
    assert page.get_by_test_id("stException").count() == 0
    assert not re.search(rf"Traceback|{re.escape(str(ROOT))}", page.content())


@pytest.mark.parametrize("door", ["Listen to one", "Look at one"])
def test_a_door_opens_inspect_on_something_real(home: Page, door: str) -> None:
    home.get_by_role("link", name=door).click()
    expect(home.get_by_role("heading", name="Inspect", level=1)).to_be_visible()
    expect(home.get_by_role("heading", name=re.compile("Dog|Boat")).first).to_be_visible(timeout=90_000)


@pytest.mark.parametrize(
    ("place", "verdict"), [(0, "Rain or dog: the sound itself is ambiguous"), (1, "Unlike anything")]
)
def test_the_examples_of_doubt_are_what_the_page_says_they_are(home: Page, place: int, verdict: str) -> None:
    home.get_by_role("link", name="Ask a model").nth(place).click()
    expect(home.get_by_text(re.compile(verdict)).first).to_be_visible(timeout=120_000)


def test_the_operating_point_is_dragged_by_keyboard_and_follows_to_the_next_page(home: Page) -> None:
    handle = home.get_by_role("slider", name="share of answers kept")
    before = home.evaluate("history.length")
    handle.focus()
    for _ in range(10):
        handle.press("ArrowRight")  # choosier
    expect(home.get_by_text(re.compile("Keeping the surest 70 % raises accuracy"))).to_be_visible()
    expect(home).to_have_url(re.compile(r"\?keep=0\.7$"))
    assert home.evaluate("history.length") == before  # Back leaves the page
    home.get_by_role("link", name="Retention").first.click()
    expect(home.get_by_role("heading", name="Retention", level=1)).to_be_visible()
    expect(home.get_by_text(re.compile("Keeping the surest 70 %"))).to_be_visible(timeout=60_000)
    expect(home).to_have_url(re.compile(r"keep=0\.7"))


def test_what_one_visitor_chooses_is_no_other_ones(home: Page, browser: Browser, address: str) -> None:
    handle = home.get_by_role("slider", name="share of answers kept")
    handle.focus()
    handle.press("Home")
    expect(home.get_by_text("Keeping the surest 5")).to_be_visible()
    other = browser.new_context().new_page()
    other.goto(address)
    expect(other.get_by_text("Keeping the surest 80 %")).to_be_visible(timeout=60_000)
    other.context.close()


def test_a_choice_follows_to_other_pages_and_back_again(page: Page, address: str) -> None:
    page.goto(f"{address}/Retention?model=toybox-laplace&seed=5")
    told = page.get_by_text("Pictures, last layers, learned from Toybox")
    expect(told).to_be_visible()
    page.get_by_role("link", name="Retrieve", exact=True).click()
    expect(page.get_by_role("heading", name="Retrieve", level=1)).to_be_visible()
    expect(page).to_have_url(re.compile("/Retrieve.*model=toybox-laplace&seed=5"))
    expect(told).to_be_visible()
    page.wait_for_timeout(500)
    while "/Retrieve" in page.url:
        page.go_back()
        page.wait_for_timeout(500)
    expect(page.get_by_role("heading", name="Retention", level=1)).to_be_visible()
    expect(page).to_have_url(re.compile("/Retention.*model=toybox-laplace&seed=5"))
    expect(told).to_be_visible()


@pytest.mark.parametrize("file", page_files(), ids=lambda file: file.address)
def test_no_page_scrolls_sideways_on_a_phone(browser: Browser, address: str, file: Any) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(f"{address}/{file.address}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_have_count(1, timeout=90_000)
    wide = page.evaluate("document.scrollingElement.scrollWidth")
    context.close()
    assert wide <= 390


def test_the_keyboard_alone_goes_from_page_to_page(home: Page) -> None:
    for title, key in (("Retention", "Tab"), ("Map", "Shift+Tab")):
        for _ in range(12):
            home.keyboard.press(key)
            if home.evaluate("document.activeElement.innerText").strip().endswith(title):
                break
        home.keyboard.press("Enter")
        expect(home.get_by_role("heading", name=title, level=1)).to_be_visible()
