"""A teacher's link in a real Chromium: the layers that were clicked, for somebody new, with the guess still to make."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import LONG, Visitor, settled

CAME = re.compile("As you expected|It came out")


def test_a_class_sees_the_layers_that_its_teacher_chose_and_has_to_guess(
    page: Page, address: str, visitor: Visitor
) -> None:
    page.goto(f"{address}/Learn?lesson=scales&lesson-seed=2&scales-members=2&scales-alpha=0.3")
    first = page.get_by_role("button", name="normalise 1")
    expect(first).to_be_disabled(timeout=LONG)  # until the guess is made
    page.get_by_test_id("stRadio").get_by_text("Nowhere").click()
    page.get_by_role("button", name="Compute it").click()
    expect(page.get_by_text(CAME)).to_be_visible(timeout=LONG)
    settled(page)
    first.click()
    expect(page.get_by_text("2 of 3 normalisations are random")).to_be_visible(timeout=LONG)
    expect(page.get_by_role("figure", name=re.compile("^2 members, alpha = 0.3"))).to_be_visible(timeout=LONG)
    settled(page)
    page.get_by_role("button", name="For a class").click()
    link = page.get_by_test_id("stCode").inner_text().strip()
    pupil = visitor(390, 844)
    pupil.goto(link)
    expect(pupil.get_by_text("2 of 3 normalisations are random")).to_be_visible(timeout=LONG)
    expect(pupil.get_by_role("button", name="Compute it")).to_be_disabled()
    expect(pupil.get_by_text(CAME)).to_have_count(0)
    pupil.get_by_test_id("stRadio").get_by_text("Near the points as well").click()
    pupil.get_by_role("button", name="Compute it").click()
    expect(pupil.get_by_role("figure", name=re.compile("^2 members, alpha = 0.3"))).to_be_visible(timeout=LONG)
    expect(pupil.get_by_role("spinbutton", name="Seed")).to_have_value("2")
