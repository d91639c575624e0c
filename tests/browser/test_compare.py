"""Compare in a real Chromium: the table and its copies, asking about items from elsewhere, the report, the phone."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import LONG, SHORT, Visitor, again, narrow, served, settled

PICTURES, SOUNDS = "model=toybox-ensemble", "model=soundbox-ensemble"
ASKING = 900_000  # ms: a job waits its turn, loads its libraries and a dozen models


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A home of its own: what models said elsewhere is kept in it."""
    with served(tmp_path_factory.mktemp("home")) as address:
        yield address


def opened(page: Page, place: str, query: str) -> None:
    page.goto(f"{place}/Compare?{query}")
    expect(page.get_by_role("tab", name="Reliability")).to_be_visible(timeout=LONG)
    settled(page)


def table(page: Page) -> dict[str, dict[str, str]]:
    """The downloaded table, by model."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name="CSV", exact=True).click()
    return {row["name"]: row for row in csv.DictReader(waiting.value.path().read_text().splitlines())}


def told_tab(page: Page, name: str, says: str | re.Pattern[str]) -> None:
    tab = page.get_by_role("tab", name=name)
    again(lambda: tab.click(), lambda: expect(page.get_by_text(says).first).to_be_visible(timeout=SHORT))


def test_the_answer_follows_the_column_that_sorts_and_the_table_is_copied(page: Page, place: str) -> None:
    opened(page, place, f"{PICTURES}&sort=ece")
    expect(page.get_by_text(re.compile("has the lowest ECE, .* against Deterministic"))).to_be_visible()
    expect(page.get_by_text(re.compile("models answered the same 912 items of Toybox"))).to_be_visible()
    rows = table(page)
    assert rows["toybox-deterministic"]["accuracy"] == "0.8125"
    values = [float(row["ece"]) for row in rows.values()]
    assert values == sorted(values)
    low, high = (float(rows["toybox-laplace"][f"nll_less_{end}"]) for end in ("low", "high"))
    assert low < float(rows["toybox-laplace"]["nll_less_reference"]) < high < 0
    assert all(row["fingerprint"] and row["date"] for row in rows.values())
    page.get_by_role("button", name="Copy the table").click()
    code = page.get_by_test_id("stCode")
    expect(code).to_contain_text("| Model | S | Accuracy")
    latex = page.get_by_role("radio", name="LaTeX")
    again(lambda: latex.click(force=True), lambda: expect(code).to_contain_text(r"\begin{tabular}", timeout=SHORT))
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download LaTeX").click()
    assert waiting.value.suggested_filename == "compare-toybox.tex"
    assert r"\textbf{" in waiting.value.path().read_text()


def test_models_of_other_items_are_in_a_table_of_their_own(page: Page, place: str) -> None:
    opened(page, place, SOUNDS)
    expect(page.get_by_text(re.compile("Not ranked here, being judged on other items: .* on ESC"))).to_be_visible()
    assert {name.partition("-")[0] for name in table(page)} == {"soundbox"}
    other = page.get_by_role("radio", name=re.compile("^ESC-10"))
    said = page.get_by_text(re.compile("models answered the same 80 items of ESC"))
    again(lambda: other.click(force=True), lambda: expect(said).to_be_visible(timeout=SHORT))
    page.wait_for_url(re.compile("set=esc10"))


def test_every_model_is_asked_about_items_from_elsewhere_and_the_page_finds_it_again(page: Page, place: str) -> None:
    opened(page, place, f"{PICTURES}&elsewhere=digits:test&sort=ood_auroc")
    expect(page.get_by_text(re.compile("No model has OOD AUROC here"))).to_be_visible()
    expect(page.get_by_text(re.compile("models were not asked about Handwritten digits yet"))).to_be_visible()
    page.get_by_role("button", name="Ask them").click()
    expect(page.get_by_text(re.compile("has the highest OOD AUROC"))).to_be_visible(timeout=ASKING)
    settled(page)
    rows = table(page)
    assert all(0.5 < float(row["ood_auroc"]) < 1 and float(row["seconds_per_item"]) > 0 for row in rows.values())
    told_tab(page, "Here and elsewhere", re.compile(r"stands out most for Handwritten digits \(AUROC"))
    told_tab(page, "Cost", re.compile("Calibration against time per item"))


def report_opens(page: Page, name: str, reader: Page, folder: Path) -> None:
    """The page's report, in a browser without any network."""
    button = page.get_by_role("button", name="HTML report")
    expect(button).to_be_visible(timeout=LONG)
    settled(page)
    with page.expect_download(timeout=LONG) as waiting:
        button.click()
    assert waiting.value.suggested_filename == f"{name}.html"
    kept = folder / "report.html"
    waiting.value.save_as(kept)
    asked: list[str] = []
    wrong: list[str] = []
    reader.on("request", lambda request: asked.append(request.url))
    reader.on("pageerror", lambda error: wrong.append(str(error)))
    reader.goto(kept.as_uri())
    expect(reader.locator(".main-svg").first).to_be_visible(timeout=LONG)
    expect(reader.locator("table tbody tr").first).to_be_visible()
    expect(reader.get_by_role("heading", name="The same numbers again")).to_be_visible()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert wrong == []


def test_what_stands_behind_the_table_is_one_tab_away_and_its_report_opens_without_any_network(
    page: Page, place: str, visitor: Visitor, tmp_path: Path
) -> None:
    opened(page, place, PICTURES)
    expect(page.get_by_label(re.compile("^Reliability diagram of Laplace"))).to_be_visible()
    expect(page.get_by_text(re.compile("confident by .* points on average")).first).to_be_visible()
    told_tab(page, "Two kinds of doubt", re.compile("models the two kinds of doubt rank the items alike"))
    told_tab(page, "Corruption", re.compile("were not asked about noise or blur turned up"))
    told_tab(page, "Zero-shot", re.compile("No zero-shot measurement is stored yet|ranks better than the entropy"))
    told_tab(page, "Diagnosis", re.compile("signs were looked for"))
    report_opens(page, "compare-toybox", visitor(offline=True), tmp_path)


def test_the_report_of_a_map_opens_without_any_network(
    page: Page, place: str, visitor: Visitor, tmp_path: Path
) -> None:
    page.goto(f"{place}/Map?{PICTURES}")
    report_opens(page, "map-toybox", visitor(offline=True), tmp_path)


def test_on_a_phone_it_stacks_and_wears_the_dark_theme(visitor: Visitor, place: str) -> None:
    page = visitor(390, 844, color_scheme="dark", has_touch=True)
    opened(page, place, PICTURES)
    narrow(page)
    drawing = page.locator(".penumbra-plot .drawing").first
    expect(drawing.locator(".main-svg").first).to_be_visible()
    box = drawing.bounding_box()
    assert box is not None
    assert 320 <= box["width"] <= 390
    assert drawing.evaluate("graph => graph._fullLayout.font.color") == "#E6EAF0"
