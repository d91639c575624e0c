"""What Compare keeps for all visitors: keys are marks of models, versions of data and what was asked elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.checkpoints.folders import find, mark_of
from core.contracts import Kind
from core.fingerprint import fingerprint
from core.metrics.diagnosis import Facts
from core.pipeline import contrasts, tabled
from core.pipeline.atlas import HELDOUT
from core.pipeline.contrasts import Shot, Story
from core.pipeline.diagnosed import Diagnosis, diagnosed, training_facts
from core.pipeline.elsewhere import Elsewhere
from core.pipeline.sheets import Bench
from core.pipeline.table import Table
from core.pipeline.tabled import Benches
from core.settings import Settings
from core.training.run_files import METRICS
from core.ui import _cached_shell, cached

_Stamp = tuple[str, ...]


def benches(kind: Kind, data: str) -> Benches:
    """Raises UserFacingError where no model can be judged."""
    settings = cached.settings()
    stamp = _cached_shell.stamp_of(settings)
    if data != HELDOUT:
        from core.store import open_collection

        stamp = (*stamp, str(open_collection(settings.collections, data).version))
    return _benches(settings, kind, data, (str(settings.home), *stamp))


@st.cache_resource(max_entries=16, show_spinner="Reading what the models answered")
def _benches(_settings: Settings, kind: Kind, data: str, stamp: _Stamp) -> Benches:
    return tabled.open_benches(_settings, kind, data)


def key_of(bench: Bench) -> str:
    """Which answers to which items."""
    told = [(sheet.name, sheet.mark, sheet.draws, sheet.seed) for sheet in bench.sheets]
    return fingerprint("bench", bench.version, len(bench.ids), bench.ids[0], bench.ids[-1], told)


def table(bench: Bench, *, reference: str, measure: str | None, domain: str | None, seed: int = 0) -> Table:
    settings = cached.settings()
    return _table(key_of(bench), elsewhere_stamp(settings), reference, measure, domain, seed, bench, settings)


@st.cache_resource(max_entries=64, show_spinner="Drawing 1 000 resamples of the items for every model")
def _table(
    key: str,
    stamp: _Stamp,
    reference: str,
    measure: str | None,
    domain: str | None,
    seed: int,
    _bench: Bench,
    _settings: Settings,
) -> Table:
    return tabled.tabled(_bench, _settings, reference=reference, measure=measure, domain=domain, seed=seed)


def elsewhere_stamp(settings: Settings) -> _Stamp:
    """Changes with every answer about items from elsewhere."""
    files = sorted((settings.home / "elsewhere").glob("*/*.npz"))
    told = [f"{path.parent.name}/{path.name} {path.stat().st_mtime_ns}" for path in files]
    heads = sorted(settings.collections.glob("*/head.lance/_versions"))  # every commit puts a file into it
    told += [f"{path.parent.parent.name} {path.stat().st_mtime_ns}" for path in heads]
    return (str(settings.home), *told)


def known(bench: Bench) -> dict[str, str]:
    """Domains that some of these models were asked about, and their titles."""
    settings = cached.settings()
    return _known(key_of(bench), elsewhere_stamp(settings), bench, settings)


@st.cache_resource(max_entries=32, show_spinner=False)
def _known(key: str, stamp: _Stamp, _bench: Bench, _settings: Settings) -> dict[str, str]:
    return tabled.known(_bench, _settings)


def asked(bench: Bench, domain: str) -> dict[str, Elsewhere]:
    settings = cached.settings()
    return _asked(key_of(bench), elsewhere_stamp(settings), domain, bench, settings)


@st.cache_resource(max_entries=64, show_spinner=False)
def _asked(key: str, stamp: _Stamp, domain: str, _bench: Bench, _settings: Settings) -> dict[str, Elsewhere]:
    return tabled.asked(_bench, domain, _settings)


def stories(bench: Bench, names: Sequence[str]) -> tuple[Story, ...]:
    return _stories(key_of(bench), tuple(names), bench)


@st.cache_resource(max_entries=64, show_spinner=False)
def _stories(key: str, names: tuple[str, ...], _bench: Bench) -> tuple[Story, ...]:
    return tuple(contrasts.story_of(sheet) for sheet in _bench.sheets if sheet.name in names)


def zero_shots() -> tuple[Shot, ...]:
    settings = cached.settings()
    folder = settings.checkpoints / "evaluations"
    return _zero_shots(settings, (str(folder), str(folder.stat().st_mtime_ns if folder.is_dir() else 0)))


@st.cache_resource(max_entries=4, show_spinner=False)
def _zero_shots(_settings: Settings, stamp: _Stamp) -> tuple[Shot, ...]:
    return contrasts.zero_shots(_settings)


def training(name: str) -> Facts:
    """What its card and the record of its training say."""
    settings = cached.settings()
    return _training(name, (mark_of(find(name, settings)), _recorded(name), *elsewhere_stamp(settings)), settings)


@st.cache_resource(max_entries=64, show_spinner=False)
def _training(name: str, stamp: _Stamp, _settings: Settings) -> Facts:
    return training_facts(name, _settings)


def _recorded(name: str) -> str:
    """Changes while a model is trained here."""
    record = cached.settings().runs / name / METRICS
    return str(record.stat().st_mtime_ns) if record.is_file() else ""


def diagnosis(name: str, measure: str | None) -> Diagnosis:
    """Raises UserFacingError where the model is gone."""
    settings = cached.settings()
    stamp = (mark_of(find(name, settings)), _recorded(name), *elsewhere_stamp(settings))
    return _diagnosis(name, measure, stamp, settings)


@st.cache_resource(max_entries=64, show_spinner=False)
def _diagnosis(name: str, measure: str | None, stamp: _Stamp, _settings: Settings) -> Diagnosis:
    return diagnosed(name, _settings, measure)
