"""A curator's afternoon in a real Chromium, as the README tells it: index, find, fix, train again, compare.

The folder holds toys some of which lie in a wrong class on purpose, so that what is found and mended can be counted.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from core.pipeline.tabled import open_benches
from core.settings import Settings
from core.store import open_collection
from tests.atlases import MODEL
from tests.browser import screenshots
from tests.browser.conftest import LONG, SHORT, Visitor, again, served, settled
from tests.curated import Planted, planted
from tests.jobbing import end_all

BEGINS = 2 * LONG  # a process that has to load its libraries first, on cores that others use too


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    settings = Settings(home=tmp_path / "home", decoders=1, offline=True)
    yield settings
    end_all(settings)


def test_a_curators_afternoon(visitor: Visitor, settings: Settings, tmp_path: Path) -> None:
    truth = planted(tmp_path / "toys", settings)
    with served(settings.home) as address:
        page = visitor()
        indexed_by_clicks(page, f"{address}/Map?model={MODEL}", tmp_path / "toys")
        ambiguous = listed(page, "Most ambiguous")
        assert 0 < ambiguous < len(truth.truth) / 2
        found = listed(page, "Confident and wrong")
        assert 0.8 * len(truth.wrong) <= found <= 1.5 * len(truth.wrong)
        tagged(page, found)
        filled_in_and_taken_back(page, settings, truth, found)
        corrected_in_a_spreadsheet(page, settings, truth)
        name = trained_again(page, len(truth.truth))
        compared(page, settings, name)


def labels(settings: Settings) -> dict[str, str]:
    table = open_collection(settings.collections, "toys").items(("id", "label"))
    return dict(zip(table["id"].to_pylist(), table["label"].to_pylist(), strict=True))


def wrong(settings: Settings, truth: Planted) -> int:
    return sum(label != truth.truth[id_] for id_, label in labels(settings).items())


def pictured(page: Page, name: str, top: Locator) -> None:
    """For the README, when its pictures are renewed."""
    if screenshots.PICTURING in os.environ:
        settled(page)
        top.evaluate("part => part.scrollIntoView({block: 'start'})")
        screenshots.keep(page, name)


# ---- the steps ----


def indexed_by_clicks(page: Page, where: str, folder: Path) -> None:
    page.goto(where)
    expect(page.get_by_role("heading", name=re.compile("^All "))).to_be_visible(timeout=LONG)
    settled(page)
    page.get_by_text("Map your own data").click()
    page.get_by_text("Folder", exact=True).click()
    box = page.get_by_role("textbox", name="Folder or manifest on this machine")
    box.fill(str(folder))
    box.press("Enter")
    begin = page.get_by_role("button", name="Index and draw")
    expect(begin).to_be_enabled()
    settled(page)
    begin.click()
    expect(page).to_have_url(re.compile("data=toys"), timeout=2 * BEGINS)
    expect(page.get_by_role("heading", name="All 96")).to_be_visible(timeout=LONG)
    settled(page)


def listed(page: Page, name: str) -> int:
    """How many a ready-made list selects."""
    pill = page.locator(".st-key-map-list").get_by_text(name)
    count = int(pill.inner_text().removeprefix(name))
    chosen = page.get_by_role("heading", name=f"{count} selected")
    again(pill.click, lambda: expect(chosen).to_be_visible(timeout=SHORT))
    settled(page)
    return count


def tagged(page: Page, count: int) -> None:
    """All that is selected, at once; it stays with the collection."""
    box = page.get_by_role("combobox", name="Tag", exact=True)
    box.fill("check")
    box.press("Enter")
    tagging = page.get_by_role("button", name=f"Tag {count} items")
    expect(tagging).to_be_enabled()
    settled(page)
    tagging.click()
    expect(page.get_by_text(f"{count} items have the tag check now")).to_be_visible(timeout=LONG)
    expect(page.locator(".stMarkdownBadge").filter(has_text="check").first).to_be_visible()


def filled_in_and_taken_back(page: Page, settings: Settings, truth: Planted, found: int) -> None:
    """The model's classes are filled in, looked at, become the labels, and are taken back."""
    before = labels(settings)
    page.get_by_text("Correct labels").click()
    settled(page)
    page.get_by_role("button", name="Fill in the model's class").click()
    applied(page, found)
    assert wrong(settings, truth) < 0.5 * len(truth.wrong)
    expect(page.get_by_role("heading", name=f"{found} selected")).to_have_count(0)  # the list follows
    settled(page)
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_text("as before")).to_be_visible(timeout=LONG)
    assert labels(settings) == before
    expect(page.get_by_role("heading", name=f"{found} selected")).to_be_visible()


