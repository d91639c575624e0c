"""What models said of items from elsewhere, or of items whose knob was turned, as ``core.pipeline.ask`` stored it.

One file a model and domain, found again by the model's weights, the draws, the seed and how many items were asked.
Some come with the app, so that a clone shows them without asking. Needs no torch.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from core.checkpoints.answers import MEASURES
from core.contracts import Kind
from core.data import specs
from core.drafts import draft
from core.errors import DataError
from core.fingerprint import fingerprint
from core.settings import Settings

MOST = 200  # items of a domain that are asked about, spread evenly
_TOLD = "told"


@dataclass(frozen=True, slots=True)
class Domain:
    """Items to ask about: a part of a data set, or the lines of a knob."""

    key: str  # as the command line names it
    title: str
    kind: Kind | None = None  # None: told by the files
    source: str = ""  # of core.data; empty: the model's own built-in set, with its knob turned
    split: str | None = None
    part: str | None = None  # of a built-in set
    knob: str = ""

    @property
    def turned(self) -> bool:
        return bool(self.knob)


KNOBS = {
    "mixing": Domain("mixing", "Two classes mixed", knob="mixing"),
    "spoiling": Domain("spoiling", "Noise or blur turned up", knob="spoiling"),
}
BUILT_IN = (
    Domain("soundbox:held-out", "Soundbox's held-out classes", "audio", "soundbox", "ood", "held-out"),
    Domain("soundbox:ships", "Soundbox's ships", "audio", "soundbox", "ood", "ship"),
    Domain("soundbox:test", "Soundbox, test items", "audio", "soundbox", "test"),
    Domain("soundbox:train", "Soundbox, training items", "audio", "soundbox", "train"),
    Domain("soundbox_scenes:test", "Soundbox scenes, test items", "audio", "soundbox_scenes", "test"),
    Domain("toybox:held-out", "Toybox's held-out classes", "image", "toybox", "ood"),
    Domain("digits:test", "Handwritten digits", "image", "digits", "test"),
    Domain("toybox:test", "Toybox, test items", "image", "toybox", "test"),
    Domain("toybox:train", "Toybox, training items", "image", "toybox", "train"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Elsewhere:
    """One model's answers to a domain, one row an item."""

    domain: str
    title: str
    source: str  # key of the data set
    model: str
    mark: str
    draws: int
    seed: int
    most: int
    fingerprint: str  # of the items' contents
    seconds: float | None  # an item, without reading it, on ``hardware``
    hardware: str
    date: str
    ids: tuple[str, ...]
    groups: np.ndarray  # (items,) int64
    labels: np.ndarray  # (items,) class of the model, -1: none of them
    learned: np.ndarray  # (items,) bool
    knob: np.ndarray  # (items,) where the knob stands; NaN: there is none
    lines: np.ndarray  # (items,) int64: items of one line differ by the knob alone
    probs: np.ndarray
    doubts: Mapping[str, np.ndarray]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def outside(self) -> np.ndarray:
        """(items,) what is none of the model's: of whichever set, what is labelled with none of its classes.

        Items that it learned from, and those whose knob was turned, never count.
        """
        return (self.labels < 0) & ~self.learned & np.isnan(self.knob)

    @property
    def errors(self) -> np.ndarray:
        """(items,) 1 where the answer is wrong; NaN where no class is right."""
        wrong = (self.probs.argmax(axis=1) != self.labels).astype(np.float64)
        return np.where(self.labels >= 0, wrong, np.nan)


_ARRAYS = ("groups", "labels", "learned", "knob", "lines", "probs")


def offered(kind: Kind, own: str) -> tuple[Domain, ...]:
    """What needs no download, for models of a kind that were trained on a set: strangers first."""
    known = [one for one in BUILT_IN if one.kind == kind]
    own_first = [one for one in known if one.source == own and one.split == "ood"]
    rest = [one for one in known if one not in own_first]
    return (*own_first, *(KNOBS.values() if own in ("soundbox", "toybox") else ()), *rest)


def domain_of(key: str) -> Domain:
    """A domain by its key, or SOURCE or SOURCE:SPLIT of any data set, folder, manifest or zip."""
    for one in (*KNOBS.values(), *BUILT_IN):
        if one.key == key:
            return one
    source, _, split = key.rpartition(":")
    if not source or split not in ("train", "validation", "test", "ood"):
        source, split = key, ""
    if not source.strip():
        raise DataError(
            f"{key!r} names no items; name a data set such as digits, one split of it such as digits:test, or one of "
            f"{', '.join(one.key for one in (*KNOBS.values(), *BUILT_IN))}.",
            code="no-domain",
        )
    spec = next((one for one in specs() if one.key == source), None)
    title = f"{spec.title if spec else Path(source).name}{f', {split}' if split else ''}"
    return Domain(key, title, spec.kind if spec else None, source, split or None)


