"""Every page, as a visitor of a bare clone meets it without internet: something real is on it, nothing is an error,
a phone needs no sideways scrolling, and axe-core has no serious finding that a bare Streamlit page does not have.

Two visitors go through all pages, one with a wide screen and the dark theme, one with a phone and the light theme: each
in one window, which loads Streamlit's programs once. Inspect with an answer on it is looked at in both themes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import TimeoutError as PageTimeout

from core.ui.shell import PageFile, page_files
from tests.browser.conftest import LONG, ROOT, SHORT, UNMOVED, narrow, served, settled

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
DARK = "rgb(17, 22, 29)"
SERIOUS = {"serious", "critical"}
OF_STREAMLIT: set[str] = set()  # rules that the bare page breaks seriously: none, in our theme
PAGES = page_files()
FULL = "Inspect?from=Samples&sample=Dog"
REAL = ".penumbra-plot .drawing svg, [data-testid=stPlotlyChart] svg, [data-testid=stImage] img, audio"
TURN = "where => { history.pushState(null, '', where); dispatchEvent(new PopStateEvent('popstate')); }"
MOVES = """() => !document.querySelector('[data-stale=true]') && document.getAnimations().every(one =>
    one.playState !== 'running' || one.effect?.getComputedTiming().iterations === Infinity)"""


@pytest.fixture(scope="module")
def bare(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with served(tmp_path_factory.mktemp("home"), "tests/browser/apps/bare.py") as address:
        yield from opened(browser, address, "light")


def opened(browser: Browser, where: str, scheme: str, width: int = 1280) -> Iterator[Page]:
    window = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    window.add_init_script(UNMOVED)
    page = window.new_page()
    page.set_default_timeout(LONG)
    page.goto(where)
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=LONG)
    settled(page)
    yield page
    window.close()


@pytest.fixture(scope="module")
def screen(browser: Browser, address: str) -> Iterator[Page]:
    yield from opened(browser, address, "dark")


@pytest.fixture(scope="module")
def handheld(browser: Browser, address: str) -> Iterator[Page]:
    yield from opened(browser, address, "light", 390)


def turned(page: Page, file: PageFile) -> Page:
    """To another page, as Back and Forward go."""
    head, where = page.get_by_role("heading", level=1), "/" if file == PAGES[0] else f"/{file.address}"
    if page.evaluate("location.pathname") != where:
        before = head.inner_text()
        page.evaluate(TURN, where)
        expect(head).not_to_have_text(before, timeout=LONG)
    settled(page)
    return page


@pytest.fixture(scope="module", params=PAGES, ids=lambda file: file.title)
def wide(screen: Page, request: pytest.FixtureRequest) -> Page:
    return turned(screen, request.param)


@pytest.fixture(scope="module", params=PAGES, ids=lambda file: file.title)
def phone(handheld: Page, request: pytest.FixtureRequest) -> Page:
    return turned(handheld, request.param)


def findings(page: Page) -> dict[str, list[str]]:
    """Serious findings: rule -> the elements. What is drawn anew is pale for a moment, and not looked at."""
    settled(page)
    page.wait_for_function(MOVES)
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(content=AXE)
    told: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return {
        one["id"]: [node["html"][:200] for node in one["nodes"]]
        for one in told["violations"]
        if one["impact"] in SERIOUS
    }


def own(page: Page) -> dict[str, list[str]]:
    found = findings(page)
    return {rule: found[rule] for rule in set(found) - OF_STREAMLIT}


def test_a_bare_clone_shows_something_real_on_every_page(wide: Page) -> None:
    """Or, where a visitor's file is what it is about, a button that shows it."""
    offer = wide.get_by_role("button", name=re.compile("sample|^Train it$", re.IGNORECASE))
    expect(wide.locator(REAL).or_(offer).first).to_be_visible(timeout=LONG)
    settled(wide)
    assert wide.get_by_test_id("stAlertContentError").count() == 0
    assert wide.get_by_test_id("stException").count() == 0
    assert not re.search(rf"Traceback|{re.escape(str(ROOT))}", wide.content())


def test_no_page_has_a_serious_finding_of_its_own(wide: Page) -> None:
    """Nor anything white on the light main colour of the dark theme, as Streamlit writes there by itself."""
    expect(wide.get_by_test_id("stApp")).to_have_css("background-color", DARK)
    for bright in wide.locator("[data-testid=stBaseButton-primary]:enabled, [data-tag]").all():
        expect(bright).to_have_css("color", DARK)
    assert own(wide) == {}


def test_no_page_scrolls_sideways_on_a_phone(phone: Page) -> None:
    narrow(phone)


def test_no_page_has_a_serious_finding_of_its_own_on_a_phone(phone: Page) -> None:
    assert own(phone) == {}


def test_an_answer_has_no_serious_finding(browser: Browser, address: str) -> None:
    for page in opened(browser, f"{address}/{FULL}", "light"):
        expect(page.get_by_role("tab", name="Why").first).to_be_visible(timeout=LONG)
        assert own(page) == {}, "in the light theme"
        page.emulate_media(color_scheme="dark")
        expect(page.get_by_test_id("stApp")).to_have_css("background-color", DARK)
        assert own(page) == {}, "in the dark theme"


def test_what_a_bare_page_has_is_listed_and_a_finding_would_be_found(bare: Page) -> None:
    assert set(findings(bare)) == OF_STREAMLIT
    bare.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x><button></button>')")
    assert {"image-alt", "button-name"} <= set(findings(bare))


def test_a_page_that_is_too_wide_would_be_found(bare: Page) -> None:
    bare.reload()
    bare.set_viewport_size({"width": 390, "height": 900})
    expect(bare.get_by_role("heading", level=1)).to_be_visible(timeout=LONG)
    narrow(bare)
    wider = "<div style='width: 900px'>x</div>"
    bare.get_by_test_id("stMainBlockContainer").evaluate(f'node => node.insertAdjacentHTML("beforeend", "{wider}")')
    with pytest.raises(PageTimeout):
        narrow(bare, within=SHORT)