def corrected_in_a_spreadsheet(page: Page, settings: Settings, truth: Planted) -> None:
    """By a list that goes out, is filled in by who knows better, and comes back."""
    settled(page)
    page.get_by_text("In a spreadsheet").click()
    link = page.get_by_role("button", name="The list as CSV")
    expect(link).to_be_visible()
    settled(page)
    with page.expect_download() as waiting:
        link.click()
    raw, count = filled(waiting.value.path().read_bytes(), truth)
    assert count >= 0.8 * len(truth.wrong)
    given = {"name": "back.csv", "mimeType": "text/csv", "buffer": raw}
    page.locator(".st-key-map-relabel-file input[type=file]").set_input_files([given])  # type: ignore[list-item]
    expect(page.get_by_text(f"{count} labels would change")).to_be_visible(timeout=LONG)
    pictured(page, "curating-fix", page.get_by_text("Correct labels"))
    applied(page, count)
    assert wrong(settings, truth) == len(truth.wrong) - count


def applied(page: Page, count: int) -> None:
    expect(page.get_by_text(f"{count} labels would change")).to_be_visible(timeout=LONG)
    settled(page)
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text(f"{count} labels changed. Lists")).to_be_visible(timeout=LONG)
    settled(page)


def filled(raw: bytes, truth: Planted) -> tuple[bytes, int]:
    """What a person who knows better writes into the list, and into how many lines."""
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    target, wrong = io.StringIO(newline=""), [row for row in rows if truth.truth[row["id"]] != row["label"]]
    for row in wrong:
        row["new_label"] = truth.truth[row["id"]]
    writer = csv.DictWriter(target, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return target.getvalue().encode(), len(wrong)


def trained_again(page: Page, items: int) -> str:
    """On the corrected labels, from the network that drew the map; the model's name."""
    page.get_by_role("button", name="Train on all with these labels").click()
    expect(page.get_by_role("heading", name="Train", exact=True)).to_be_visible(timeout=LONG)
    expect(page.get_by_text(f"{items} pictures, 12 classes")).to_be_visible(timeout=BEGINS)
    command = page.get_by_test_id("stCode")
    expect(command).to_contain_text("--set start=toybox-deterministic --set fit=fixed", timeout=LONG)
    settled(page)
    name = page.get_by_role("textbox", name="Name of the model").input_value()
    page.get_by_role("button", name="Train it").click()
    run = page.locator(f".st-key-train-run-{name}")
    expect(run.get_by_text("of 24 items it never trained on")).to_be_visible(timeout=2 * BEGINS)
    settled(page)
    run.get_by_role("link", name="Compare it on toys").click()
    return name


def compared(page: Page, settings: Settings, name: str) -> None:
    """The new model is asked about the collection, and stands beside the one before on what neither learned from."""
    ask = page.get_by_role("button", name="Ask it", exact=True)
    expect(ask).to_be_visible(timeout=LONG)
    expect(page.get_by_text("1 model answered 96 items of toys")).to_be_visible()
    settled(page)
    ask.click()
    expect(page.get_by_text("2 models answered the same 24 items of toys")).to_be_visible(timeout=2 * BEGINS)
    expect(ask).to_have_count(0)
    expect(page.get_by_text("worse than Deterministic (ref.) by more than chance")).to_be_visible()
    pictured(page, "curating-compare", page.get_by_role("heading", name="Compare", exact=True))
    bench = open_benches(settings, "image", "toys").of(name)
    assert bench is not None
    assert set(bench.names) == {MODEL, name}
    assert all(id_.startswith("test/") for id_ in bench.ids)
