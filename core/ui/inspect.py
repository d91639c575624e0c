"""The Inspect page: where files come from, which model they meet, and one card a file, the first one first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from core.contracts import THING, Kind
from core.errors import UserFacingError
from core.media.sniff import sniff
from core.ui import cached, controls, inspect_card, inspect_overview, models, running, samples, words
from core.ui.controls import Choice
from core.ui.inspect_overview import Outcome

_PER_PAGE = 5
_WAYS = ("Upload", "Record", "Camera", "Samples")  # as they stand in the URL
_TRIALS = {  # samples that show what the page is for
    "Dog": "Hear a clear dog",
    "Dog or rain": "Hear a dog in the rain",
    "A sound of no class": "Hear a sound that no model here learned",
    "Boat or car": "See a boat turn into a car",
}


@dataclass(frozen=True, slots=True)
class File:
    """One thing to show: a name for people and its bytes, or the reason why there are none."""

    name: str
    raw: bytes = b""
    refusal: str = ""

    @property
    def kind(self) -> Kind | None:
        """As its first bytes say; None for what is neither a sound nor a picture."""
        try:
            return None if self.refusal else sniff(self.raw).kind
        except UserFacingError:
            return None


def choose() -> list[File]:
    """The four ways to bring files; the way and the sample stand in the URL."""
    way = st.segmented_control(
        "Where from", _WAYS, default=_WAYS[0], required=True, key="from", bind="query-params", persist_state="session"
    )
    if way == "Record":
        return _recording()
    if way == "Camera":
        shot = st.camera_input("Take a picture", key="shot")
        return [File("Camera picture", shot.getvalue())] if shot else []
    if way == "Samples":
        return _sample()
    return _uploads()


def _uploads() -> list[File]:
    given = st.file_uploader(
        "Sounds, pictures, or a zip of them",
        accept_multiple_files=True,
        key="uploads",
        help="WAV, FLAC, Ogg, MP3, AIFF, WebM, M4A, AAC; PNG, JPEG, WebP, BMP, TIFF, GIF, AVIF, HEIC; zip. "
        "A sound may last 15 minutes, a picture have 50 million pixels.",
    )
    if not given:
        st.info("Drop a file above, or try one made here: nothing is sent anywhere.", icon=":material/lightbulb:")
        with st.container(horizontal=True):
            st.button("Show me a sample", on_click=_go_to_samples)
            for name, why in _TRIALS.items():
                st.button(why, on_click=_go_to_samples, args=(name,), type="tertiary")
        return []
    files: list[File] = []
    for upload in given:
        files += _opened(File(upload.name, upload.getvalue()))
    return files


def _go_to_samples(name: str | None = None) -> None:
    st.session_state["from"] = "Samples"
    if name is not None:
        st.session_state["sample"] = st.query_params["sample"] = name


def _opened(file: File) -> list[File]:
    """A zip becomes its entries, what was refused among them included; anything else stays."""
    if not file.raw.startswith(b"PK"):
        return [file]
    try:
        archive = cached.archive(file.raw)
    except UserFacingError as error:
        return [File(file.name, refusal=str(error))]
    good = [File(f"{file.name}: {entry.name}", archive.read(entry)) for entry in archive.files]
    return good + [File(f"{file.name}: {problem.id}", refusal=problem.reason) for problem in archive.problems]


def _recording() -> list[File]:
    clip = st.audio_input("Record a sound", sample_rate=48000, key="clip")
    st.caption("Recorded at 48 kHz and kept that way; each model resamples for itself and says so.")
    return [File("Recording", clip.getvalue())] if clip else []


def _sample() -> list[File]:
    by_name = {sample.name: sample for sample in samples.offered()}
    name = st.selectbox("A sample, made on this machine", list(by_name), key="sample", bind="query-params")
    chosen = by_name.get(name)
    return [File(chosen.name, cached.item_bytes(chosen.data, chosen.item))] if chosen else []


def page_of(files: Sequence[File]) -> Sequence[File]:
    """At most a handful of cards at once, with a pager where there are more."""
    if len(files) <= _PER_PAGE:
        return files
    pages = -(-len(files) // _PER_PAGE)
    st.caption(f"{words.count(len(files))} files, {_PER_PAGE} on a page")
    page = st.pagination(pages, key="page")
    return files[(page - 1) * _PER_PAGE : page * _PER_PAGE]


def meet(files: Sequence[File], chosen: Choice) -> None:
    """Load the model while people still look; where every file is of the other kind, switch to one that takes it."""
    if chosen.model is None:
        return
    kinds: set[Kind] = {kind for file in files if (kind := file.kind) is not None}
    own = models.facts(chosen.model)
    if kinds and own.kind not in kinds:
        (kind,) = kinds
        fitting = models.matching(kind, than=own.name)
        if fitting is not None:
            thing = f"a {THING[kind]}"
            what = f"{words.plain(files[0].name)} is {thing}" if len(files) == 1 else f"These files are each {thing}"
            controls.switch_model(fitting.name, f"{what}, which {words.plain(own.title)} does not take.")
    if own.ready:
        running.warm(chosen.model, chosen.device)


def show(files: Sequence[File], chosen: Choice) -> None:
    """All cards at once with their names, then filled from the first to the last; of several, an overview above."""
    overview, slots = st.empty(), []
    for place, file in enumerate(files):
        with st.container(border=True):
            st.subheader(words.plain(file.name), anchor=False)
            slots.append(st.empty())
            _wait(slots[place], place)
    others = tuple((file.name, file.raw) for file in files if file.kind is not None)
    outcomes: list[Outcome] = []
    for place, (file, slot) in enumerate(zip(files, slots, strict=True)):
        key, fits = f"{place}of{len(files)}", _fitting(file.kind, chosen)
        found = inspect_card.fill(slot, key, file.raw, file.refusal, fits, others, folded=len(files) > 1)
        outcomes.append(Outcome(file.name, found))
        for behind, waiting in enumerate(slots[place + 1 :]):
            _wait(waiting, behind)
    if len(outcomes) > 1:
        with overview.container():
            inspect_overview.show(outcomes, chosen.seed)


def _wait(slot: Any, before: int) -> None:
    """Its place in line."""
    said = "It is next" if not before else f"{words.count(before)} {'files' if before > 1 else 'file'} before it"
    slot.caption(f":material/hourglass_empty: {said}.")


def _fitting(kind: Kind | None, chosen: Choice) -> Choice:
    """Of files of both kinds, each meets a model of its own."""
    if kind is None or chosen.model is None or models.facts(chosen.model).kind == kind:
        return chosen
    found = models.matching(kind, than=chosen.model)
    return replace(chosen, model=None if found is None else found.name)
