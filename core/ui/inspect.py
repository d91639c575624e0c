"""The Inspect page: where files come from, and one card a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from core.errors import UserFacingError
from core.media.door import View
from core.ui import cached, figures, findings, palette, samples, shell, words

_PER_PAGE = 5
_WAYS = {
    "upload": ":material/upload_file: Upload",
    "record": ":material/mic: Record",
    "camera": ":material/photo_camera: Camera",
    "samples": ":material/auto_awesome: Samples",
}


@dataclass(frozen=True, slots=True)
class File:
    """One thing to show: a name for people and its bytes, or the reason why there are none."""

    name: str
    raw: bytes = b""
    refusal: str = ""


def choose() -> list[File]:
    """The four ways to bring files; the way and the sample stand in the URL."""
    if st.query_params.get("from") not in _WAYS:
        st.query_params.pop("from", None)
    way = st.segmented_control(
        "Where from",
        list(_WAYS),
        format_func=_WAYS.__getitem__,
        default="upload",
        required=True,
        key="from",
        bind="query-params",
    )
    if way == "record":
        return _recording()
    if way == "camera":
        shot = st.camera_input("Take a picture", key="shot")
        return [File("Camera picture", shot.getvalue())] if shot else []
    if way == "samples":
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
    st.session_state["from"] = "samples"


def _opened(file: File) -> list[File]:
    """A zip becomes its entries, what was refused among them included; anything else stays."""
    if not file.raw.startswith(b"PK"):
        return [file]
    try:
        archive = cached.archive(file.raw)
    except UserFacingError as error:
        return [File(file.name, refusal=str(error))]
    good = [File(f"{file.name}: {entry.name}", archive.read(entry)) for entry in archive.entries]
    return good + [File(f"{file.name}: {problem.id}", refusal=problem.reason) for problem in archive.problems]


def _recording() -> list[File]:
    clip = st.audio_input("Record a sound", sample_rate=48000, key="clip")
    st.caption("Recorded at 48 kHz and kept that way; each model resamples for itself and says so.")
    return [File("Recording", clip.getvalue())] if clip else []


def _sample() -> list[File]:
    offered = [sample for key in samples.SETS for sample in samples.offered(cached.dataset(key))]
    names = {sample.address: sample.name for sample in offered}
    if st.query_params.get("sample") not in names:
        st.query_params.pop("sample", None)
    address = st.selectbox("A sample", list(names), format_func=names.__getitem__, key="sample", bind="query-params")
    chosen = samples.find(address) if address else None
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
            view = cached.view(file.raw)
        except UserFacingError as error:
            st.error(words.plain(str(error), 400), icon=":material/block:")
            return
        st.markdown(f"**{_answer(view)}**")
        if view.kind == "audio":
            _sound(view)
        else:
            _picture(view)
        _receipt(view)


def _answer(view: View) -> str:
    receipt = view.receipt
    if view.kind == "audio":
        what = f"{words.seconds(view.seconds or 0)} of sound at {words.hertz(view.rate or 0)}"
    else:
        what = f"A picture of {receipt.width} × {receipt.height} pixels"
    alarms = [note.text for note in receipt.notes if note.alarm]
    if alarms:
        return f"{what}. Mind: {words.plain('; '.join(alarms), 300)}."
    return f"{what}. Nothing in it stands in the way of a model."


def _sound(view: View) -> None:
    dark = shell.is_dark()
    st.audio(view.preview, format="audio/flac", alt="what was analysed, as mono")
    figure = figures.sound(view.envelope, view.logmel, view.mel_centres, view.seconds or 0, dark)
    sentence = findings.of_sound(view.logmel, view.mel_centres, (view.seconds or 0) / view.logmel.shape[1])
    st.plotly_chart(
        figure, config=palette.CONFIG, alt=f"Waveform and log-mel spectrogram. {sentence}", key=f"sound-{view.sha256}"
    )
    st.caption(sentence)


def _picture(view: View) -> None:
    left, right = st.columns([2, 3])
    sentence = findings.of_picture(view.pixels)
    with left:
        st.image(view.preview, width="stretch", alt=sentence)
    with right:
        figure = figures.brightness(view.pixels, shell.is_dark())
        st.plotly_chart(
            figure, config=palette.CONFIG, alt=f"Brightness of the pixels. {sentence}", key=f"picture-{view.sha256}"
        )
        st.caption(sentence)


def _receipt(view: View) -> None:
    """What arrived on the left, what was done on the right."""
    receipt = view.receipt
    arrived, done = st.columns(2)
    with arrived:
        st.markdown("**What arrived**")
        facts = [f"{receipt.container.upper()}, {words.plain(receipt.codec)}, {words.size(receipt.size_bytes)}"]
        if view.kind == "audio":
            channels = (
                "mono"
                if receipt.channels == 1
                else "stereo"
                if receipt.channels == 2
                else f"{receipt.channels} channels"
            )
            facts.append(f"{words.hertz(receipt.rate or 0)}, {channels}, {words.seconds(receipt.seconds or 0)}")
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
        st.markdown("\n".join(lines) or "- nothing: every sample is as it arrived")
