"""What Inspect keeps for all visitors: what a model's folder tells, and the last answers.

Keys are sha256 and small frozen things. Who holds a sha256 has held the bytes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from core.checkpoints.folders import find, mark_of
from core.contracts import Media
from core.pipeline.inspect import COVERAGE, How, Inspected, Reader, inspected, reader_of
from core.pipeline.places import DRAWS, Across, Along, across, along
from core.runner import Answer
from core.ui import cached, running
from core.ui.controls import Choice

_KEPT = 256  # answers


@dataclass(frozen=True, slots=True)
class Asked:
    """What an answer hangs on."""

    sha256: str
    model: str
    mark: str
    how: How


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """An answer, and the file that it is about without its samples."""

    asked: Asked
    answer: Answer
    about: Media


class _Answers:
    """The last answers, all of them whole. Safe to use from several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Asked, Said] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, asked: Asked) -> Said | None:
        with self._lock:
            if asked in self._kept:
                self._kept.move_to_end(asked)
            return self._kept.get(asked)

    def put(self, said: Said) -> None:
        with self._lock:
            self._kept[said.asked] = said
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)


@st.cache_resource
def _answers() -> _Answers:
    return _Answers()


@st.cache_resource(max_entries=12, show_spinner=False)
def _reader(name: str, mark: str) -> Reader:
    return reader_of(name, cached.settings())


def reader(name: str) -> Reader:
    """What the model's folder tells, read anew where the model was trained again. Raises UserFacingError."""
    return _reader(name, mark_of(find(name, cached.settings())))


def said(
    media: Callable[[], Media],
    sha256: str,
    chosen: Choice,
    *,
    noise_of: str | None = None,
    on_place: Callable[[int], None] | None = None,
) -> Iterator[Said]:
    """Growing answers, the last one whole; what was asked before is there at once."""
    assert chosen.model is not None, "a page asks a model by its name"
    known = reader(chosen.model)
    how = How(chosen.draws, chosen.seed, chosen.device, noise_of)
    asked = Asked(sha256, chosen.model, known.mark, how)
    found = _answers().get(asked)
    if found is not None:
        yield found
        return
    whole = media()
    about = replace(whole, samples=np.zeros(0, whole.samples.dtype))
    for answer in running.runner().refine(how.request(chosen.model, whole), on_place=on_place):
        found = Said(asked, answer, about)
        yield found
    if found is not None:
        _answers().put(found)


def last(media: Callable[[], Media], sha256: str, chosen: Choice, *, noise_of: str | None = None) -> Said:
    """The whole answer."""
    *_, found = said(media, sha256, chosen, noise_of=noise_of)
    return found


def found(told: Said, coverage: float = COVERAGE) -> Inspected:
    """What an answer means, beside the model's own held-out items."""
    return _found(told.asked, len(told.answer.probs) if told.answer.probs is not None else 0, coverage, told)


@st.cache_resource(max_entries=_KEPT, show_spinner=False)
def _found(asked: Asked, draws: int, coverage: float, _told: Said) -> Inspected:
    return inspected(_told.about, _reader(asked.model, asked.mark), _told.answer, coverage=coverage)


@st.cache_resource(max_entries=32, show_spinner=False)
def _along(asked: Asked, _media: Media, _hears: float | None) -> Along:
    return along(_media, asked.model, running.runner(), _hears, asked.how)


@st.cache_resource(max_entries=32, show_spinner=False)
def _across(asked: Asked, _media: Media) -> Across:
    return across(_media, asked.model, running.runner(), asked.how)


def doubt_along(told: Said, media: Media) -> Along:
    return _along(_shorter(told.asked), media, told.answer.hears)


def doubt_across(told: Said, media: Media) -> Across:
    return _across(_shorter(told.asked), media)


def _shorter(asked: Asked) -> Asked:
    """Many parts are asked, so fewer draws do."""
    return replace(asked, how=replace(asked.how, draws=min(DRAWS, asked.how.draws)))
