"""What all pages share, in a real Chromium: side bar, links, operating point, devices, jobs, keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from core.jobs import cancel, list_jobs
from core.settings import Settings
from tests.browser.conftest import LONG, SHORT, Visitor, again, settled
from tests.browser.place import Place

APP = "tests/browser/apps/shell.py"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("home"), APP)
    yield place
    for job in list_jobs(Settings(home=place.home)):
        cancel(job, wait=20)
    place.stop()


def opened(page: Page, where: str) -> Page:
    page.goto(where)
    expect(page.get_by_text(re.compile("^point "))).to_be_visible(timeout=LONG)
    settled(page)
    return page


def asked(page: Page) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(page.url).query).items()}


def pick(page: Page, label: str, option: str) -> None:
    """An option of a list, which closes where the page is drawn anew meanwhile."""
    wanted = page.get_by_role("option", name=option, exact=True)
    listed(page, label, wanted)
    wanted.click()


def listed(page: Page, label: str, wanted: Locator) -> None:
    box = page.get_by_role("combobox", name=re.compile(label))
    again(box.click, lambda: expect(wanted).to_be_visible(timeout=SHORT))


def unfolded(button: Locator, told: Locator, timeout: int = SHORT) -> None:
    """What a button that pops up a card shows: pressed only where it is not there, for a press would close it."""

    def press() -> None:
        if not told.is_visible():
            button.click()

    again(press, lambda: expect(told).to_be_visible(timeout=timeout))


def test_a_choice_stands_in_the_url_and_a_link_restores_it(page: Page, place: Place, visitor: Visitor) -> None:
    opened(page, place.address)
    pick(page, "^.*Model$", "Soundbox, Ensemble")
    expect(page.get_by_text("chosen soundbox-ensemble 50 0 auto heldout")).to_be_visible()
    settled(page)
    page.get_by_role("spinbutton", name="Samples").fill("120")
    page.get_by_role("spinbutton", name="Samples").press("Enter")
    expect(page.get_by_text("chosen soundbox-ensemble 120 0 auto heldout")).to_be_visible()
    settled(page)
    page.get_by_role("button", name="Keep 60 %").click()
    expect(page.get_by_text("point 0.6 measure total")).to_be_visible()
    settled(page)
    assert asked(page) == {"model": "soundbox-ensemble", "samples": "120", "keep": "0.6"}
    other = opened(visitor(), page.url)
    expect(other.get_by_text("chosen soundbox-ensemble 120 0 auto heldout")).to_be_visible()
    expect(other.get_by_text("point 0.6 measure total")).to_be_visible()


def test_what_a_link_cannot_mean_is_one_sentence_and_the_rest_holds(page: Page, place: Place) -> None:
    opened(page, f"{place.address}/?samples=9000&model=%3Cb%3Enone&seed=7&keep=nan&device=tpu&data=../x&measure=taste")
    expect(page.get_by_text("chosen soundbox-mc-dropout 50 7 auto heldout")).to_be_visible()
    told = page.get_by_test_id("stAlert")
    expect(told).to_have_count(1)
    expect(told).to_contain_text("samples “9000”, which is not a whole number from 1 to 500; 50 is used")
    assert [
        name for name in ("model", "keep", "device", "data", "measure") if f"asks for {name} “" not in told.inner_text()
    ] == []
    assert asked(page) == {"seed": "7"}


def test_the_kind_changes_the_model_and_keeps_its_method(page: Page, place: Place) -> None:
    opened(page, place.address)
    page.get_by_role("radio", name="Pictures").click()
    expect(page.get_by_text("chosen toybox-mc-dropout")).to_be_visible()
    settled(page)
    told = page.get_by_text("takes pictures, answers with one of 12 classes")
    unfolded(page.get_by_role("button", name="About this model"), told)


def test_a_file_of_the_other_kind_switches_the_model_and_says_so(page: Page, place: Place) -> None:
    opened(page, place.address)
    page.get_by_role("button", name="A picture came").click()
    expect(page.get_by_text("chosen toybox-laplace")).to_be_visible()
    expect(
        page.get_by_text("Switched to Toybox, Laplace, a model for pictures. The file is a picture.")
    ).to_be_visible()
    pick(page, "^.*Model$", "Toybox, Ensemble")
    expect(page.get_by_text("Switched to")).to_have_count(0)


def test_the_picker_tells_the_device_once_the_worker_has_looked(page: Page, place: Place) -> None:
    opened(page, f"{place.address}/?warm=1")
    listed(page, "Device$", page.get_by_role("option", name=re.compile(r"^CPU.*\(cpu\)$")))
    page.keyboard.press("Escape")
    told = page.get_by_text(re.compile(r"computes on .*threads? in float32; .* of weights"))
    unfolded(page.get_by_role("button", name="About this model"), told, timeout=20_000)


def done_of(page: Page) -> int:
    found = re.search(r"index ([\d\u2009]+) of 1\u2009900", page.get_by_test_id("stProgress").first.inner_text())
    return int(found[1].replace("\u2009", "")) if found else -1


def test_a_job_is_watched_across_a_reload_and_a_new_server_then_cancelled_and_resumed(page: Page, place: Place) -> None:
    opened(page, place.address)
    page.get_by_role("button", name="Index Soundbox").click()
    bar = page.get_by_test_id("stProgress").first
    expect(bar).to_contain_text(re.compile(r"Index Soundbox as watched: index .* left"), timeout=LONG)
    before = done_of(page)
    page.reload()
    expect(bar).to_contain_text(re.compile("index .* left"))
    assert done_of(page) >= before >= 0
    place.kill()
    place.start()
    opened(page, place.address)
    expect(bar).to_contain_text(re.compile("index .* left"))
    assert done_of(page) >= before
    page.get_by_role("button", name="Cancel").click()
    ended = page.get_by_role("button", name="Index Soundbox as watched: cancelled")
    expect(ended).to_be_visible()
    expect(page.get_by_test_id("stProgress")).to_have_count(0)
    settled(page)
    unfolded(ended, page.get_by_text("What was finished is kept; resume it to go on."))
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_test_id("stProgress").first).to_contain_text(re.compile("index .* of"), timeout=LONG)
    page.get_by_role("button", name="Cancel").click()
    expect(ended).to_be_visible()
    settled(page)
    unfolded(ended, page.get_by_role("button", name="Remove"))
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("button", name="Index Soundbox as watched: cancelled")).to_have_count(0)


def test_the_keyboard_alone_changes_samples_and_the_operating_point(page: Page, place: Place) -> None:
    opened(page, place.address)
    reached: list[str] = []
    for _ in range(60):  # some of them while the page is still being put together
        page.keyboard.press("Tab")
        name = page.evaluate(
            "(document.activeElement.getAttribute('aria-label') || document.activeElement.innerText).trim()"
        )
        reached += [name] if reached[-1:] != [name] else []
        if name == "Samples":
            page.keyboard.press("ArrowUp")
            page.keyboard.press("Enter")
        if name == "Keep 60 %":
            page.keyboard.press("Enter")
            break
    expect(page.get_by_text("chosen soundbox-mc-dropout 51 0 auto heldout")).to_be_visible()
    expect(page.get_by_text("point 0.6")).to_be_visible()
    wanted = ("About this model", "Samples", "Seed")
    lines = [[line for line in name.split("\n") if line] for name in reached]
    few = [line for line in lines if len(line) <= 3]  # an icon, a label, an arrow: the whole page has more
    assert list(dict.fromkeys(word for line in few for word in wanted if word in line)) == list(wanted), reached
