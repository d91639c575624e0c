"""What Map, Retention and Retrieve draw is what is stored: held-out items that ship, and collections."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from core.errors import UserFacingError
from core.fingerprint import key_of
from core.maps.draw import MapOptions
from core.maps.saved import SavedMap, of_collection, save_map
from core.maps.trust import Trust
from core.pipeline import _atlas_source
from core.pipeline.atlas import atlases, open_atlas, read_item, thumbnail, thumbnails
from core.settings import PROJECT, Settings
from core.store import Backbone, open_collection
from core.ui import _cached_atlas
from core.verdict import UNFAMILIAR
from tests.atlases import MODEL, READ, WORDS, filled, picture
from tests.patience import SECONDS


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", decoders=1, offline=True)


def drawn() -> SavedMap:
    points = np.arange(6, dtype=np.float32).reshape(3, 2)
    ids = ("2.png", "0.png", "gone.png")
    return SavedMap("k" * 64, ids, points, MapOptions(), READ, "umap", Trust(0.9, 0.5, 5, 3), 0.1, "2026")


def kept(model: str, part: str) -> dict[str, np.ndarray]:
    """A part of a shipped model by plain safetensors: its own file, and what lies with its neighbour."""
    place = PROJECT / "checkpoints"
    file, lent = f"{part}.safetensors", json.loads((place / model / "card.json").read_text()).get("lent", {}).get(part)
    own = load_file(place / model / file) if (place / model / file).is_file() else {}
    there = load_file(place / lent["by"] / file) if lent else {}
    return {**own, **{name: there[name] for name in (lent or {"tensors": ()})["tensors"]}}


def test_held_out_items_are_those_of_the_stored_part(settings: Settings) -> None:
    atlas = open_atlas("heldout", MODEL, settings)
    stored = kept(MODEL, "heldout")
    card = json.loads((PROJECT / "checkpoints" / MODEL / "card.json").read_text())
    assert list(atlas.ids) == stored["ids"].tobytes().decode().split("\n")
    assert atlas.classes == tuple(card["classes"])
    for name in ("total", "aleatoric", "epistemic", "novelty"):
        assert np.array_equal(atlas.doubts[name], stored[f"doubt.{name}"].astype(np.float64))
        table = np.array(card["posthoc"]["percentiles"][name])
        row = 17
        below, same = (table < atlas.doubts[name][row]).sum(), (table == atlas.doubts[name][row]).sum()
        assert below - 1 <= atlas.percentiles[name][row] <= below + same
    right = stored["probs"].astype(np.float32).argmax(axis=1) == stored["labels"]
    assert np.array_equal(atlas.right, right.astype(float))
    assert atlas.right.mean() == pytest.approx(card["metrics"]["accuracy"]["value"], abs=1e-9)
    assert atlas.label_names[3] == card["classes"][stored["labels"][3]]


def test_a_bare_clone_has_a_map_with_its_trust_and_a_second_seed(settings: Settings) -> None:
    for model in ("soundbox-ensemble", "soundbox-vim", "toybox-laplace", "esc10-mc-dropout"):
        atlas = open_atlas("heldout", model, settings)
        assert atlas.points is not None
        assert np.isfinite(atlas.points).all()
        assert atlas.trust is not None
        assert (atlas.trust.trustworthiness or 0) > 0.9
        assert [one.options.seed for one in atlas.maps] == [0, 1]
        other = atlas.on(atlas.maps[1])
        assert other.points is not None
        assert not np.array_equal(other.points, atlas.points)


def test_point_estimates_have_no_epistemic_doubt(settings: Settings) -> None:
    atlas = open_atlas("heldout", "toybox-deterministic", settings)
    assert "epistemic" not in atlas.doubts
    assert "epistemic" not in atlas.percentiles


def test_codes_follow_the_rules_for_files(settings: Settings) -> None:
    atlas = open_atlas("heldout", MODEL, settings)
    codes = [atlas.code(row) for row in range(len(atlas))]
    for row, code in enumerate(codes):
        strange = max(atlas.percentiles["novelty"][row], atlas.percentiles["epistemic"][row])
        assert (code == "unfamiliar") == (strange >= UNFAMILIAR)
    trusted = [atlas.right[row] for row, code in enumerate(codes) if code == "trust"]
    assert np.mean(trusted) > atlas.right.mean()


def test_a_collection_is_read_as_it_is_stored(settings: Settings, tmp_path: Path) -> None:
    filled(settings, tmp_path / "source")
    atlas = open_atlas("five", MODEL, settings, draws=2)
    assert atlas.ids == tuple(f"{n}.png" for n in range(5))
    assert (atlas.draws, atlas.seed, atlas.title, atlas.kind) == (2, 3, "Five", "image")
    assert [atlas.classes[at] if at >= 0 else None for at in atlas.labels] == ["ball", "boat", "cup", None, None]
    assert atlas.label_names == WORDS
    assert atlas.groups.tolist() == [0, 0, 1, 2, 3]
    assert np.allclose(atlas.doubts["total"], [2.0, 2.1, 2.2, 2.3, np.nan], equal_nan=True)
    assert np.allclose(atlas.doubts["epistemic"], [0.02, np.nan, 0.02, 0.02, np.nan], equal_nan=True)
    assert np.isnan(atlas.percentiles["epistemic"]).tolist() == [False, True, False, False, True]
    assert "novelty" not in atlas.doubts
    assert np.array_equal(atlas.right, [0, 1, 0, np.nan, np.nan], equal_nan=True)
    assert atlas.columns["room"] == ("r0", "r1", "r0", "r1", "r0")
    assert atlas.columns["fold"] == tuple("01234")
    assert atlas.feature_rows.tolist() == [0, 1, 2, 3]
    assert atlas.points is None
    assert atlas.learned is not None
    assert not atlas.learned.any()
    assert open_atlas("five", MODEL, settings, draws=500).draws == 9  # nobody asked so: the latest
    assert open_atlas("five", MODEL, settings, draws=9).fingerprint != atlas.fingerprint


def test_items_that_a_model_learned_from_are_marked(settings: Settings, tmp_path: Path) -> None:
    filled(settings, tmp_path / "source")
    seen = kept(MODEL, "seen")["keys"]
    shas = open_atlas("five", MODEL, settings).shas or ()
    assert [key_of(sha) in seen for sha in shas] == [False] * 5
    known = [int(key) & (2**64 - 1) for key in seen[:1]]
    with open_collection(settings.collections, "five", write=True) as writer:
        row = writer.fetch(["0.png"])[0]
        writer.add([replace(row, sha256=f"{known[0]:016x}" + "0" * 48)])
    atlas = open_atlas("five", MODEL, settings)
    assert atlas.learned is not None
    assert [id_ for id_, seen in zip(atlas.ids, atlas.learned, strict=True) if seen] == ["0.png"]


def test_a_map_of_other_vectors_is_not_taken(settings: Settings, tmp_path: Path) -> None:
    filled(settings, tmp_path / "source")
    folder = of_collection("five", settings)
    save_map(folder, replace(drawn(), key="o" * 64, backbone=Backbone("other", "1", 4)))
    assert open_atlas("five", MODEL, settings).points is None
    save_map(folder, drawn())
    atlas = open_atlas("five", MODEL, settings)
    assert atlas.points is not None
    assert atlas.points[[0, 2]].tolist() == [[2, 3], [0, 1]]
    assert np.isnan(atlas.points[[1, 3, 4]]).all()


def test_what_is_played_is_what_was_judged(settings: Settings, tmp_path: Path) -> None:
    filled(settings, tmp_path / "source")
    atlas = open_atlas("five", MODEL, settings)
    assert read_item(atlas, "3.png", settings) == picture(3)
    assert thumbnail(atlas, "3.png", settings) == picture(3)
    (tmp_path / "source" / "3.png").write_bytes(picture(1))
    with pytest.raises(UserFacingError, match="changed since it was indexed"):
        read_item(atlas, "3.png", settings)
    with pytest.raises(UserFacingError, match="no longer among"):
        read_item(atlas, "../../etc/passwd", settings)
    (tmp_path / "source").rename(tmp_path / "moved")
    with pytest.raises(UserFacingError, match="not where it was") as caught:
        read_item(atlas, "3.png", settings)
    assert str(tmp_path) not in str(caught.value)
    assert thumbnail(atlas, "2.png", settings) == picture(2)


def test_built_in_items_can_be_read_and_published_ones_only_from_a_copy(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    atlas = open_atlas("heldout", MODEL, settings)
    assert Image.open(io.BytesIO(read_item(atlas, atlas.ids[0], settings))).format == "PNG"
    assert len(thumbnails(atlas, atlas.ids[:2], settings)) == 2
    away = open_atlas("heldout", "esc10-ensemble", replace(settings, data=None))
    with pytest.raises(UserFacingError, match="PENUMBRA_DATA"):
        read_item(away, away.ids[0], settings)
    assert thumbnails(away, away.ids[:2], settings) == {}
    asked: list[Settings] = []
    monkeypatch.setattr(_atlas_source, "open_source", lambda source, here: asked.append(here))
    _atlas_source.data_of("esc10", replace(settings, offline=False))
    assert asked[0].offline  # nothing is fetched to be looked at


def test_a_collection_of_other_models_asks_to_be_indexed(settings: Settings, tmp_path: Path) -> None:
    filled(settings, tmp_path / "source")
    with pytest.raises(UserFacingError, match="index it with toybox-vim"):
        open_atlas("five", "toybox-vim", settings)
    with pytest.raises(UserFacingError, match="no collection"):
        open_atlas("six", MODEL, settings)


def test_what_there_is_begins_with_what_came_with_the_model(settings: Settings, tmp_path: Path) -> None:
    assert [one.data for one in atlases(settings)] == ["heldout"]
    filled(settings, tmp_path / "source")
    found = atlases(settings, "image")
    assert [one.data for one in found] == ["heldout", "five"]
    assert (found[1].title, found[1].items, found[1].models) == ("Five", 5, (MODEL,))
    assert [one.data for one in atlases(settings, "audio")] == ["heldout"]


def test_a_changed_collection_is_another_one_to_the_pages(settings: Settings, tmp_path: Path) -> None:
    filled(settings, tmp_path / "source")
    first = _cached_atlas._stamp("five", MODEL, settings)
    assert _cached_atlas._stamp("five", MODEL, settings) == first
    assert open_collection(settings.collections, "five").contents in first
    with open_collection(settings.collections, "five", write=True) as writer:
        writer.tag(["0.png"], "odd")
        writer.note("1.png", "heard twice")
    assert _cached_atlas._stamp("five", MODEL, settings) == first  # no answer changes with what people write
    with open_collection(settings.collections, "five", write=True) as writer:
        writer.add([replace(writer.fetch(["0.png"])[0], label="cup")])
    second = _cached_atlas._stamp("five", MODEL, settings)
    assert open_collection(settings.collections, "five").contents in second
    assert second != first
    save_map(of_collection("five", settings), drawn())
    assert _cached_atlas._stamp("five", MODEL, settings) != second
    with pytest.raises(UserFacingError, match="no collection called"):
        _cached_atlas._stamp("absent", MODEL, settings)


def test_fresh_features_are_put_along_the_stored_directions(settings: Settings) -> None:
    atlas = open_atlas("heldout", "esc10-mc-dropout", settings)
    stored = kept("esc10-mc-dropout", "density")
    fresh = np.random.default_rng(0).normal(size=len(stored["centre"]))
    expected = [(fresh - stored["centre"]) @ stored["basis"][:, at].astype(np.float64) for at in range(64)]
    found = atlas.alongside(fresh)
    assert found is not None
    assert np.allclose(found, expected, atol=1e-4)
    assert open_atlas("heldout", MODEL, settings).alongside(fresh) is None  # of another length


def test_no_torch_is_needed() -> None:
    code = (
        "import sys; from core import settings; from core.pipeline.atlas import open_atlas\n"
        "open_atlas('heldout', 'toybox-ensemble', settings.load())\n"
        "print(sorted({'torch', 'lancedb', 'sklearn', 'umap', 'streamlit'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=SECONDS)
    assert done.stdout.strip() == "[]", done.stderr
