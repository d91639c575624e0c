"""What is taken along: a report that asks no network for anything, and scripts that give the same numbers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from plotly import graph_objects as go

from core.fingerprint import numpy_generator
from core.pipeline import elsewhere
from core.pipeline.atlas import Atlas, open_atlas
from core.pipeline.elsewhere import Elsewhere
from core.pipeline.tabled import known, open_benches, tabled
from core.settings import Settings
from core.ui import _compare_report, _compare_table, _map_report, report
from core.ui._compare_views import Page
from core.ui.controls import Choice
from core.ui.report import Chart, Listing, Report
from tests.patience import SECONDS
from tests.visits import at_home

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = ["toybox-deterministic", "toybox-knn", "toybox-mc-dropout"]
ROGUE = '</script><script>alert("x")</script>'


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The pages' settings are those of the test as well."""
    with at_home(tmp_path_factory.mktemp("home")) as found:
        yield found


@pytest.fixture(scope="module")
def page(settings: Settings) -> Page:
    bench = open_benches(settings, "image", names=NAMES).found[0]
    draw = numpy_generator("report", 0)
    for sheet in bench.sheets:
        one = Elsewhere(
            domain="digits:test", title="Digits", source="digits", model=sheet.name, mark=sheet.mark,
            draws=sheet.draws, seed=sheet.seed, most=20, fingerprint="same", seconds=0.01, hardware="1 CPU thread",
            date="2026-11-21", ids=tuple(map(str, range(20))), groups=np.arange(20), labels=np.full(20, -1),
            learned=np.zeros(20, bool), knob=np.full(20, np.nan), lines=np.zeros(20, np.int64),
            probs=draw.dirichlet(np.ones(12), 20),
            doubts={name: values[:20] * 1.3 for name, values in sheet.doubts.items()},
        )  # fmt: skip
        elsewhere.save(one, settings)
    table = tabled(bench, settings, reference=NAMES[1], domain="digits:test", seed=3, resamples=30)
    titles = {name: name.partition("-")[2] for name in NAMES}
    asked = known(bench, settings)
    return Page(Choice(NAMES[0]), bench, table, titles, None, "digits:test", "nll", bench.sheets, asked)


def run(script: str, folder: Path, settings: Settings) -> list[list[str]]:
    path = folder / "again.py"
    path.write_text(script)
    environment = {**os.environ, "PENUMBRA_HOME": str(settings.home), "PYTHONPATH": str(ROOT), "PENUMBRA_OFFLINE": "1"}
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=SECONDS, env=environment)
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


