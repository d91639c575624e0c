"""The README's figures come from commands that exist, and say whether a goal was met."""

from __future__ import annotations

import shlex

import pytest

from core import registry
from core.cli import _parser
from core.pipeline.recorded import short
from core.training.recipes import pick
from tests import evidence
from tests import evidence_words as words


def test_every_row_is_a_command_of_this_app() -> None:
    names = [row.name for row in evidence.ROWS]
    assert len(set(names)) == len(names)
    for row in evidence.ROWS:
        options = _parser().parse_args([*shlex.split(row.command), "--json"])
        if hasattr(options, "recipe"):
            pick(options.recipe)


def test_what_is_stored_is_read_and_belongs_to_its_row() -> None:
    known = {row.name: row for row in evidence.ROWS}
    studies = registry.discover("core.experiments", "STUDY").values()
    of_studies = {one.name for study in studies for one in study.documents}
    paths = {path.stem for path in evidence.STORED.glob("*.json")}
    assert paths
    assert paths <= known.keys() | of_studies
    for name in paths & known.keys():
        record, row = evidence.stored(name), known[name]
        assert record is not None
        assert record.command == f"python -m core {row.command}"
        told = row.told(record.document)
        assert told.measured
        assert told.reached in {"yes", "no", "–"} or " of " in told.reached


def difference(value: float, low: float, high: float) -> dict[str, object]:
    return {"first": 1.0, "second": 1.0 - value, "difference": value, "interval": [low, high]}


@pytest.mark.parametrize(
    ("accuracy", "nll", "ood", "reached"),
    [
        ((0.004, -0.01, 0.01), (-0.02, -0.03, -0.01), (0.05, 0.01, 0.09), "yes"),
        ((0.006, -0.01, 0.01), (-0.02, -0.03, 0.01), (0.05, -0.01, 0.09), "1 of 4"),
        ((0.004, -0.01, 0.01), (-0.02, -0.03, -0.01), (-0.05, -0.09, -0.01), "3 of 4"),
    ],
)
def test_a_goal_is_met_where_the_whole_interval_is(accuracy, nll, ood, reached: str) -> None:
    found = {"accuracy": difference(*accuracy), "nll": difference(*nll), "ece": difference(-0.1, -0.2, -0.05)}
    document = {
        "first": {"stored": 300},
        "second": {"params": 10_000},
        "differences": {**found, "ood toybox": difference(*ood)},
    }
    told = words.abnn(document)
    assert told.reached == reached
    assert "extra weights 3.00 %" in told.measured


def test_a_short_document_keeps_what_is_left_at_80_percent() -> None:
    curve = [[1.0, 0.9], [0.8, 0.95], [0.5, 1.0]]
    whole = {"pooled": {"nll": 1.0}, "retention": {"total": curve}, "pieces": [1], "against": {"retention": {}}}
    assert short(whole) == {"pooled": {"nll": 1.0}, "kept80": {"total": 0.95}, "against": {"kept80": {}}}
