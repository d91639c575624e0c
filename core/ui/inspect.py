"""The Inspect page: where files come from, and one card a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from core.errors import UserFacingError
from core.ui import cached, figures, palette, samples, shell, words
from core.ui.cached import Picture, Shown, Sound

_PER_PAGE = 5
_WAYS = ("Upload", "Record", "Camera", "Samples")  # as they stand in the URL


@dataclass(frozen=True, slots=True)
class File:
    """One thing to show: a name for people and its bytes, or the reason why there are none."""

    name: str
    raw: bytes = b""
    refusal: str = ""


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
        st.button("Show me a sample", on_click=_go_to_samples)
        return []
    files: list[File] = []
    for upload in given:
        files += _opened(File(upload.name, upload.getvalue()))
    return files


def _go_to_samples() -> None:
    st.session_state["from"] = "Samples"


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


def show(file: File) -> None:
    """One card: the answer, then the evidence, then what was done; a refusal is one sentence."""
    with st.container(border=True):
        st.subheader(words.plain(file.name), anchor=False)
        try:
            if file.refusal:
                raise UserFacingError(file.refusal)
            view = cached.shown(file.raw)
        except UserFacingError as error:
            st.error(words.plain(str(error), 400), icon=":material/block:")
            return
        st.markdown(f"**{_answer(view)}**")
        if isinstance(view.drawn, Sound):
            _sound(view, view.drawn)
        else:
            _picture(view, view.drawn)
        _receipt(view)


def _answer(view: Shown) -> str:
    receipt, drawn = view.receipt, view.drawn
    if isinstance(drawn, Sound):
        what = f"{words.seconds(drawn.seconds)} of sound at {words.rate(drawn.rate)}"
    else:
        what = f"A picture of {receipt.width} × {receipt.height} pixels"
    alarms = [note.text for note in receipt.notes if note.alarm]
    if alarms:
        return f"{what}. Mind: {words.plain('; '.join(alarms), 300)}."
    return f"{what}. Nothing in it stands in the way of a model."


def _sound(view: Shown, sound: Sound) -> None:
    st.audio(view.preview, format="audio/flac", alt="what was analysed, as mono")
    figure = figures.sound(sound.envelope, sound.log_mel, sound.centres, sound.seconds, shell.is_dark())
    alt = f"Waveform above log-mel spectrogram. {view.finding}"
    st.plotly_chart(figure, config=palette.CONFIG, alt=alt, key=f"sound-{view.sha256}")
    st.caption(view.finding)


def _picture(view: Shown, picture: Picture) -> None:
    left, right = st.columns([2, 4])
    with left:
        st.image(view.preview, width="stretch", alt=view.finding)
    with right:
        figure = figures.brightness(picture.levels, shell.is_dark())
        alt = f"Brightness of the pixels by channel. {view.finding}"
        st.plotly_chart(figure, config=palette.CONFIG, alt=alt, key=f"picture-{view.sha256}")
        st.caption(view.finding)


def _receipt(view: Shown) -> None:
    """What arrived on the left, what was done on the right."""
    receipt = view.receipt
    arrived, done = st.columns(2)
    with arrived:
        st.markdown("**What arrived**")
        form = receipt.container.upper()
        form = receipt.codec if receipt.codec.upper().startswith(form) else f"{form}, {receipt.codec}"
        facts = [f"{words.plain(form)}, {words.size(receipt.size_bytes)}"]
        if isinstance(view.drawn, Sound):
            channels = (
                "mono"
                if receipt.channels == 1
                else "stereo"
                if receipt.channels == 2
                else f"{receipt.channels} channels"
            )
            facts.append(f"{words.rate(receipt.rate or 0)}, {channels}, {words.seconds(receipt.seconds or 0)}")
        else:
            facts.append(f"{receipt.width} × {receipt.height} pixels")
        facts.append(f"identity: sha256 {view.sha256[:12]}…")
        st.markdown("\n".join(f"- {fact}" for fact in facts))
    with done:
        st.markdown("**What was done to it**")
        lines = [
            f"- {':orange[:material/warning:] ' if note.alarm else ''}{words.plain(note.text, 200)}"
            for note in receipt.notes
        ]
        grain = "sample" if isinstance(view.drawn, Sound) else "pixel"
        st.markdown("\n".join(lines) or f"- nothing: every {grain} is as it arrived")
