"""Shapes in a real Chromium: damage one, read who made up what, ask the members at a place, take the surface along."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import LONG, SHORT, again, pixels, pressed, settled

VERDICT = re.compile("of what the methods draw is made up")


def test_a_visitor_damages_a_digit_asks_its_members_and_takes_a_vertebra_along(page: Page, address: str) -> None:
    page.goto(f"{address}/Shapes?shape=digit&shape-number=2&shape-kept=0.8")
    expect(page.get_by_text(VERDICT)).to_be_visible(timeout=LONG)
    settled(page)
    before = page.get_by_text(VERDICT).inner_text()
    pressed(page.get_by_role("slider", name="Pixels seen"), "ArrowLeft", "70%", attribute="aria-valuetext")
    page.wait_for_url(re.compile("shape-kept=0.7"))
    settled(page)
    expect(page.get_by_text(VERDICT)).not_to_have_text(before, timeout=LONG)
    members = page.get_by_role("application", name=re.compile("The outlines of 4 members"))
    again(
        lambda: page.mouse.click(*pixels(members, [3.5], [3.5])[0]),
        lambda: expect(page.get_by_text("At the cross the members say")).to_be_visible(timeout=SHORT),
    )
    page.get_by_text("A vertebra", exact=True).click()
    expect(page.get_by_text("no medical device")).to_be_visible(timeout=LONG)
    expect(
        page.get_by_role("figure", name=re.compile("^Deep ensemble, coloured by how far it may be off"))
    ).to_be_visible(timeout=LONG)
    settled(page)
    page.get_by_role("button", name="Surfaces and volumes").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="GLB").click()
    assert waiting.value.path().read_bytes()[:4] == b"glTF"
