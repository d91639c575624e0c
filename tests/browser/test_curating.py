"""A curator's afternoon in a real Chromium: lists, tags, notes, corrected labels and a training on them.

The folder holds toys some of which lie in a wrong class on purpose, so that what is found can be counted.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from core.pipeline import relabel
from core.pipeline.atlas import open_atlas
from core.pipeline.lists import listed
from core.settings import Settings
from core.store import open_collection
from tests.atlases import MODEL
from tests.browser.conftest import LONG, SHORT, Visitor, again, served, settled
from tests.curated import NAME, Planted, indexed, planted


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"), decoders=1, offline=True)


@pytest.fixture(scope="module")
def truth(settings: Settings) -> Planted:
    folder: Path = settings.home / "toys"
    found = planted(folder, settings)
    indexed(folder, settings, found)
    return found


@pytest.fixture(scope="module")
def place(settings: Settings, truth: Planted) -> Iterator[str]:
    with served(settings.home) as address:
        yield f"{address}/Map?data={NAME}&model={MODEL}"


def opened(page: Page, where: str) -> Page:
    page.goto(where)
    expect(page.get_by_role("heading", name=re.compile("selected$|^All "))).to_be_visible(timeout=LONG)
    settled(page)
    return page


def pill(page: Page, name: str) -> Locator:
    return page.locator(".st-key-map-list").get_by_text(name)


def labels(settings: Settings) -> dict[str, str]:
    table = open_collection(settings.collections, NAME).items(("id", "label"))
    return dict(zip(table["id"].to_pylist(), table["label"].to_pylist(), strict=True))


def test_wrong_labels_are_found_marked_corrected_and_trained_on(
    visitor: Visitor, place: str, settings: Settings, truth: Planted
) -> None:
    for _ in relabel.history(NAME, settings):  # a second try begins as the first did
        relabel.undo(NAME, settings)
    atlas = open_atlas(NAME, MODEL, settings)
    found = [atlas.ids[row] for row in listed(atlas, "wrong").rows.tolist()]
    hits = truth.wrong & set(found)
    assert len(hits) >= 0.8 * len(truth.wrong)
    assert len(found) <= 1.5 * len(truth.wrong)

    page = opened(visitor(), place)
    chosen = page.get_by_role("heading", name=f"{len(found)} selected")
    again(pill(page, "Confident and wrong").click, lambda: expect(chosen).to_be_visible(timeout=SHORT))
    expect(page).to_have_url(re.compile("list=wrong"))
    expect(page.get_by_text(f"{len(found)} of {len(atlas)} labels are in doubt")).to_be_visible()
    expect(page.get_by_text("looks like").first).to_be_visible()
    settled(page)
    tagged(page, len(found))
    other = opened(visitor(), f"{place}&list=wrong")
    expect(other.locator(".stMarkdownBadge").filter(has_text="check").first).to_be_visible()
    corrected_here(page, settings, truth, found)
    corrected_elsewhere(page, settings, truth, hits)
    page.get_by_role("button", name="Train on all with these labels").click()
    expect(page.get_by_role("heading", name="Train", exact=True)).to_be_visible(timeout=LONG)
    expect(page.get_by_text(f"{len(atlas)} pictures, 12 classes")).to_be_visible(timeout=2 * LONG)
    expect(page.get_by_role("button", name="Train it")).to_be_enabled(timeout=LONG)


def tagged(page: Page, count: int) -> None:
    """All that is selected, at once."""
    box = page.get_by_role("combobox", name="Tag", exact=True)
    box.fill("check")
    box.press("Enter")
    tagging = page.get_by_role("button", name=f"Tag {count} items")
    expect(tagging).to_be_enabled()
    settled(page)
    tagging.click()
    expect(page.get_by_text(f"{count} items have the tag check now")).to_be_visible(timeout=LONG)


def corrected_here(page: Page, settings: Settings, truth: Planted, found: list[str]) -> None:
    """The model's classes are filled in, looked at, become the labels, and are taken back."""
    before = labels(settings)
    page.get_by_text("Correct labels").click()
    settled(page)
    page.get_by_role("button", name="Fill in the model's class").click()
    expect(page.get_by_text(f"{len(found)} labels would change")).to_be_visible(timeout=LONG)
    settled(page)
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text(f"{len(found)} labels changed. Lists")).to_be_visible(timeout=LONG)
    now = labels(settings)
    mended = [id_ for id_ in truth.wrong if now[id_] == truth.truth[id_]]
    assert len(mended) >= 0.8 * len(truth.wrong)
    assert {id_ for id_ in now if now[id_] != before[id_]} == set(found)
    expect(page.get_by_role("heading", name=f"{len(found)} selected")).to_have_count(0)  # the list follows
    settled(page)
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_text("as before")).to_be_visible(timeout=LONG)
    assert labels(settings) == before
    expect(page.get_by_role("heading", name=f"{len(found)} selected")).to_be_visible()


def corrected_elsewhere(page: Page, settings: Settings, truth: Planted, hits: frozenset[str]) -> None:
    """By a list that goes out, is filled in by who knows better, and comes back."""
    settled(page)
    page.get_by_text("In a spreadsheet").click()
    link = page.get_by_role("button", name="The list as CSV")
    expect(link).to_be_visible()
    settled(page)
    with page.expect_download() as waiting:
        link.click()
    raw = filled(waiting.value.path().read_bytes(), truth)
    given = {"name": "back.csv", "mimeType": "text/csv", "buffer": raw}
    page.locator(".st-key-map-relabel-file input[type=file]").set_input_files([given])  # type: ignore[list-item]
    expect(page.get_by_text(f"{len(hits)} labels would change")).to_be_visible(timeout=LONG)
    settled(page)
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text(f"{len(hits)} labels changed on")).to_be_visible(timeout=LONG)
    now = labels(settings)
    assert all(now[id_] == truth.truth[id_] for id_ in hits)
    page.reload()
    settled(page)
    page.get_by_text("Correct labels").click()
    expect(page.get_by_text(f"{len(hits)} labels changed on")).to_be_visible()


def filled(raw: bytes, truth: Planted) -> bytes:
    """What a person who knows better writes into the list."""
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    target = io.StringIO(newline="")
    writer = csv.DictWriter(target, list(rows[0]))
    writer.writeheader()
    for row in rows:
        right = truth.truth[row["id"]]
        writer.writerow({**row, "new_label": right if right != row["label"] else ""})
    return target.getvalue().encode()