def load(model: str, mark: str, domain: str, settings: Settings, draws: int, seed: int) -> Elsewhere | None:
    """With the most items that were asked; None where it was not asked so."""
    about = [(told, path) for path, told in _kept(model, mark, settings) if _way(told) == (draws, seed)]
    about = [(told, path) for told, path in about if told["domain"] == domain]
    for _, path in sorted(about, key=lambda one: -one[0]["most"]):
        if (found := read(path)) is not None:
            return found
    return None


def known(model: str, mark: str, settings: Settings, draws: int, seed: int) -> dict[str, str]:
    """Domains that a model was asked about in this way, and their titles."""
    told = [one for _, one in _kept(model, mark, settings) if _way(one) == (draws, seed)]
    return {one["domain"]: one["title"] for one in told}


def ways(model: str, mark: str, settings: Settings) -> tuple[tuple[int, int], ...]:
    """Draws and seeds with which a model was asked about anything."""
    return tuple(dict.fromkeys(_way(one) for _, one in _kept(model, mark, settings)))


def timed(model: str, mark: str, settings: Settings, draws: int) -> tuple[float, str] | None:
    """Seconds an item at so many draws, and on what: of the most items that it was asked about at once."""
    told = [one for _, one in _kept(model, mark, settings) if one["draws"] == draws and one["seconds"] is not None]
    last = max(told, key=lambda one: (len(one["ids"]), one["date"], one["domain"]), default=None)
    return None if last is None else (float(last["seconds"]), str(last["hardware"]))


def paths_of(
    model: str, mark: str, domain: str, most: int, draws: int, seed: int, settings: Settings
) -> tuple[Path, Path]:
    """Where they lie that were given here, and where those that came with the app."""
    own, shipped = _folders(model, mark, settings)
    name = f"{fingerprint('elsewhere', domain, most, draws, seed)[:24]}.npz"
    return own / name, shipped / name


def save(found: Elsewhere, settings: Settings, *, ship: bool = False) -> Path:
    """Whole or not at all; ``ship`` puts it beside the models that come with the app, without the seconds it took:
    those of another machine say nothing here."""
    own, shipped = paths_of(found.model, found.mark, found.domain, found.most, found.draws, found.seed, settings)
    path = shipped if ship else own
    found = replace(found, seconds=None, hardware="") if ship else found
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {name: value for name, value in asdict(found).items() if name not in (*_ARRAYS, "doubts")}
    arrays: dict[str, Any] = {name: getattr(found, name) for name in _ARRAYS}
    arrays |= {f"doubt.{name}": values for name, values in found.doubts.items()}
    arrays["probs"] = found.probs.astype(np.float32)
    arrays[_TOLD] = np.frombuffer(json.dumps(told).encode(), np.uint8)
    with draft(path, durable=True) as part, part.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)
    return path


def _folders(model: str, mark: str, settings: Settings) -> tuple[Path, Path]:
    name = f"{model}-{mark[:12]}"
    return settings.home / "elsewhere" / name, settings.checkpoints / "elsewhere" / name


def _way(told: Mapping[str, Any]) -> tuple[int, int]:
    return told["draws"], told["seed"]


def _kept(model: str, mark: str, settings: Settings) -> list[tuple[Path, dict[str, Any]]]:
    """What a model was asked, here first, and what each file says of itself."""
    return [one for folder in _folders(model, mark, settings) for one in _in(folder, mark)]


def _in(folder: Path, mark: str) -> list[tuple[Path, dict[str, Any]]]:
    paths = sorted(folder.glob("[!.]*.npz"))
    told = [(path, told) for path in paths if (told := _opened(path, lambda found: {}))]
    return [(path, one) for path, one in told if one["mark"] == mark]  # the folder's name holds its beginning alone


def read(path: Path) -> Elsewhere | None:
    """None where it is not there, or is damaged: then it is asked again."""
    told = _opened(path, _arrays_of)
    return None if told is None else Elsewhere(**told)


def _arrays_of(found: Any) -> dict[str, Any]:
    arrays: dict[str, Any] = {name: found[name] for name in _ARRAYS}
    arrays["probs"] = arrays["probs"].astype(np.float64)
    doubts = {name: found[f"doubt.{name}"] for name in MEASURES if f"doubt.{name}" in found.files}
    return {**arrays, "doubts": doubts}


def _opened(path: Path, more: Callable[[Any], dict[str, Any]]) -> dict[str, Any] | None:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as found:
            told = json.loads(found[_TOLD].tobytes())
            return {**told, "ids": tuple(told["ids"]), "notes": tuple(told["notes"]), **more(found)}
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


def spread(items: Sequence[Any], most: int) -> tuple[Any, ...]:
    """At most so many, spread evenly: sets are often in the order of their classes."""
    places = np.unique(np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(np.int64))
    return tuple(items[place] for place in places.tolist())
