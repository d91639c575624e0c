"""``models`` lists what was trained here beside what came with the app, and says what a model still needs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from core.cli import main
from core.settings import Settings


@pytest.fixture
def listed(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    for name, value in settings.environ().items():
        monkeypatch.setenv(name, value)

    def rows() -> dict[str, dict[str, Any]]:
        assert main(("models", "--json")) == 0
        return {row["name"]: row for row in json.loads(capsys.readouterr().out)["models"]}

    return rows


def put(place: Path, name: str, *, weights: bool = True, **card: Any) -> Path:
    folder = place / name
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(json.dumps({"kind": "image", "method": "abnn", "classes": ["a"], **card}))
    if weights:
        (folder / "model.safetensors").write_bytes(b"")
    return folder


def test_own_models_stand_beside_shipped_ones_and_hide_their_names(settings: Settings, listed: Any) -> None:
    put(settings.checkpoints, "shipped", method="knn")
    put(settings.checkpoints, "both", method="knn")
    put(settings.models, "both", method="vim")
    put(settings.models, "mine")
    put(settings.models, ".mine.previous")
    rows = listed()
    assert {name: row["own"] for name, row in rows.items()} == {"both": True, "mine": True, "shipped": False}
    assert rows["both"]["method"] == "vim"
    assert all(row["ready"] for row in rows.values())


def test_a_model_on_weights_that_are_not_here_tells_the_command(settings: Settings, listed: Any) -> None:
    from core.checkpoints.weights import path_of

    put(settings.checkpoints, "esc10-det-flip", start={"backbone": "sfx", "weights": "published"})
    put(settings.checkpoints, "other", start={"backbone": "sfx", "weights": "drawn"})
    rows = listed()
    assert rows["other"]["ready"]
    assert not rows["esc10-det-flip"]["ready"]
    assert "python -m core weights fetch sfx" in rows["esc10-det-flip"]["why_not"]
    with pytest.raises(Exception, match="fetch"):
        path_of("sfx", settings)


def test_a_model_that_begins_with_another_needs_it(settings: Settings, listed: Any) -> None:
    source = put(settings.checkpoints, "source")
    put(settings.models, "below", start={"weights": "model", "model": "source"})
    put(settings.models, "above", start={"weights": "model", "model": "below"})
    put(settings.models, "circle", start={"weights": "model", "model": "circle"})
    rows = listed()
    assert rows["above"]["ready"]
    assert "itself" in rows["circle"]["why_not"]
    (source / "model.safetensors").unlink()
    assert listed()["above"]["why_not"] == "needs the model below: needs the model source: model.safetensors is missing"
    shutil.rmtree(source)
    rows = listed()
    assert rows["below"]["why_not"] == "needs the model source, which is not here"
    assert not rows["above"]["ready"]


def test_a_damaged_card_hides_no_other_model(settings: Settings, listed: Any) -> None:
    (put(settings.models, "bad") / "card.json").write_text("[1")
    (put(settings.models, "list") / "card.json").write_text("[]")
    (put(settings.models, "odd")).joinpath("card.json").write_text('{"start": 3}')
    put(settings.models, "good")
    rows = listed()
    assert rows["good"]["ready"]
    assert {rows[name]["why_not"] for name in ("bad", "list", "odd")} == {"its card.json is damaged"}


def test_a_model_whose_weights_lie_with_a_neighbour_needs_it(settings: Settings, listed: Any) -> None:
    plain = put(settings.checkpoints, "plain")
    lent = {"model": {"by": "plain", "sha256": "0", "tensors": [], "left": None}}
    put(settings.checkpoints, "dropout", weights=False, lent=lent)
    assert listed()["dropout"]["ready"]
    shutil.rmtree(plain)
    assert listed()["dropout"]["why_not"] == "its weights lie with the model plain, which is not here"
