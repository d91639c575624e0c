"""From a bare clone, offline: the landing page, its doors and examples, and what goes from page to page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import LONG, SHORT, Visitor, again, pressed, settled


@pytest.fixture
def home(page: Page, address: str) -> Page:
    page.goto(address)
    expect(page.get_by_role("slider", name="share of answers kept")).to_be_visible(timeout=LONG)
    settled(page)
    return page


def back_home(page: Page) -> None:
    page.get_by_role("link", name="Home", exact=True).first.click()
    expect(page.get_by_role("slider", name="share of answers kept")).to_be_visible(timeout=LONG)
    settled(page)


def test_doors_and_examples_open_inspect_on_what_the_page_says_they_are(home: Page) -> None:
    for door, sample in (("Listen to one", "Dog"), ("Look at one", "Boat")):
        home.get_by_role("link", name=door).click()
        expect(home.get_by_role("heading", name="Inspect", level=1)).to_be_visible()
        expect(home.get_by_role("heading", name=sample).first).to_be_visible(timeout=LONG)
        back_home(home)
    for place, verdict in enumerate(("Rain or dog: the sound itself is ambiguous", "Unlike anything")):
        home.get_by_role("link", name="Ask a model").nth(place).click()
        expect(home.get_by_text(re.compile(verdict)).first).to_be_visible(timeout=LONG)
        back_home(home)


def test_the_operating_point_is_dragged_by_keyboard_and_follows_to_the_next_page_but_to_no_other_visitor(
    home: Page, visitor: Visitor, address: str
) -> None:
    handle = home.get_by_role("slider", name="share of answers kept")
    before = home.evaluate("history.length")
    pressed(handle, "ArrowRight", *(f"{0.8 - step / 100:.2g}" for step in range(1, 11)))  # choosier
    expect(home.get_by_text(re.compile("Keeping the surest 70 % raises accuracy"))).to_be_visible()
    expect(home).to_have_url(re.compile(r"\?keep=0\.7$"))
    assert home.evaluate("history.length") == before  # Back leaves the page
    other = visitor()
    other.goto(address)
    expect(other.get_by_text("Keeping the surest 80 %")).to_be_visible(timeout=LONG)
    home.get_by_role("link", name="Retention").first.click()
    expect(home.get_by_role("heading", name="Retention", level=1)).to_be_visible()
    expect(home.get_by_text(re.compile("Keeping the surest 70 %"))).to_be_visible(timeout=LONG)
    expect(home).to_have_url(re.compile(r"keep=0\.7"))


def test_a_choice_follows_to_other_pages_and_back_again(page: Page, address: str) -> None:
    page.goto(f"{address}/Retention?model=toybox-laplace&seed=5")
    told = page.get_by_text("Pictures, last layers, learned from Toybox")
    expect(told).to_be_visible(timeout=LONG)
    settled(page)
    page.get_by_role("link", name="Retrieve", exact=True).click()
    expect(page.get_by_role("heading", name="Retrieve", level=1)).to_be_visible()
    expect(page).to_have_url(re.compile("/Retrieve.*model=toybox-laplace&seed=5"))
    expect(told).to_be_visible()
    settled(page)
    back = re.compile("/Retention")
    again(page.go_back, lambda: expect(page).to_have_url(back, timeout=SHORT))  # each choice may have its own step
    expect(page.get_by_role("heading", name="Retention", level=1)).to_be_visible()
    expect(page).to_have_url(re.compile("/Retention.*model=toybox-laplace&seed=5"))
    expect(told).to_be_visible()


def test_the_keyboard_alone_goes_from_page_to_page(home: Page) -> None:
    for title, key in (("Retention", "Tab"), ("Inspect", "Shift+Tab")):
        for _ in range(12):
            home.keyboard.press(key)
            if home.evaluate("document.activeElement.innerText").strip().endswith(title):
                break
        home.keyboard.press("Enter")
        expect(home.get_by_role("heading", name=title, level=1)).to_be_visible()
        settled(home)
