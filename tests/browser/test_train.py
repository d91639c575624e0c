"""Train in a real Chromium: the first model in one click, and one's own that is watched, paused, lost and cancelled."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from core.settings import Settings
from tests.browser.conftest import LONG, SHORT, Visitor, again, settled
from tests.browser.place import Place
from tests.jobbing import end_all

BEGINS = 2 * LONG  # a process that has to load its libraries first, on cores that others use too


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def place(home: Path) -> Iterator[Place]:
    place = Place(home)
    try:
        yield place
    finally:
        place.stop()
        end_all(Settings(home=home))  # a training outlives its server, as it should


def opened(page: Page, where: str) -> None:
    page.goto(where)
    expect(page.get_by_role("heading", name="Train", exact=True)).to_be_visible(timeout=LONG)
    settled(page)


def run(page: Page, name: str) -> Locator:
    return page.locator(f".st-key-train-run-{name}")


def button(page: Page, name: str, label: str) -> Locator:
    return run(page, name).get_by_role("button", name=label, exact=True)


def steps(home: Path, name: str) -> int:
    lines = (home / "runs" / name / "metrics.jsonl").read_text().splitlines()
    return int(json.loads(lines[-1])["step"])


def downloaded(page: Page, name: str, label: str) -> bytes:
    with page.expect_download() as waiting:
        button(page, name, label).click()
    return waiting.value.path().read_bytes()


def test_the_first_model_is_one_click_and_then_everywhere(visitor: Visitor, place: Place) -> None:
    page = visitor()
    opened(page, f"{place.address}/Train")
    expect(page.get_by_text("Nothing was trained here yet")).to_be_visible()
    page.locator(".st-key-recipe-first").get_by_role("button", name="Train it").click()
    expect(run(page, "first")).to_be_visible(timeout=LONG)
    expect(page).to_have_url(re.compile("run=first"))
    expect(run(page, "first").get_by_text("Inspect with it")).to_be_visible(timeout=BEGINS)
    expect(
        run(page, "first").get_by_text(re.compile(r"right on 9\d\.\d % .* of 335 items it never trained on"))
    ).to_be_visible()
    for chart in ("Loss by epoch", "accuracy by epoch", "KL by epoch", "What is taken for what"):
        expect(run(page, "first").get_by_role("figure", name=re.compile(f"^{chart}"))).to_be_visible(timeout=LONG)
    rows = list(csv.DictReader(io.StringIO(downloaded(page, "first", "CSV").decode())))
    assert {row["recipe"] for row in rows} == {"first"}
    assert float(rows[-1]["validation accuracy"]) > 0.9
    assert float(rows[-1]["step"]) == 510
    with zipfile.ZipFile(io.BytesIO(downloaded(page, "first", "TensorBoard"))) as archive:
        assert [name.partition("/")[0] for name in archive.namelist()] == ["first"]
    run(page, "first").get_by_role("link", name="Inspect with it").click()
    expect(page.get_by_role("heading", name="Inspect", exact=True)).to_be_visible(timeout=LONG)
    expect(page.get_by_role("combobox", name="Model")).to_have_value("Digits, Flipout")


def test_ones_own_outlives_the_server_is_paused_broken_off_and_thrown_away(
    visitor: Visitor, place: Place, home: Path
) -> None:
    page = visitor()
    opened(page, f"{place.address}/Train")
    page.locator(".st-key-recipe-change-first").get_by_role("button").click()
    expect(page.get_by_role("tab", name="Your own")).to_have_attribute("aria-selected", "true", timeout=LONG)
    epochs = page.get_by_role("spinbutton", name="Epochs")
    expect(epochs).to_have_value("15", timeout=BEGINS)
    settled(page)
    epochs.fill("4000")
    epochs.press("Enter")
    expect(page.get_by_test_id("stCode")).to_contain_text("schedule.epochs=4000")
    settled(page)
    name = page.get_by_role("textbox", name="Name of the model").input_value()
    page.locator(".st-key-train-own").get_by_role("button").click()
    expect(button(page, name, "Pause")).to_be_visible(timeout=BEGINS)
    expect(run(page, name).get_by_text(re.compile(r"epoch [\d.]+ of 4000: train .* left"))).to_be_visible(
        timeout=BEGINS
    )
    expect(run(page, name).get_by_role("figure", name=re.compile("Loss by epoch. Validation loss went"))).to_be_visible(
        timeout=LONG
    )
    place.kill()
    place.start()
    opened(page, page.url)
    other = visitor()
    opened(other, f"{place.address}/Train")
    for each in (page, other):
        expect(button(each, name, "Pause")).to_be_visible(timeout=LONG)
    expect(run(page, name).get_by_text(re.compile(r"epoch [\d.]+ of 4000: train"))).to_be_visible(timeout=LONG)
    button(page, name, "Pause").click()
    for each in (page, other):
        expect(button(each, name, "Resume")).to_be_visible(timeout=LONG)
    other.close()  # a page that watches a training costs processor time as long as it is open
    before = steps(home, name)
    button(page, name, "Resume").click()
    expect(button(page, name, "Pause")).to_be_visible(timeout=BEGINS)
    expect(run(page, name).get_by_text(re.compile(r"epoch [\d.]+ of 4000"))).to_be_visible(timeout=BEGINS)
    assert steps(home, name) >= before, "it goes on, and does not begin anew"
    killed(home, name)
    expect(run(page, name).get_by_text("broken off")).to_be_visible(timeout=LONG)
    button(page, name, "Resume").click()
    expect(run(page, name).get_by_text(re.compile(r"epoch [\d.]+ of 4000: train"))).to_be_visible(timeout=BEGINS)
    cancel = button(page, name, "Cancel")
    again(lambda: cancel.count() and cancel.click(), lambda: expect(cancel).to_have_count(0, timeout=4 * SHORT))
    expect(run(page, name)).to_have_count(0, timeout=LONG)
    opened(page, f"{place.address}/Train")
    expect(run(page, name)).to_have_count(0, timeout=LONG)
    assert not (home / "runs" / name).exists()
    assert not (home / "models" / name).exists()


def killed(home: Path, name: str) -> None:
    """Command and keeper of the job at once, as a machine that loses its power."""
    for path in (home / "jobs").glob("*/run.json"):
        told = json.loads(path.read_text())
        if name in told["words"]:
            for part in ("keeper", "command"):
                os.kill(told[part]["pid"], signal.SIGKILL)
