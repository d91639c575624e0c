"""The charts of Compare: what costs nothing is drawn too, and names stand apart."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from core.metrics.figure import Figure
from core.pipeline.contrasts import Sweep
from core.pipeline.table import Table
from core.pipeline.tabled import open_benches, tabled
from core.settings import PROJECT, Settings
from core.ui import _compare_charts, _compare_tradeoffs

NAMES = ["toybox-deterministic", "toybox-energy", "toybox-laplace"]
TITLES = {name: name.partition("-")[2] for name in NAMES}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"), checkpoints=PROJECT / "checkpoints", offline=True)


@pytest.fixture(scope="module")
def table(settings: Settings) -> Table:
    return tabled(open_benches(settings, "image", names=NAMES).found[0], settings, resamples=5)


def test_a_model_that_costs_nothing_stands_left_of_all_others(table: Table) -> None:
    figure = _compare_tradeoffs.tradeoff(table, TITLES, "stored", "nll", False)
    assert figure is not None
    dots: Any = figure.data[1]
    stored = {row.name: table.value(row, "stored") for row in table.rows}
    assert stored["toybox-energy"] == 0
    places = dict(zip((row.name for row in table.rows), dots.x, strict=True))
    assert 0 < places["toybox-energy"] < min(places["toybox-deterministic"], places["toybox-laplace"])
    assert places["toybox-laplace"] == stored["toybox-laplace"]
    notes = {note.text: note for note in figure.layout.annotations}
    assert 10 ** notes["none"].x == pytest.approx(places["toybox-energy"])
    assert dots.customdata[list(places).index("toybox-energy")][1] == "0"
    same = _compare_tradeoffs.tradeoff(table, TITLES, "params", "nll", False)
    assert same is not None
    assert "none" not in [note.text for note in same.layout.annotations]


def test_names_at_the_ends_of_lines_stand_apart_in_their_order() -> None:
    knob = np.array([0.0, 0.5, 1.0])

    def sweep(end: float) -> Sweep:
        value = np.array([0.1, 0.2, end])
        return Sweep(knob, value, value - 0.01, value + 0.01, Figure(1.0))

    found = {"<b>one</b>": sweep(0.5), "two": sweep(0.501), "three": sweep(0.2)}
    figure = _compare_charts.sweeps(found, list(found), "x", "y", False, share=False)
    notes = [(re.sub("<[^>]*>. ?", "", note.text), note.y) for note in figure.layout.annotations]
    assert [name for name, _ in notes] == ["two", "&lt;b&gt;one&lt;/b&gt;", "three"]
    low, high = figure.layout.yaxis.range
    pixels = [(place - low) / (high - low) * (340 - 64) for _, place in notes]
    assert pixels[0] - pixels[1] == pytest.approx(16)
    assert notes[2][1] == pytest.approx(0.2)
