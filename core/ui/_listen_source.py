"""Where a stream comes from: a medley or a sample made here, a file of one's own, or the microphone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import streamlit as st

from core.contracts import Media
from core.errors import UserFacingError
from core.pipeline.medley import Mark, Medley, medley
from core.ui import cached, samples, words
from core.ui._listen_strip import Strip
from core.ui.cached import Shown, Sound

WAYS = ("Made here", "Upload", "Microphone")  # as they stand in the URL
LONGEST = 300.0  # seconds of a file that are replayed
WALK = "A walk through Soundbox"
_STATIONS = ("Dog", "Rain", "Dog or rain", "Siren", "A sound of no class", "Church bells")


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A file to replay."""

    name: str
    media: Callable[[], Media]
    shown: Shown
    marks: tuple[Mark, ...] = ()

    @property
    def strip(self) -> Strip:
        sound = self.shown.drawn
        assert isinstance(sound, Sound)
        return Strip(sound.log_mel, sound.centres, 0.0, sound.seconds, float(sound.log_mel.max()))


@dataclass(frozen=True, slots=True)
class Microphone:
    """That of the visitor."""

    name: str = "Microphone"
    marks: tuple[Mark, ...] = ()


Stream = Source | Microphone


def choose() -> Stream | None:
    """None where nothing is chosen yet, or after a sentence that says what is wrong with it."""
    way = st.segmented_control(
        "What to listen to", WAYS, default=WAYS[0], required=True, key="stream", bind="query-params",
        persist_state="session",
    )  # fmt: skip
    if way == "Microphone":
        st.caption("Heard at the sound card's own rate, without echo or noise cancelling. Nothing is kept.")
        return Microphone()
    try:
        return _upload() if way == "Upload" else _made()
    except UserFacingError as error:
        st.error(words.plain(str(error), 400), icon=":material/block:")
        return None


def _made() -> Source:
    sounds = {sample.name: sample for sample in samples.offered() if sample.data == "soundbox"}
    name = st.selectbox("A stream, made on this machine", [WALK, *sounds], key="made", bind="query-params", width=420)
    if name in sounds:
        sample = sounds[name]
        return _source(name, cached.item_bytes(sample.data, sample.item))
    walk = _walk()
    return _source(WALK, walk.raw, walk.marks)


@st.cache_resource(show_spinner="Making the sounds of the walk")
def _walk() -> Medley:
    sounds = {sample.name: sample for sample in samples.offered() if sample.data == "soundbox"}
    chosen = [sounds[name] for name in _STATIONS if name in sounds]
    return medley([(one.name, cached.media(cached.item_bytes(one.data, one.item))) for one in chosen])


def _upload() -> Source | None:
    given = st.file_uploader("A sound", key="stream-file", help="WAV, FLAC, Ogg, MP3, AIFF, WebM, M4A, AAC")
    if given is None:
        st.info("Drop a recording above: it is played and judged at real speed.", icon=":material/lightbulb:")
        return None
    return _source(given.name, given.getvalue())


def _source(name: str, raw: bytes, marks: tuple[Mark, ...] = ()) -> Source:
    shown = cached.shown(raw)
    if not isinstance(shown.drawn, Sound):
        raise UserFacingError("This is a picture, and a picture has no sound; drop a recording.", code="kind")
    return Source(name, lambda: _first(cached.media(raw)), shown, marks)


def _first(media: Media) -> Media:
    assert media.rate is not None
    most = round(LONGEST * media.rate)
    return media if len(media.samples) <= most else replace(media, samples=media.samples[:most].copy())
