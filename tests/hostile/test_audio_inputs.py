"""Rows A-01 to A-26: every bad sound is refused in one sentence or accepted with a note, and nothing else breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import MediaError
from core.media import audio, door
from core.media.sandbox import Sandbox
from tests.hostile import image_files
from tests.hostile.audio_files import CASES, HOSTILE_TITLE, RATE, Case, encoded, ints, noise, title, wav

Watch = Callable[[], None]


def assert_one_clear_sentence(message: str) -> None:
    assert 20 < len(message) < 320
    assert message[-1] == "."
    assert not any(trace in message for trace in ("Traceback", "Error", "/home", "site-packages", "0x7f", "\n"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_bad_sound_is_answered_as_listed(case: Case, sandbox: Sandbox, watched: Watch) -> None:
    raw = case.make()
    watched()
    if case.refused:
        with pytest.raises(MediaError) as caught:
            door.open_media(raw, sandbox=sandbox)
        assert caught.value.code == case.refused
        assert_one_clear_sentence(str(caught.value))
        return
    media = door.open_media(raw, sandbox=sandbox)
    assert [code for code in case.notes if not media.receipt.has(code)] == []
    assert [code for code in case.absent if media.receipt.has(code)] == []
    assert np.isfinite(media.samples).all()
    assert case.frames in (None, len(media.samples))


def test_every_row_of_the_table_is_here() -> None:
    """A-24 and A-26 are below; they need a file on disk."""
    assert {case.row for case in CASES} | {"A-24", "A-26"} == {f"A-{n:02d}" for n in range(1, 27)}


def test_corrupt_flac_names_the_second(sandbox: Sandbox) -> None:
    """Row A-15. The flipped bit lies in the middle of 3 s; whole frames before it are sound."""
    raw = encoded("FLAC", samples=noise(3 * RATE))
    broken = raw[: len(raw) // 2] + bytes([raw[len(raw) // 2] ^ 0x10]) + raw[len(raw) // 2 + 1 :]
    with pytest.raises(MediaError, match=r"from 1\.\d s on"):
        door.open_media(broken, sandbox=sandbox)


def test_a_picture_named_as_a_sound_is_refused_where_a_sound_belongs(sandbox: Sandbox) -> None:
    """Row A-21."""
    with pytest.raises(MediaError, match="a picture") as caught:
        door.open_media(image_files.plain("PNG"), kind="audio", sandbox=sandbox)
    assert caught.value.code == "wrong-kind"


def test_a_title_reaches_no_receipt(sandbox: Sandbox) -> None:
    """Row A-23: the title is never read, so there is nothing to escape."""
    receipt = door.open_media(title(HOSTILE_TITLE), sandbox=sandbox).receipt
    assert "script" not in str(receipt.to_json())
    assert len(str(receipt.to_json())) < 1000


@pytest.mark.parametrize("form", ["RF64", "W64"])
def test_a_24_hour_recording_is_read_in_windows(form: str, tmp_path: Path, sandbox: Sandbox) -> None:
    """Row A-24: 24 h at 32 kHz, over 4 GB, as a sparse file: zeros but for one marked stretch."""
    path, rate, frames = tmp_path / "long", 32_000, 24 * 3600 * 32_000
    marked = 20 * 3600 * rate
    header = _long_header(form, rate, frames)
    with path.open("wb") as stream:
        stream.write(header)
        stream.seek(len(header) + 2 * marked)
        stream.write(ints(1000))
        stream.truncate(len(header) + 2 * frames)
    found = door.probe(path, sandbox=sandbox)
    assert (found.rate, found.frames, found.seconds) == (rate, frames, 86_400)
    for start in (0, marked - 500, frames - 160_000):
        part = door.open_window(path, start, 160_000, known=found, file_sha256="00", sandbox=sandbox)
        assert len(part.samples) == 160_000
    part = door.open_window(path, marked - 500, 2000, known=found, file_sha256="00", sandbox=sandbox)
    expected = np.zeros(2000, np.float32)
    expected[500:1500] = np.frombuffer(ints(1000), "<i2") / np.float32(32768)
    assert np.array_equal(part.samples, expected)
    assert part.sha256 != door.open_window(path, 0, 2000, known=found, file_sha256="00", sandbox=sandbox).sha256


def _long_header(form: str, rate: int, frames: int) -> bytes:
    import struct

    size = 2 * frames
    form_chunk = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)
    if form == "RF64":
        head = b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<IQQQI", 28, size + 72, size, frames, 0)
        return head + b"fmt " + struct.pack("<I", 16) + form_chunk + b"data\xff\xff\xff\xff"
    tail = bytes.fromhex("f3acd3118cd100c04f8edb8a")
    riff = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
    head = riff + struct.pack("<Q", size + 104) + b"wave" + tail + b"fmt " + tail + struct.pack("<Q", 40) + form_chunk
    return head + b"data" + tail + struct.pack("<Q", size + 24)


def test_a_recording_that_changed_since_its_scan_is_refused(tmp_path: Path, sandbox: Sandbox) -> None:
    """Row A-26, for windows of a file and for bytes with a known hash."""
    path = tmp_path / "one.wav"
    path.write_bytes(wav(ints(8000)))
    found = door.probe(path, sandbox=sandbox)
    path.write_bytes(wav(ints(8001)))
    with pytest.raises(MediaError) as caught:
        door.open_window(path, 0, 100, known=found, sandbox=sandbox)
    assert caught.value.code == "changed"
    with pytest.raises(MediaError) as caught:
        door.open_media(wav(ints()), expected="0" * 64, sandbox=sandbox)
    assert caught.value.code == "changed"


def test_a_probe_never_opens_a_pipe_a_folder_or_nothing(tmp_path: Path, sandbox: Sandbox) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", ".", "absent"):
        with pytest.raises(MediaError) as caught:
            door.probe(tmp_path / name, sandbox=sandbox)
        assert caught.value.code == "no-file"
        assert str(tmp_path) not in str(caught.value)


def test_a_probe_refuses_a_rare_coding_before_its_decoder_sees_it(tmp_path: Path, sandbox: Sandbox) -> None:
    path = tmp_path / "one.wav"
    path.write_bytes(next(case for case in CASES if case.name == "ms-adpcm").make())
    with pytest.raises(MediaError) as caught:
        door.probe(path, sandbox=sandbox)
    assert caught.value.code == "coding"


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_windows_hear_every_sample_and_are_all_whole(extra: int, sandbox: Sandbox) -> None:
    """Row A-25: three windows, and one sample more or less."""
    media = door.open_media(wav(ints(3 * 1600 + extra)), sandbox=sandbox)
    cuts = audio.windows(media, 0.1, 0.1)
    starts = audio.window_starts(len(media.samples), 1600, 1600)
    heard = np.zeros(len(media.samples), bool)
    for start, cut in zip(starts, cuts, strict=True):
        assert len(cut.samples) == 1600
        heard[start : start + 1600] = True
    assert heard.all()
    assert len(cuts) == 3 + (extra > 0)


def test_a_short_clip_and_the_same_with_zeros_behind_are_one_input(sandbox: Sandbox) -> None:
    """Row A-25: padding is silence behind the sound, so that both give the same samples."""
    clip = door.open_media(wav(ints(1000)), sandbox=sandbox)
    longer = replace(clip, samples=np.concatenate([clip.samples, np.zeros(77, np.float32)]))
    assert np.array_equal(audio.fit_length(clip, 0.1).samples, audio.fit_length(longer, 0.1).samples)
