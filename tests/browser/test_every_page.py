"""axe-core over every page: no serious finding that a bare Streamlit page does not have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page, expect

from core.ui.shell import page_files
from tests.browser.conftest import free_port, start_server

pytestmark = pytest.mark.browser
AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
SERIOUS = {"serious", "critical"}
OF_STREAMLIT: set[str] = set()  # rules that the bare page breaks seriously: none, in our theme
FULL = ("Inspect?from=Samples&sample=Dog",)  # pages with an answer on them


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    server = start_server(tmp_path_factory.mktemp("home"), port, "tests/browser/apps/bare.py")
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait(timeout=10)


def settled(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    app = page.locator("[data-testid=stApp][data-test-script-state=notRunning]")
    expect(app).to_have_count(1, timeout=90_000)
    page.wait_for_timeout(1000)  # what was faded while the page ran is back
    expect(app).to_have_count(1, timeout=90_000)


def findings(page: Page) -> dict[str, list[str]]:
    """Serious findings: rule -> the elements."""
    page.add_script_tag(path=AXE)
    told: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return {
        one["id"]: [node["html"][:200] for node in one["nodes"]]
        for one in told["violations"]
        if one["impact"] in SERIOUS
    }


def opened(browser: Browser, where: str, scheme: Literal["light", "dark"] = "light") -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme).new_page()
    page.set_default_timeout(60_000)
    page.goto(where)
    settled(page)
    return page


def test_what_a_bare_page_has_is_listed(browser: Browser, bare: str) -> None:
    page = opened(browser, bare)
    assert set(findings(page)) == OF_STREAMLIT
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("where", [*(file.address for file in page_files()), *FULL])
def test_no_page_has_a_serious_finding_of_its_own(
    browser: Browser, address: str, where: str, scheme: Literal["light", "dark"]
) -> None:
    page = opened(browser, f"{address}/{where}", scheme)
    found = findings(page)
    page.context.close()
    assert {rule: found[rule] for rule in set(found) - OF_STREAMLIT} == {}


def test_a_finding_would_be_found(browser: Browser, bare: str) -> None:
    page = opened(browser, bare)
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x><button></button>')")
    assert {"image-alt", "button-name"} <= set(findings(page))
    page.context.close()