class Outside(HTMLParser):
    """Everything in a page that a browser would fetch, and the texts of its cells."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [f"{tag} {value}" for name, value in attrs if name in ("src", "href", "srcset", "action")]
        self.fetched += [tag] if tag in ("link", "iframe", "object", "embed", "base") else []
        self.scripts += tag == "script"


def test_the_report_holds_all_that_it_needs_and_escapes_what_it_is_told() -> None:
    figure = go.Figure(go.Scatter(x=[1, 2], y=[3.0, 4.5], text=[ROGUE, "b"]))
    parts = (Chart(f"Chart {ROGUE}", figure, "It rises.", ROGUE), Listing("Rows", ("a", ROGUE), (("1", ROGUE),), ROGUE))
    text = report.html_of(Report(ROGUE, (ROGUE,), parts, {"model": ROGUE}, f"print({ROGUE!r})"))
    found = Outside()
    found.feed(text)
    assert found.fetched == []
    assert found.scripts == 3  # the figure's numbers, the library, and what draws
    assert 'alert("x")' not in text
    assert "default-src 'none'" in text
    data = re.search(r'data-target="figure-0">(.*?)</script>', text)
    assert data is not None
    assert json.loads(data[1])["data"][0]["text"][0] == ROGUE
    assert "plotly.js v" in text


def test_the_report_of_compare_has_the_table_every_chart_and_where_it_comes_from(page: Page) -> None:
    script = _compare_report.script_of(page, 20)
    made = _compare_report.report_of(page, script)
    text = report.html_of(made)
    charts = [part for part in made.parts if isinstance(part, Chart)]
    assert len(charts) >= 3 * 2 + 1
    assert all(chart.alt and chart.finding for chart in charts)
    for told in ("0.923", "mc-dropout", "Digits", page.about()["fingerprint"], "<dd>3</dd>", "torch", "open_benches"):
        assert told in text, told
    assert text.count("<tr>") == 1 + len(NAMES)


def test_the_script_of_compare_gives_the_table_again(page: Page, settings: Settings, tmp_path: Path) -> None:
    rows = run(_compare_report.script_of(page, 20), tmp_path, settings)
    keys = rows[0][1:]
    assert "ood_auroc" in keys
    assert [row[0] for row in rows[1:]] == [row.name for row in page.table.ordered("nll")]
    for name, *values in rows[1:]:
        told = [page.table.row(name).cells[key].figure.value for key in keys]
        assert values == ["" if value is None else f"{value:.6g}" for value in told]


@pytest.mark.parametrize("some", [False, True])
def test_the_script_of_a_map_gives_its_items_again(some: bool, settings: Settings, tmp_path: Path) -> None:
    atlas = open_atlas("heldout", "toybox-mc-dropout", settings)
    chosen = np.array([3, 11, 500]) if some else np.arange(len(atlas))
    other = atlas.on(atlas.maps[-1])
    rows = run(_map_report.script_of(other, chosen), tmp_path, settings)
    assert [row[0] for row in rows[1:]] == [other.ids[row] for row in chosen.tolist()]
    assert other.points is not None
    assert float(rows[1][3]) == pytest.approx(float(other.points[chosen[0], 0]))
    assert float(rows[2][4]) == pytest.approx(float(other.points[chosen[1], 1]))
    place = rows[0].index("epistemic")
    assert float(rows[3][place]) == pytest.approx(float(other.doubts["epistemic"][chosen[2]]), rel=1e-5)


def test_the_report_of_a_map_lists_the_most_doubtful(settings: Settings) -> None:
    atlas: Atlas = open_atlas("heldout", "toybox-mc-dropout", settings)
    made = _map_report.report_of(atlas, np.arange(100), "")
    chart, listing = made.parts
    assert isinstance(chart, Chart)
    assert isinstance(listing, Listing)
    assert len(chart.figure.to_dict()["data"][0]["text"]) == 100
    assert listing.rows[0][0] == atlas.ids[int(np.argmax(atlas.doubts["total"][:100]))]
    assert "selected among" in made.sentences[-1]
    bare = replace(atlas, points=None)
    assert len(_map_report.report_of(bare, np.arange(100), "").parts) == 1


def test_the_copies_say_the_same_in_every_form(page: Page) -> None:
    arguments = (page.table, page.titles, page.sort)
    markdown = _compare_table.markdown(*arguments, page.about()).splitlines()
    latex = _compare_table.latex(*arguments, page.about())
    columns = _compare_table.columns(*arguments)
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown[:2]]
    assert len(cells[0]) == len(cells[1])
    rows = [line for line in markdown[2:] if line.startswith("|")]
    assert [row.split("|")[1].strip() for row in rows] == columns["title"]
    assert latex.count(r"\\") == 1 + len(NAMES)
    assert all(line.count("&") == len(cells[0]) - 1 for line in latex.splitlines() if line.endswith(r"\\"))
    assert latex.count(r"\textbf{") == sum(cell.count("★") for cell in rows)
    body = latex.partition(r"\toprule")[2].partition(r"\bottomrule")[0]
    assert not re.search(r"(?<!\\)[%_#]", body)
    place = columns["name"].index(NAMES[1])
    assert columns["nll_less_reference"][place] is None
    assert columns["nll_low"][0] < columns["nll"][0] < columns["nll_high"][0]
