"""Retrieve in a real Chromium: answered and refused queries, an upload, its own recording, the link, the phone."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from core.pipeline.atlas import Atlas, open_atlas, read_item
from core.settings import Settings
from tests.browser.conftest import LONG, ROOT, Visitor, narrow, pressed, settled

MODEL = "toybox-ensemble"


@pytest.fixture
def place(address: str) -> str:
    return address


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("own"), checkpoints=ROOT / "checkpoints", offline=True)


@pytest.fixture(scope="module")
def atlas(own: Settings) -> Atlas:
    return open_atlas("heldout", MODEL, own)


def opened(page: Page, place: str, query: str) -> None:
    page.goto(f"{place}/Retrieve?model={MODEL}&{query}")
    expect(page.get_by_role("heading", name="How far retrieval here can be trusted")).to_be_visible(timeout=LONG)
    settled(page)


def test_a_sure_query_is_answered_and_a_doubtful_one_refused(page: Page, place: str, atlas: Atlas) -> None:
    sure, doubtful = (atlas.ids[int(order(atlas.doubts["total"]))] for order in (np.argmin, np.argmax))
    opened(page, place, f"query={sure}&safe=True&risk=10&k=4")
    expect(page.get_by_text(re.compile("with 90 % confidence at most 10 % of these"))).to_be_visible()
    expect(page.get_by_text(re.compile("of 4 share the label"))).to_be_visible()
    opened(page, place, f"query={doubtful}&safe=True&risk=10&k=4")
    expect(page.get_by_text("Not answered.")).to_be_visible()
    expect(page.get_by_text(re.compile("a risk of 10% allows at most|a risk of 10 % allows at most"))).to_be_visible()
    expect(page.get_by_text("The least unsafe alternatives")).to_be_visible()
    expect(page.get_by_role("button", name="Ask with this")).to_have_count(4)


def test_a_result_becomes_the_query_and_the_link_keeps_it(page: Page, place: str, atlas: Atlas) -> None:
    opened(page, place, "k=3&keep=0.9")
    expect(page.get_by_role("button", name="Ask with this")).to_have_count(3)
    found = page.get_by_role("img", name=re.compile("^thumbnail of (?!the query)"))
    wanted = (found.first.get_attribute("alt") or "").removeprefix("thumbnail of ")
    assert wanted in atlas.ids
    page.get_by_role("button", name="Ask with this").first.click()
    expect(page).to_have_url(re.compile(f"query={re.escape(wanted)}"))
    expect(page.get_by_role("combobox", name=re.compile("^Item"))).to_have_value(re.compile(re.escape(wanted)))
    expect(page.get_by_role("img", name=f"thumbnail of {wanted}", exact=True)).to_have_count(0)  # it left the results
    settled(page)
    expect(page.get_by_text(re.compile("Left out: the query and whatever is of its scene"))).to_be_visible()
    page.get_by_text("Let it find its own scene").click()
    expect(page.get_by_text(re.compile(r"Left out: the query itself \(1\)"))).to_be_visible()
    expect(page.get_by_text(re.compile("Neighbours of the same scene count"))).to_be_visible()


def test_an_uploaded_picture_is_asked_and_known_for_a_stored_one(
    page: Page, place: str, atlas: Atlas, own: Settings
) -> None:
    opened(page, place, "ask-with=File&k=3")
    expect(page.get_by_text("Drop a file above")).to_be_visible()
    stored = atlas.ids[100]
    raw = read_item(atlas, stored, own)
    page.locator("input[type=file]").first.set_input_files(
        [{"name": "mine.png", "mimeType": "image/png", "buffer": raw}]  # type: ignore[list-item]
    )
    expect(page.get_by_text("This file is one of the stored items")).to_be_visible(timeout=LONG)
    expect(page.get_by_role("img", name="thumbnail of the query")).to_be_visible()
    expect(page.get_by_role("img", name=f"thumbnail of {stored}", exact=True)).to_have_count(0)
    expect(page.get_by_role("button", name="Ask with this")).to_have_count(3)
    page.locator("input[type=file]").first.set_input_files(
        [{"name": "bad.png", "mimeType": "image/png", "buffer": b"\x7fELF" + bytes(300)}]  # type: ignore[list-item]
    )
    alert = page.get_by_test_id("stAlert").filter(has_not_text="Drop a file")
    expect(alert).to_have_count(1)
    assert not re.search(r"Traceback|/core/|Error:", alert.inner_text())
    page.locator("input[type=file]").first.set_input_files(
        [{"name": "mine.png", "mimeType": "image/png", "buffer": raw}]  # type: ignore[list-item]
    )
    page.get_by_role("button", name="Ask with this").first.click()  # leads from the file back to the stored items
    expect(page.get_by_role("combobox", name=re.compile("^Item"))).to_be_visible()
    expect(page.locator("input[type=file]")).to_have_count(0)


def test_two_visitors_never_see_each_others_query(visitor: Visitor, place: str, atlas: Atlas, own: Settings) -> None:
    pages = {atlas.ids[row]: visitor() for row in (40, 400)}
    for stored, page in pages.items():
        opened(page, place, "ask-with=File&k=3")
        given = {"name": f"secret-{stored}.png", "mimeType": "image/png", "buffer": read_item(atlas, stored, own)}
        page.locator("input[type=file]").first.set_input_files([given])  # type: ignore[list-item]
    seen = []
    for stored, page in pages.items():
        expect(page.get_by_text("This file is one of the stored items")).to_be_visible(timeout=LONG)
        expect(page.get_by_role("button", name="Ask with this")).to_have_count(3)
        (other,) = pages.keys() - {stored}
        settled(page)
        assert f"secret-{stored}" in page.content()
        assert f"secret-{other}" not in page.content()
        source = page.get_by_role("img", name="thumbnail of the query").get_attribute("src") or ""
        seen.append(page.request.get(place + source if source.startswith("/") else source).body())
    assert seen[0] != seen[1]


def test_the_keyboard_reaches_filter_and_operating_point(page: Page, place: str) -> None:
    opened(page, place, "keep=0.8&k=2")
    handle = page.get_by_role("slider", name="share kept")
    expect(handle).to_be_visible()
    pressed(handle, "PageDown", "0.7")
    expect(page).to_have_url(re.compile("keep=0.7"))
    expect(page.get_by_text(re.compile("Keeping the surest 70 % of queries"))).to_be_visible()
    share = page.get_by_role("slider", name="Share of the surest items")
    expect(share).to_have_value("0.7")


def test_on_a_phone_it_stacks(visitor: Visitor, place: str) -> None:
    page = visitor(390, 844, color_scheme="dark", has_touch=True)
    opened(page, place, "k=4")
    narrow(page)
    expect(page.get_by_role("button", name="Ask with this")).to_have_count(4)
