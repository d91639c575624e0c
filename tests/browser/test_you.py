"""You versus the model in a real Chromium: twelve by key and by click, alone and as a class, and what is not shown."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from core.pipeline import votes
from core.pipeline.atlas import open_atlas
from core.pipeline.votes import Ballot, Poll
from core.pipeline.you import drawn
from core.settings import Settings
from tests.browser.conftest import LONG, ROOT, Visitor, narrow, served, settled

MODEL = "toybox-ensemble"
KEYS = "abdefghijklm"  # of the first classes: c and r are Streamlit's


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def place(home: Path) -> Iterator[str]:
    with served(home) as address:
        yield address


def begin(page: Page, place: str, query: str) -> None:
    page.goto(f"{place}/You?model={MODEL}&{query}")
    page.get_by_role("button", name=re.compile("Begin")).click(timeout=LONG)


def classes(page: Page) -> Locator:
    return page.locator("[class*=st-key-you-class-] button")


def answer(page: Page, number: int, key: str, sure: str) -> None:
    """By keys alone, once they are there."""
    expect(page.get_by_text(f"Item {number} of 12")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("What is it?")).to_be_visible(timeout=LONG)
    expect(classes(page)).to_have_count(12, timeout=LONG)
    page.keyboard.press(key)
    expect(page.get_by_text("how sure are you?")).to_be_visible(timeout=LONG)
    expect(page.locator(".st-key-you-sure-2 button")).to_be_visible(timeout=LONG)
    page.keyboard.press(sure)


def test_twelve_by_keyboard_end_in_two_curves_and_a_class(page: Page, place: str, home: Path) -> None:
    settings = Settings(home=home, checkpoints=ROOT / "checkpoints", offline=True)
    atlas = open_atlas("heldout", MODEL, settings)
    poll = Poll("room-101", atlas.version, drawn(atlas, 7), len(atlas.classes))
    for first in range(2):
        votes.cast(settings, poll, votes.new_voter(), Ballot((first, *range(11)), (1,) * 12))
    begin(page, place, "dozen=7&class=Room-101")
    expect(page.get_by_role("img", name="the picture of item 1")).to_be_visible(timeout=LONG)
    answer(page, 1, "a", "1")
    page.get_by_role("button", name=re.compile("Back")).click()
    for number in range(1, 13):
        expect(page.get_by_text(re.compile("people have|The class"))).to_have_count(0)
        assert not any(id_ in page.content() for id_ in poll.ids)  # ids tell classes
        answer(page, number, KEYS[number - 1], "3" if number % 2 else "1")
    expect(page.get_by_text(re.compile(r"You were right on \d+ of 12, Toybox, Ensemble on \d+"))).to_be_visible(
        timeout=LONG
    )
    expect(page.get_by_text(re.compile(r"Of the 6 you were surest of \d are right"))).to_be_visible()
    expect(page.get_by_role("figure", name=re.compile("Your retention curve"))).to_be_visible(timeout=LONG)
    page.get_by_role("tab", name="The class").click()
    expect(page.get_by_text(re.compile("3 people have answered"))).to_be_visible(timeout=LONG)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="CSV", exact=True).last.click()
    rows = list(csv.DictReader(waiting.value.path().read_text().splitlines()))
    assert [row["id"] for row in rows] == list(poll.ids)
    assert {row["voters"] for row in rows} == {"3"}
    tally = votes.tally(settings, poll, next(poll.folder(settings).glob("*.json")).stem)
    assert [float(row["human_entropy"]) for row in rows] == pytest.approx(tally.entropy.tolist())
    page.get_by_role("button", name="Hand over to the next person").click()
    expect(page.get_by_role("button", name=re.compile("Begin"))).to_be_visible(timeout=LONG)
    expect(page.get_by_text(re.compile("people have"))).to_have_count(0)


def test_a_link_brings_the_same_dozen_and_a_bad_code_is_said(page: Page, place: str) -> None:
    page.goto(f"{place}/You?model={MODEL}&dozen=7&class=../../etc")
    expect(page.get_by_text(re.compile("which is not 4 to 24 letters"))).to_be_visible(timeout=LONG)
    code = page.get_by_role("textbox", name="Class code")
    code.fill("a b")
    code.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="is no class code")).to_be_visible()
    code.fill("Room-102")
    code.press("Enter")
    page.wait_for_url(re.compile("class=room-102"))
    settled(page)
    expect(page.get_by_role("spinbutton", name="Which dozen")).to_have_value("7")


def test_a_model_of_several_classes_at_once_is_told_apart(page: Page, place: str) -> None:
    page.goto(f"{place}/You?model=scenes-deterministic")
    expect(page.get_by_text(re.compile("can be of several classes at once"))).to_be_visible(timeout=LONG)
    page.get_by_role("button", name=re.compile("Use Soundbox")).click()
    expect(page.get_by_role("button", name=re.compile("Begin"))).to_be_visible(timeout=LONG)


def test_a_sound_is_heard_without_its_name_on_a_phone(visitor: Visitor, place: str) -> None:
    page = visitor(390, 844, color_scheme="dark", has_touch=True)
    page.goto(f"{place}/You?model=soundbox-ensemble&dozen=2")
    page.get_by_role("button", name=re.compile("Begin")).tap(timeout=LONG)
    expect(page.locator("audio")).to_have_attribute("aria-label", "the sound of item 1", timeout=LONG)
    page.get_by_role("button", name=re.compile("Dog")).tap(timeout=LONG)
    expect(page.get_by_text("Dog: how sure are you?")).to_be_visible(timeout=LONG)
    narrow(page)
