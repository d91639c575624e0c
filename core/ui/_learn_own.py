"""Now with a file of the reader's own: in the lesson itself where it takes a sound, and on the page that goes on."""

from __future__ import annotations

import streamlit as st

from core.contracts import THING
from core.errors import UserFacingError
from core.lessons._contract import Heard
from core.ui import _cached_learn, _learn_draw, cached, words
from core.ui._learn_knobs import Asked


def show(asked: Asked) -> None:
    lesson = asked.lesson
    st.markdown("**Now with a file of your own**")
    if lesson.hear is not None:
        upload = st.file_uploader(
            "A sound of yours", key=f"learn-own-{lesson.key}",
            help="WAV, FLAC, Ogg, MP3, AIFF, WebM, M4A, AAC. It stays on the machine that runs this app.",
        )  # fmt: skip
        found = None if upload is None else _heard(asked, upload.getvalue())
        if found is not None:
            _told(found, f"learn-{lesson.key}-own")
    st.markdown(lesson.own.says)
    st.page_link(
        lesson.own.page, label=lesson.own.label, icon=":material/upload_file:", query_params=dict(lesson.own.query)
    )


def _heard(asked: Asked, raw: bytes) -> Heard | None:
    """None, with the reason shown."""
    slot = st.empty()

    def progress(done: int, total: int, stage: str) -> None:
        slot.progress(done / total, f"{stage} ({done} of {total})")

    try:
        sound = cached.media(raw)
        if sound.kind != "audio":
            raise UserFacingError(f"This is a {THING[sound.kind]}, and the lesson listens; give it a sound.")
        return _cached_learn.classroom().heard(sound, asked.lesson, asked.config, asked.seed, progress)
    except UserFacingError as error:
        st.error(words.plain(str(error), 300), icon=":material/block:")
        return None
    finally:
        slot.empty()


def _told(found: Heard, key: str) -> None:
    st.markdown(words.plain(found.says, 400))
    first, *rest = found.pictures
    _learn_draw.show(first, f"{key}-0")
    for start in range(0, len(rest), 2):
        for place, column in enumerate(st.columns(2, gap="large")[: len(rest) - start], start):
            with column:
                _learn_draw.show(rest[place], f"{key}-{place + 1}")
