"""Studies: each is a command of this app, holds no figure, and what it says follows its tables wherever they go."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import registry
from core.cli import _parser, main
from core.cli.sweep import wanted_of
from core.data._splits import drawn_sides
from core.experiments._study import Study, answered, verdict_of
from core.experiments.equivalents import worth
from core.fingerprint import numpy_generator
from core.metrics.students import Mean
from core.pipeline import recorded, swept
from core.pipeline.sweep import runner
from core.pipeline.swept import Row, Swept, Wanted, command_of, words_of
from core.settings import Settings, load
from core.training.divide import divided
from core.training.plan import Division
from core.ui import _panel_charts, _sweep_views
from tests.toy_models import few_digits

STUDIES: dict[str, Study] = dict(registry.discover("core.experiments", "STUDY"))
_METHODS = ("single", "mc_dropout", "dropsembles-0", "dropsembles-1", "dropsembles-100", "dropsembles-10000",
            "dropsembles", "ensemble")  # fmt: skip
_KEYS = ("accuracy", "nll", "ece", "first.nll", "parts", "r_auroc", "error_auroc", "ood_auroc", "slope", "level")
_DOUBTS = ("score", "max_softmax", "total", "aleatoric", "epistemic")


def wanted(study: Study) -> list[Wanted]:
    return [one.wanted for one in study.sweeps]


def made_up(study: Study, seed: int, shift: float = 0.0) -> dict[str, Any]:
    """Rows as the study's sweeps would give, of numbers drawn by chance; ``shift`` goes up from point to point. The
    documents are those that ship, with other numbers."""
    found: dict[str, Any] = {}
    for spoken in study.documents:
        kept = recorded.named(spoken.name, load({}))
        assert kept is not None
        found[spoken.name] = _redrawn(kept.document, (seed,), np.random.default_rng([seed, len(found), 1]))
    for one in wanted(study):
        points = one.points()
        if one.recipe == "dropsembles-toy":
            points = tuple((*point, f"method={key}") for point in points for key in _METHODS)
        draw = np.random.default_rng([seed, len(found)])
        rows = [
            Row(
                point,
                n,
                fold,
                _figures(draw, shift * place),
                _figures(draw, shift * place),
                {"train_seconds": 1.0 + place},
            )
            for n, fold, (place, point) in itertools.product(
                range(one.seeds), one.folds or (None,), enumerate(points, start=1)
            )
        ]
        found[one.name] = Swept(
            one.name, one.recipe, one.settings, one.over, one.choose, tuple(rows), date="2026-01-01"
        )
    return found


def _redrawn(value: Any, path: tuple[Any, ...], draw: np.random.Generator) -> Any:
    """Every number anew, nearly alike at one place of all documents; two that are an interval stay in order."""
    if isinstance(value, Mapping):
        return {key: _redrawn(inner, (*path, key), draw) for key, inner in value.items()}
    if isinstance(value, list):
        return sorted(_redrawn(inner, (*path, place), draw) for place, inner in enumerate(value))
    if not isinstance(value, float):
        return value
    here = numpy_generator(*path)
    return float(here.uniform(-1.0, 1.0) * 10.0 ** here.uniform(-3.0, 3.0) * draw.normal(1.0, 0.01))


def _figures(draw: np.random.Generator, rise: float) -> dict[str, float]:
    keys = [*_KEYS, *(f"{key}:{doubt}" for key in _KEYS[5:] for doubt in _DOUBTS)]
    return {key: float(rise + 0.5 + draw.normal(0.0, 0.001)) for key in keys}


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_every_study_is_commands_that_can_run(study: Study, settings: Settings) -> None:
    for one in wanted(study):
        read = wanted_of(_parser().parse_args(words_of(one)))
        assert read == one, "its command asks for the same"
        assert max(one.seeds, len(one.folds)) >= 3
        if one.recipe == "dropsembles-toy" or "data=digits" in one.settings:  # others render or download first
            runner(one, settings)
    for each in (*study.models, *study.documents):
        if each.words.startswith("core "):
            _parser().parse_args(shlex.split(each.words)[1:])
        else:
            assert find_spec(each.words.split()[0]) is not None
    assert study.minutes <= 120, "an hour of two cores"
    assert study.link.startswith("https://")


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_what_a_study_says_follows_its_rows(study: Study) -> None:
    """Other rows, other numbers in the sentence; and every chart has as many means as places."""
    one, two = (study.tell(made_up(study, seed, shift)) for seed, shift in ((0, 0.1), (1, -0.1)))
    numbers = [re.findall(r"\d+(?:\.\d+)?", answer.sentence) for answer in (one, two)]
    assert numbers[0]
    assert numbers[0] != numbers[1]
    for answer in (one, two):
        assert answer.panels
        for panel in answer.panels:
            assert all(len(line.values) == len(panel.places) for line in panel.series)
            assert any(mean is not None for line in panel.series for mean in line.values)


@pytest.mark.parametrize("study", [one for one in STUDIES.values() if one.claim], ids=lambda one: one.key)
def test_rows_the_other_way_round_turn_the_verdict(study: Study) -> None:
    """A verdict that no rows could change would be canned."""
    seeds = range(30 if study.documents else 3)
    found = {study.tell(made_up(study, seed, (0.1, -0.1, 0.0)[seed % 3])).verdict for seed in seeds}
    assert len(found) >= 2
    assert "measured" not in found


def test_a_claim_fails_with_one_side_and_holds_with_all() -> None:
    assert verdict_of((1, 1)) == "holds"
    assert verdict_of((1, 0)) == verdict_of(()) == "open"
    assert verdict_of((1, -1, 0)) == "fails"


def test_a_worth_lies_between_the_sizes_of_the_ensemble() -> None:
    members, curve = (1, 4, 16), (0.4, 0.3, 0.2)
    assert [worth(value, members, curve) for value in (0.9, 0.4, 0.3, 0.2, 0.1)] == pytest.approx([1, 1, 4, 16, 16])
    assert worth(0.25, members, curve) == pytest.approx(8.0), "half way along the logarithm"
    assert worth(0.3, members, (0.4, 0.3, 0.35)) == pytest.approx(4.0), "a curve that rises again is worth its best"


def test_a_study_is_answered_once_all_its_tables_are_there(settings: Settings) -> None:
    study = STUDIES["equivalents"]
    assert len(study.sweeps) == 2
    tables = made_up(study, 0)
    for name, table in tables.items():
        assert answered(study, settings) is None
        assert swept.save(table, settings).stem == name
    answer = answered(study, settings)
    assert answer is not None
    assert "2026-01-01" in answer.stands
    assert replace(answer, stands="") == study.tell(tables)
    whole = tables["equivalents-ensemble"]
    for rows in ((), whole.rows[1:]):
        swept.save(replace(whole, rows=rows), settings)
        assert answered(study, settings) is None, "a grid with holes"


def test_the_command_tells_what_is_stored_and_asks_for_what_is_not(settings: Settings, monkeypatch, capsys) -> None:
    for name, value in settings.environ().items():
        monkeypatch.setenv(name, value)
    study = STUDIES["loss_ranking"]
    assert main(("study", study.key, "--told")) == 2
    assert "minutes" in capsys.readouterr().err
    swept.save(made_up(study, 0)["loss-ranking"], load())
    assert main(("study", study.key, "--threads", "1")) == 0, "nothing is missing, so nothing is trained"
    answer = answered(study, settings)
    assert answer is not None
    assert answer.sentence in capsys.readouterr().out


def test_the_documents_that_ship_are_of_their_commands() -> None:
    for study in STUDIES.values():
        for one in study.documents:
            kept = recorded.named(one.name, Settings(home=Path("none")))
            assert kept is not None
            assert kept.command == one.command


def test_the_tables_that_ship_are_of_the_commands_that_stand_beside_them() -> None:
    known = {
        one.name: given for study in STUDIES.values() for one, given in zip(study.sweeps, wanted(study), strict=True)
    }
    folder = Path(__file__).resolve().parents[2] / "checkpoints" / "evaluations" / "sweeps"
    for path in folder.glob("*.json"):
        found, given = swept._opened(path), known[path.stem]
        assert found is not None
        assert found.answers(given)
        assert found.command == command_of(given)


def test_a_careless_split_divides_recordings_and_says_so(settings: Settings) -> None:
    few = few_digits(settings, 6, classes=2)
    paired = replace(few, items=tuple(replace(i, group=f"{i.label}-{n // 4}") for n, i in enumerate(few.items)))
    sides = divided(paired, Division(by="careless"))
    ids = [{item.id for item in part} for part in (sides.train, sides.validation, sides.test)]
    assert all(ids)
    assert sum(map(len, ids)) == len(set().union(*ids)) == len(paired.items)
    group = {item.id: item.group for item in paired.items}
    shared = {group[id_] for id_ in ids[0]} & {group[id_] for id_ in ids[2]}
    assert shared, "that is what it shows"
    whole = drawn_sides(paired)
    assert not {item.group for item in whole.train} & {item.group for item in whole.test}
    assert "leak" in sides.note


def test_a_mean_of_one_has_no_side() -> None:
    from core.experiments._study import side

    assert side(Mean(1.0, None, None)) == side(None) == side(Mean(1.0, -0.1, 2.1)) == 0
    assert side(Mean(1.0, 0.1, 1.9)) == 1


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_every_panel_is_drawn_also_where_seeds_agree(study: Study) -> None:
    """Of equal values the interval has no length, and rounding may put its ends on the wrong side."""
    equal = {
        name: replace(found, rows=tuple(replace(row, test=dict.fromkeys(row.test, 0.1 + 0.2)) for row in found.rows))
        if isinstance(found, Swept)
        else found
        for name, found in made_up(study, 0).items()
    }
    for tables in (equal, made_up(study, 1)):
        for panel in study.tell(tables).panels:
            drawn = _panel_charts.drawn(panel, dark=False).to_dict()["data"]
            assert sum(len(trace["x"]) for trace in drawn) == sum(
                mean is not None for line in panel.series for mean in line.values
            )
            places = [round(x, 6) for trace in drawn for x in trace["x"]]
            assert len(set(places)) == len(places), "none hides another"
            assert _panel_charts.finding(panel)


def test_a_sweep_is_drawn_against_costs_and_along_settings() -> None:
    table = made_up(STUDIES["loss_gradient"], 0, 0.1)["loss-gradient"]
    assert _sweep_views.costs_of(table) == ("train_seconds",)
    drawn = _sweep_views.against_cost(table, "train_seconds", "nll", dark=False).to_dict()["data"]
    assert len(drawn) == len(table.points)
    assert [trace["marker"]["symbol"] for trace in drawn].count("star") == 1
    panel = _sweep_views.along(table, "schedule.epochs", "nll")
    assert (panel.places, panel.joined) == (("4", "8", "16"), True)
    assert [line.title for line in panel.series] == ["stop_gradient yes", "stop_gradient no"]
    assert panel.series[1].values[2] == table.mean(("config.stop_gradient=no", "schedule.epochs=16"), "test", "nll")
    head, rows = _sweep_views.grid(table, ("nll", "accuracy"))
    assert len(rows) == 6
    assert all(len(row) == len(head) for row in rows)
    assert sum(_sweep_views.CHOSEN in cell for row in rows for cell in row) == 1
    assert "the best of 6 points" in _sweep_views.finding(table, "nll")
    assert len(_sweep_views.columns(table)["seed"]) == len(table.rows)
