"""What models say of items from elsewhere: one network for many heads, kept, and not asked twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.checkpoints.answering import answers
from core.checkpoints.folders import find, mark_of
from core.checkpoints.saved import load_model
from core.cli import main
from core.data import open_dataset
from core.errors import UserFacingError
from core.fingerprint import key_of, sha256_of
from core.media import door
from core.pipeline import ask as asking
from core.pipeline import elsewhere
from core.pipeline._turned import LINES, MIXES
from core.pipeline.ask import ask
from core.pipeline.elsewhere import domain_of, known, offered, paths_of, read, spread
from core.settings import Settings
from core.training.examples import Examples, InMemory
from tests import shipped_asked

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = ("toybox-deterministic", "toybox-knn", "toybox-mc-dropout")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"), checkpoints=ROOT / "checkpoints", offline=True)


def test_shared_features_give_what_each_model_says_alone(settings: Settings) -> None:
    found = {one.model: one for one in ask(NAMES, domain_of("digits:test"), settings, most=6)}
    data = open_dataset("digits", settings)
    items = spread([item for item in data.items if item.split == "test"], 6)
    raws = [data.read(item) for item in items]
    for name in NAMES:
        model, told = load_model(name, settings), found[name]
        inputs = torch.stack([model.network.prepare(door.open_media(raw, kind="image")).tensor for raw in raws])
        keys = torch.tensor([key_of(sha256_of(raw)) for raw in raws])
        said = answers(model, Examples(InMemory(inputs), torch.zeros(6), keys), draws=told.draws, seed=told.seed)
        assert told.ids == tuple(item.id for item in items)
        for measure, values in told.doubts.items():
            np.testing.assert_allclose(values, said.doubts[measure], rtol=1e-4, atol=1e-5)
        assert told.seconds is not None
        assert told.outside.all()
    assert "epistemic" not in found[NAMES[0]].doubts
    assert "score" in found[NAMES[1]].doubts


def test_what_is_stored_is_not_asked_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ask(NAMES[:1], domain_of("toybox:held-out"), settings, most=4)[0]
    assert (first.labels == -1).all()
    monkeypatch.setattr(asking, "_answer", lambda *told: pytest.fail("asked twice"))
    again = ask(NAMES[:1], domain_of("toybox:held-out"), settings, most=4)[0]
    assert again.ids == first.ids
    assert "toybox:held-out" in known(first.model, first.mark, settings, first.draws, first.seed)


def test_a_damaged_answer_is_none_and_asked_again(settings: Settings) -> None:
    first = ask(NAMES[:1], domain_of("digits:test"), settings, most=3)[0]
    place, _ = paths_of(first.model, first.mark, first.domain, 3, first.draws, first.seed, settings)
    before, whole = read(place), place.read_bytes()
    assert before is not None
    place.with_name(".half.npz").write_bytes(whole[:40])  # another process writes it just now
    for part in (b"", whole[:40], whole[:-200], b"PK" + whole[2:600]):
        place.write_bytes(part)
        assert read(place) is None
        known(first.model, first.mark, settings, first.draws, first.seed)
    ask(NAMES[:1], domain_of("digits:test"), settings, most=3)
    told = read(place)
    assert told is not None
    np.testing.assert_array_equal(told.probs, before.probs)


# ---- what came with the app ----


def test_what_shipped_models_say_of_strangers_is_there_in_an_empty_home(tmp_path: Path) -> None:
    """Of just these models and items, and small; the seconds of another machine are not told."""
    here = Settings(home=tmp_path, checkpoints=ROOT / "checkpoints", offline=True)
    place = here.checkpoints / "elsewhere"
    assert {path.name for path in place.iterdir()} == shipped_asked.folders(), "run python -m tests.shipped_asked"
    assert sum(path.stat().st_size for path in place.rglob("*.npz")) < 1_000_000
    for data, domains in shipped_asked.ABOUT.items():
        items = open_dataset(data, here).items
        for name in shipped_asked.shipped(data):
            mark = mark_of(find(name, here))
            (way,) = elsewhere.ways(name, mark, here)
            for domain in map(domain_of, domains):
                found = elsewhere.load(name, mark, domain.key, here, *way)
                assert found is not None
                mine = [one for one in items if one.split == "ood" and domain.part in (None, dict(one.extra)["part"])]
                assert found.ids == tuple(one.id for one in spread(mine, elsewhere.MOST))
                assert found.outside.all()
            assert elsewhere.timed(name, mark, here, way[0]) is None


def test_what_is_asked_here_comes_before_what_came_with_the_app(settings: Settings, tmp_path: Path) -> None:
    (first,) = ask(NAMES[:1], domain_of("digits:test"), settings, most=5)
    both = replace(settings, home=tmp_path / "home", checkpoints=tmp_path / "checkpoints")
    way = (first.model, first.mark, first.domain, both, first.draws, first.seed)
    elsewhere.save(first, both, ship=True)
    came = elsewhere.load(*way)
    assert came is not None
    assert (came.seconds, came.hardware, came.ids) == (None, "", first.ids)
    elsewhere.save(first, both)
    mine = elsewhere.load(*way)
    assert mine is not None
    assert (mine.seconds, mine.hardware) == (first.seconds, first.hardware)
    other = f"{first.mark[:12]}{'0' * 52}"  # of weights whose name begins alike
    assert elsewhere.load(first.model, other, first.domain, both, first.draws, first.seed) is None


def test_a_turned_knob_has_lines_places_and_labels(settings: Settings) -> None:
    found = ask(NAMES[:1], domain_of("spoiling"), settings, most=12)[0]
    assert len(found) == 12
    assert len(np.unique(found.lines)) == 2
    assert sorted(set(found.knob.tolist())) == [0.0, 0.15, 0.3, 0.45, 0.6, 0.8]
    assert (found.labels >= 0).all()
    assert set(found.errors.tolist()) <= {0.0, 1.0}
    mixed = ask(NAMES[:1], domain_of("mixing"), settings, most=12)[0]
    assert (mixed.labels == -1).all()  # what is mixed has no one class
    assert not mixed.outside.any()


def test_items_that_a_model_learned_from_are_marked(settings: Settings) -> None:
    found = ask(NAMES[:1], domain_of("toybox:train"), settings, most=5)[0]
    assert found.learned.all()
    assert not found.outside.any()


def test_what_is_left_out_is_noted_and_labels_are_read_as_people_write_them(settings: Settings, tmp_path: Path) -> None:
    digits = open_dataset("digits", settings)
    raw = digits.read(next(item for item in digits.items if item.split == "test"))
    for name, content in (
        ("Cup/one.png", raw),
        ("Cup/two.png", raw[:60]),
        ("Zebra/three.png", raw),
        ("Cup/no.png", b""),
    ):
        place = tmp_path / "mine" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    found = ask(["toybox-knn"], domain_of(str(tmp_path / "mine")), settings, most=10)[0]
    cup = load_model("toybox-knn", settings).card.classes.index("cup")
    assert dict(zip(found.ids, found.labels.tolist(), strict=True)) == {"Cup/one.png": cup, "Zebra/three.png": -1}
    assert [note for note in found.notes if "1 items could not be read" in note]
    assert [note for note in found.notes if "the file is empty" in note]


def test_no_wish_is_too_large_for_a_knob(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def counted(asked: object, asking: Any, progress: object) -> None:
        raise UserFacingError(f"{len(asking.things)} things")

    monkeypatch.setattr(asking, "_answer", counted)
    with pytest.raises(UserFacingError, match=f"^{len(MIXES) * LINES} things"):
        ask(["toybox-knn"], domain_of("mixing"), settings, most=1_000_000)


def test_sounds_are_refused_by_models_for_pictures(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserFacingError, match="is of the kind audio"):
        ask(NAMES[:1], domain_of("soundbox:ships"), settings, most=2)
    with pytest.raises(UserFacingError, match="Knobs with a known truth"):
        ask(["toybox-knn", "soundbox-knn"], domain_of("mixing"), settings, most=12)
    monkeypatch.setenv("PENUMBRA_HOME", str(settings.home))
    assert main(["ask", "--model", "toybox-knn", "--about", "digits:ood", "--most", "3"]) == 2
    assert "has no items of" in capsys.readouterr().err
    assert main(["ask", "--model", "toybox-knn", "--about", "digits:test", "--most", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["asked"][0]
    assert (told["model"], told["learned"], told["draws"]) == ("toybox-knn", 0, 1)


def test_what_is_offered_needs_no_download() -> None:
    assert [one.key for one in offered("audio", "soundbox")][:4] == [
        "soundbox:held-out",
        "soundbox:ships",
        "mixing",
        "spoiling",
    ]
    assert "mixing" not in [one.key for one in offered("audio", "esc10")]
    assert all(one.kind in (None, "image") for one in offered("image", "cifar10"))
    assert domain_of("fsdd:test").split == "test"
    assert domain_of("fsdd").split is None
