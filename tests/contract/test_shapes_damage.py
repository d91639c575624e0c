"""More and more damage: what is asked, what is kept on the way, what is said of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.cli import main
from core.pipeline import damaged, reconstruct
from core.pipeline.damaged import FIGURES, damages, measure
from core.pipeline.reconstruct import TITLES, Asked
from core.settings import Settings
from core.ui import _shapes_damage
from core.ui._shapes_damage import chart, columns, finding, rows_of


def test_every_kind_of_damage_is_asked_alone_and_then_all_together() -> None:
    for data, knobs in (("vertebrae", reconstruct.Scan), ("digits", reconstruct.Glimpse)):
        found = list(damages(data))  # type: ignore[arg-type]
        assert found[0].kind == "none"
        assert [one.level for one in found if one.kind == "all together"] == ["mild", "middle", "strong"]
        part = "scan" if data == "vertebrae" else "glimpse"
        clean = getattr(found[0], part)
        for one in found[1:]:
            changed = {
                name for name in knobs.__dataclass_fields__ if getattr(getattr(one, part), name) != getattr(clean, name)
            }
            assert changed == {one.kind} or one.kind == "all together"
            assert one.kind == "all together" or one.kind in _shapes_damage._KINDS


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], list[Asked]]:
    """Figures that follow from what is asked: Dice is the share of pixels seen, less a little for each shape."""
    from core.pipeline import _reconstructing
    from core.shapes import kept

    heard: list[Asked] = []

    def filled(asked: Asked, *more: object) -> SimpleNamespace:
        heard.append(asked)
        value = asked.glimpse.kept - 0.1 * asked.number
        figures = {name: value if name != "admitted" else None for name in FIGURES}
        return SimpleNamespace(answers=[SimpleNamespace(key=key, figures=figures) for key in TITLES])

    monkeypatch.setattr(_reconstructing, "filled", filled)
    monkeypatch.setattr(kept, "load", lambda folder: None)
    monkeypatch.setattr(damaged, "_RESAMPLES", 20)
    settings = Settings(home=tmp_path)
    found = measure("digits", 3, settings)
    count = len(heard)
    assert measure("digits", 3, settings) == found
    assert len(heard) == count, "what was measured is not measured again"
    return found, heard


def test_means_are_over_the_same_shapes_and_the_undefined_stays_so(told: tuple[dict[str, Any], list[Asked]]) -> None:
    found, heard = told
    assert [asked.number for asked in heard] == [0, 1, 2] * len(found["rows"])
    rows = {(row["kind"], row["level"]): row["methods"]["single"] for row in found["rows"]}
    assert rows["none", ""]["dice"][0] == pytest.approx(0.9)
    mean, low, high = rows["kept", "0.4"]["dice"]
    assert mean == pytest.approx(0.3)
    assert 0.2 <= low < mean < high <= 0.4
    assert rows["kept", "0.4"]["admitted"] == [None, None, None]


def test_what_is_said_and_drawn_follows_the_numbers(told: tuple[dict[str, Any], list[Asked]]) -> None:
    found, _ = told
    rows = rows_of(found, "kept")
    assert [row["level"] for row in rows] == ["", "0.7", "0.4", "0.2"]
    rows[-1]["methods"]["free"]["dice"] = (0.5, 0.4, 0.6)
    said = finding(rows, "dice", "kept", 3, "pixels")
    assert said.startswith("Dice, pixels seen: at the most damage Dropsembles does best, 0.5 [0.4, 0.6]")
    assert "from 0.9 without damage to 0.1" in said
    rows[-1]["methods"]["free"]["hd95"] = (0.5, 0.4, 0.6)
    assert "and Dropsembles worst, 0.5" in finding(rows, "hd95", "kept", 3, "pixels"), "less is better"
    assert "not defined" in finding(rows, "admitted", "kept", 3, "pixels")
    notes = chart(rows, "dice", dark=False).to_dict()["layout"]["annotations"]
    assert all(any(title in note["text"] for note in notes) for title in TITLES.values())
    table = columns(found)
    assert {len(values) for values in table.values()} == {len(found["rows"]) * len(TITLES)}


def test_damage_is_for_what_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shapes", "mnist", "--damage", "2"]) == 2
    assert "vertebrae, digits and pictures" in capsys.readouterr().err
    assert damaged.place_of("digits", Settings(), shipped=True).is_file()
