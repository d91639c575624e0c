"""Learn in a real Chromium: guess, see it computed, take it along, hand the same to a class."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from core.lessons._contract import lessons
from tests.browser.conftest import LONG, SHORT, UNMOVED, again, narrow, pixels, settled
from tests.contract.published import tone

CAME = re.compile("As you expected|It came out")


SMALL = {  # the lessons that no other test opens, with knobs that cost little
    "signals": "",
    "leak": "leak-sources=3",
    "augmentation": "augmentation-recordings=1&augmentation-rounds=8",
    "transfer": "transfer-rounds=2",
    "weights": "weights-points=80",
    "thinned": "thinned-members=2",
    "guessed": "guessed-items=200&guessed-epochs=8",
    "reading": "",
}


def reveal(page: Page, option: str) -> None:
    """Only who has guessed may look."""
    button = page.get_by_role("button", name="Compute it")
    expect(button).to_be_disabled(timeout=LONG)
    page.get_by_test_id("stRadio").get_by_text(option).click()
    expect(button).to_be_enabled(timeout=LONG)
    button.click()
    expect(page.get_by_text(CAME)).to_be_visible(timeout=LONG)
    settled(page)


def test_a_class_follows_a_link_guesses_and_takes_the_lesson_along(page: Page, address: str) -> None:
    page.goto(f"{address}/Learn?lesson=doubts&lesson-seed=3&doubts-points=60")
    expect(page.get_by_role("figure", name=re.compile("What the models are given. 45 points"))).to_be_visible(
        timeout=LONG
    )
    expect(page.get_by_text(CAME)).to_have_count(0)
    reveal(page, "About 50 : 50")
    for title in ("How sure the single network is", "Ensemble", "ABNN", "Turn the overlap"):
        expect(page.get_by_role("figure", name=re.compile(f"^{title}\\."))).to_be_visible(timeout=LONG)
    expect(page.get_by_text(re.compile(r"1 of \d+ done"))).to_be_visible()
    page.get_by_role("button", name="For a class").click()
    link = page.get_by_test_id("stCode")
    expect(link).to_contain_text("lesson=doubts&lesson-seed=3&doubts-points=60")
    page.keyboard.press("Escape")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Notebook").click()
    told = json.loads(waiting.value.path().read_text())
    assert "LESSON.Config(points=60)" in "".join(cell["source"] for cell in told["cells"])
    with page.expect_download() as waiting:
        page.get_by_role("button", name="HTML report").click()
    assert "Two kinds of doubt" in waiting.value.path().read_text()
    page.get_by_text("a square", exact=True).click()
    expect(page.get_by_text(re.compile(r"1 of \d+ done"))).to_be_visible()
    points = page.get_by_role("application", name=re.compile("What the models are given"))
    settled(page)
    again(
        lambda: page.mouse.click(*pixels(points, [-2.0], [2.0])[0]),
        lambda: page.wait_for_url(re.compile("doubts-added=-2"), timeout=SHORT),
    )
    page.goto(f"{address}/Learn?lesson=ambiguity")  # what was begun is given up
    expect(page.locator("audio")).to_have_count(9, timeout=LONG)
    reveal(page, "Ambiguous")
    expect(page.get_by_role("figure", name=re.compile("^Novelty, as a place"))).to_be_visible(timeout=LONG)
    expect(page.get_by_role("figure", name=re.compile("^Predicted loss"))).to_be_visible(timeout=LONG)


def test_a_visitor_comes_in_by_the_door_and_hears_what_two_networks_make_of_a_sound(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("link", name="New to doubt?").click()
    expect(page.get_by_role("button", name="Compute it")).to_be_visible(timeout=LONG)
    page.goto(f"{address}/Learn?lesson=networks&networks-recordings=2&networks-rounds=3")
    reveal(page, "Neither does well")
    expect(page.get_by_role("figure", name=re.compile("^While they learn"))).to_be_visible(timeout=LONG)
    expect(page.get_by_role("figure", name=re.compile("^New recordings, as the LSTM"))).to_be_visible(timeout=LONG)
    given = page.get_by_test_id("stFileUploader").locator("input")
    given.set_input_files({"name": "tone.wav", "mimeType": "audio/wav", "buffer": tone(1, 16_000, 40_000)})
    expect(page.get_by_text(re.compile("^Of your sound the ConvNet says"))).to_be_visible(timeout=LONG)
    settled(page)
    given.set_input_files({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no sound"})
    expect(page.get_by_text(re.compile("This is text"))).to_be_visible(timeout=LONG)
    expect(page.get_by_text(re.compile("^Of your sound"))).to_have_count(0, timeout=LONG)


@pytest.fixture(scope="module")
def handheld(browser: Browser) -> Iterator[Page]:
    """One window for all lessons: Streamlit's programs are loaded into it once."""
    window = browser.new_context(viewport={"width": 390, "height": 844})
    window.add_init_script(UNMOVED)
    window.set_default_timeout(LONG)
    yield window.new_page()
    window.close()


@pytest.mark.parametrize("key", SMALL)
def test_a_lesson_is_computed_on_a_phone(handheld: Page, address: str, key: str) -> None:
    handheld.goto(f"{address}/Learn?lesson={key}&{SMALL[key]}")
    lesson = next(one for one in lessons() if one.key == key)
    reveal(handheld, lesson.options[0])
    expect(handheld.get_by_text("What you just saw")).to_be_visible()
    expect(handheld.get_by_role("figure").first).to_be_visible(timeout=LONG)
    assert handheld.get_by_test_id("stException").count() == 0
    assert handheld.get_by_test_id("stAlertContentError").count() == 0
    narrow(handheld)


def test_a_link_that_asks_for_what_cannot_be_is_told(page: Page, address: str) -> None:
    page.goto(f"{address}/Learn?lesson=magic")
    expect(page.get_by_text(re.compile("magic.*which is not one of the lessons"))).to_be_visible(timeout=LONG)
    page.goto(f"{address}/Learn?lesson=networks&networks-data=ESC-50")
    expect(page.get_by_text(re.compile("No copy of ESC-50 is on this machine"))).to_be_visible(timeout=LONG)
    page.goto(f"{address}/Learn?lesson=doubts&doubts-overlap=7&doubts-added=1,2,3")
    expect(page.get_by_text(re.compile("which is not a number from 0.1 to 0.6"))).to_be_visible(timeout=LONG)
    expect(page.get_by_text(re.compile("which is not what this lesson takes"))).to_be_visible()
    expect(page.get_by_role("button", name="Compute it")).to_be_visible()
