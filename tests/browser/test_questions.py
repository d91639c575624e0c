"""Questions and the tab of sweeps in a real browser: what they say is what the stored tables say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from core.experiments._study import Answer
from core.experiments.loss_strangers import SWEEP, tell
from core.pipeline import swept
from core.pipeline.swept import Row, Swept
from core.settings import Settings
from tests.browser.conftest import LONG, SHORT, Visitor, again, narrow, served, settled

PAPER = "Questions?paper=Pretrained+Visual+Uncertainties"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def place(home: Path) -> Iterator[str]:
    with served(home) as address:
        yield address


def stored(home: Path, strangers: float) -> tuple[Swept, Answer]:
    """A table in which a predicted loss tells strangers as well as asked for, and what the study says of it."""
    keys = ("error_auroc", "r_auroc", "ood_auroc")
    rows = [
        Row(point, seed, None, {"error_auroc:score": 0.7 + 0.1 * rank},
            {f"{key}:{doubt}": strangers + 0.001 * seed for key in keys for doubt in ("score", "total", "max_softmax")},
            {"train_seconds": 1.0 + rank})
        for rank, point in enumerate(SWEEP.wanted.points()) for seed in range(3)
    ]  # fmt: skip
    wanted = SWEEP.wanted
    table = Swept(wanted.name, wanted.recipe, wanted.settings, wanted.over, wanted.choose, tuple(rows), data="Made up",
                  counts={"test": 7}, command=SWEEP.command, date="2026-01-01", machine="a test")  # fmt: skip
    swept.save(table, Settings(home=home))
    return table, tell({wanted.name: table})


def card(page: Page) -> Locator:
    return page.locator(".st-key-question-loss-strangers")


def test_a_card_says_what_its_table_says_and_turns_with_it(place: str, home: Path, visitor: Visitor) -> None:
    page = visitor(390, 844)
    for strangers, verdict in ((0.9, "Not so here"), (0.5, "Holds here")):
        _, answer = stored(home, strangers)
        page.goto(f"{place}/{PAPER}")
        expect(card(page)).to_contain_text(verdict, timeout=LONG)
        expect(card(page)).to_contain_text(answer.sentence)
        expect(card(page)).to_contain_text("Made up (7 test items), 3 seeds")
    expect(card(page).locator("svg.main-svg").first).to_be_visible()
    narrow(page)


def test_what_is_not_measured_says_how_long_it_takes_and_is_a_job(place: str, visitor: Visitor) -> None:
    page = visitor()
    page.goto(f"{place}/Questions?paper=Dropsembles")
    waiting = page.locator(".st-key-question-dropsembles-size, .st-key-question-dropsembles-rate").first
    expect(waiting).to_be_visible(timeout=LONG)
    settled(page)
    button = waiting.get_by_role("button", name=re.compile("^Measure it"))
    strip = page.get_by_text(re.compile("Question: Dropsembles"))
    again(button.click, lambda: expect(strip.first).to_be_visible(timeout=SHORT))
    cancel = page.get_by_role("button", name="Cancel", exact=True)
    cancel.first.click()
    expect(cancel).to_have_count(0)
    expect(page.get_by_text(re.compile("Question: Dropsembles.*: cancelled"))).to_be_visible()


def test_the_tab_of_sweeps_tells_the_choice_of_validation(place: str, home: Path, visitor: Visitor) -> None:
    table, _ = stored(home, 0.9)
    page = visitor()
    page.goto(f"{place}/Compare?sweep={table.name}")
    tab = page.get_by_role("tab", name="Sweeps")
    expect(tab).to_be_visible(timeout=LONG)
    settled(page)
    said = page.get_by_text(re.compile("on the validation items the choice is loss squared"))
    again(tab.click, lambda: expect(said).to_be_visible(timeout=SHORT))
    row = page.get_by_text(re.compile(r"\| squared \| 0\.800.*★ \|"))
    copy = page.locator(".st-key-sweep-copy button").first
    again(copy.click, lambda: expect(row).to_be_visible(timeout=SHORT))
