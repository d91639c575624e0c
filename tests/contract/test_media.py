"""The door: every accepted format, what the receipt tells, and what is done to a sound afterwards."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from core.contracts import Receipt
from core.errors import MediaError
from core.media import audio, door, thumbnail
from core.media.sandbox import Sandbox
from core.media.sniff import sniff
from tests.hostile import audio_files, image_files
from tests.hostile.audio_files import RATE, encoded, noise, wav


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox(1, door.LIMITS)
    yield made
    made.close()


def tone(rate: int, seconds: float = 1.0, hertz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


EXACT = [  # form, subtype, half a step of the coding
    ("WAV", "PCM_U8", 2**-7),
    ("WAV", "PCM_16", 2**-15),
    ("WAVEX", "PCM_24", 2**-23),
    ("WAV", "PCM_32", 2**-23),
    ("WAV", "FLOAT", 0),
    ("WAV", "DOUBLE", 0),
    ("WAV", "ULAW", 2**-5),
    ("WAV", "ALAW", 2**-5),
    ("RF64", "PCM_16", 2**-15),
    ("W64", "PCM_24", 2**-23),
    ("AIFF", "PCM_16", 2**-15),
    ("AIFF", "FLOAT", 0),
    ("CAF", "PCM_24", 2**-23),
    ("CAF", "FLOAT", 0),
    ("FLAC", "PCM_16", 2**-15),
    ("FLAC", "PCM_24", 2**-23),
]


@pytest.mark.parametrize(("form", "subtype", "step"), EXACT, ids=lambda value: str(value))
def test_a_lossless_format_gives_back_its_samples(form: str, subtype: str, step: float, sandbox: Sandbox) -> None:
    """Mono, and stereo mixed as the mean of both; the error is at most the coding's own rounding."""
    for channels in (1, 2):
        samples = noise(6000, channels)
        media = door.open_media(encoded(form, subtype, samples, 11_025), sandbox=sandbox)
        expected = samples if channels == 1 else samples.mean(axis=1)
        assert media.rate == 11_025
        assert np.abs(media.samples - expected).max() <= step + 1e-7
        assert media.receipt.has("mono") == (channels == 2)
        assert (media.receipt.channels, media.receipt.seconds) == (channels, 6000 / 11_025)


LOSSY = {
    "vorbis": lambda x, rate: encoded("OGG", "VORBIS", x, rate),
    "opus": lambda x, rate: encoded("OGG", "OPUS", x, rate),
    "mp3": lambda x, rate: encoded("MP3", None, x, rate),
    **{name: lambda x, rate, name=name: audio_files.through_ffmpeg(name, x, rate) for name in ("webm", "m4a", "aac")},
}


@pytest.mark.parametrize("name", LOSSY)
def test_a_lossy_format_gives_back_its_tone(name: str, sandbox: Sandbox) -> None:
    """440 Hz stays 440 Hz at its level, in mono and stereo; the length may grow by the coder's padding."""
    for channels in (1, 2):
        sound = tone(48_000)
        raw = LOSSY[name](sound if channels == 1 else np.stack([sound, sound], 1), 48_000)
        media = door.open_media(raw, kind="audio", sandbox=sandbox)
        assert media.rate == 48_000
        assert -0.002 < media.samples.size / 48_000 - 1 < 0.06
        middle = media.samples[12_000:36_000]
        spectrum = np.abs(np.fft.rfft(middle))
        assert spectrum.argmax() * 2 == 440
        assert abs(np.sqrt(np.mean(middle**2)) - 0.5 / np.sqrt(2)) < 0.02
        assert media.receipt.channels == channels
        assert not media.receipt.has("truncated")


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "WEBP", "GIF", "JPEG", "AVIF", "HEIF"])
def test_a_picture_format_gives_back_its_pixels(form: str, sandbox: Sandbox) -> None:
    """Exactly where the format is lossless, within its loss on a smooth picture elsewhere."""
    across, down = np.meshgrid(np.arange(96), np.arange(64))
    smooth = np.stack([across * 2, down * 3, (across + down)], 2).astype(np.uint8)
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}}.get(form, {})
    if form == "HEIF":
        import pillow_heif

        stream = io.BytesIO()
        pillow_heif.from_pillow(Image.fromarray(smooth)).save(stream, quality=95)
        raw = stream.getvalue()
    else:
        raw = image_files.saved(Image.fromarray(smooth), form, **options)
    media = door.open_media(raw, kind="image", sandbox=sandbox)
    error = np.abs(media.samples.astype(int) - smooth)
    assert media.samples.shape == (64, 96, 3)
    assert media.samples.dtype == np.uint8
    assert error.max() == 0 if form in {"PNG", "BMP", "TIFF", "WEBP"} else error.mean() < 4
    assert (media.receipt.width, media.receipt.height) == (96, 64)


def test_media_are_read_only_and_their_receipt_survives_json(sandbox: Sandbox) -> None:
    media = door.open_media(encoded("WAV", samples=noise(4000, 2)), sandbox=sandbox)
    with pytest.raises(ValueError, match="read-only"):
        media.samples[0] = 0
    assert Receipt.from_json(media.receipt.to_json()) == media.receipt


def test_resampling_leaves_nothing_of_a_tone_above_the_new_band(sandbox: Sandbox) -> None:
    """20 kHz at 48 kHz has no place at 32 kHz: 110 dB down at least, away from the abrupt ends (torchaudio: 45)."""
    media = door.open_media(encoded("WAV", "FLOAT", tone(48_000, 2, 20_000), 48_000), sandbox=sandbox)
    low = audio.resample(media, 32_000)
    middle = low.samples[16_000:48_000]
    assert 20 * np.log10(np.sqrt(np.mean(middle.astype(float) ** 2)) / 0.3536 + 1e-30) < -110
    assert (low.rate, len(low.samples)) == (32_000, 64_000)
    assert [note.text for note in low.receipt.notes] == ["resampled from 48 to 32 kHz"]
    assert not low.samples.flags.writeable
    assert audio.resample(low, 32_000) is low


def test_fitting_crops_the_end_and_pads_behind() -> None:
    media = door._rebuilt(
        {
            "kind": "audio",
            "shape": [10],
            "rate": 4000,
            "receipt": Receipt("wav", "PCM 16 bit", 10, 4000, seconds=0.0025).to_json(),
        },
        (np.arange(1, 11, dtype=np.float32).tobytes(),),
        "00",
    )
    assert audio.fit_length(media, 0.001).samples.tolist() == [1, 2, 3, 4]
    assert audio.fit_length(media, 0.003).samples.tolist() == [*range(1, 11), 0, 0]
    assert audio.fit_length(media, 0.0025) is media
    alarms = {s: audio.fit_length(media, s).receipt.notes[0].alarm for s in (0.001, 0.003, 0.006)}
    assert alarms == {0.001: True, 0.003: False, 0.006: True}


def test_window_starts_cover_every_sample() -> None:
    assert audio.window_starts(10, 10, 5) == (0,)
    assert audio.window_starts(3, 10, 5) == (0,)
    assert audio.window_starts(20, 10, 5) == (0, 5, 10)
    assert audio.window_starts(21, 10, 5) == (0, 5, 10, 11)
    with pytest.raises(ValueError, match="at least one"):
        audio.window_starts(10, 0, 5)


def test_a_view_draws_what_the_sound_is(sandbox: Sandbox) -> None:
    """Envelope of a tone with a gap: its height and the gap's place; the spectrogram's loudest band is the tone's."""
    sound = tone(16_000, 2, 1000.0)
    sound[8000:16_000] = 0
    view = door.open_view(encoded("WAV", "FLOAT", sound), sandbox=sandbox)
    assert view.envelope is not None
    assert view.log_mel is not None
    low, high = view.envelope[:, ::1]
    columns = view.envelope.shape[1]
    assert np.allclose([low.min(), high.max()], [-0.5, 0.5], atol=1e-3)
    assert np.abs(view.envelope[:, int(columns * 0.26) : int(columns * 0.49)]).max() == 0
    librosa = pytest.importorskip("librosa")
    centres = librosa.mel_frequencies(view.log_mel.shape[0] + 2, fmin=view.band[0], fmax=view.band[1])[1:-1]
    loudest = view.log_mel.astype(float).mean(axis=1).argmax()
    assert abs(centres[loudest] - 1000) < 60
    assert abs(view.log_mel.shape[1] * view.hop_seconds - 2) < 0.05


def test_thumbnails_are_small_pictures_even_of_noise(sandbox: Sandbox) -> None:
    noisy = image_files.saved(Image.fromarray(image_files.pixels(900, 1200)), "PNG")
    for raw in (noisy, encoded("WAV", samples=noise(5 * RATE)), encoded("WAV", samples=noise(1))):
        view = door.open_view(raw, sandbox=sandbox)
        assert len(view.thumbnail) <= thumbnail.MAX_BYTES
        assert Image.open(io.BytesIO(view.thumbnail)).format == "WEBP"
    assert Image.open(io.BytesIO(thumbnail.of_picture(image_files.pixels(300, 600)))).size == (192, 96)


def test_cividis_rises_in_lightness_all_the_way() -> None:
    luminance = thumbnail.cividis() @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(luminance) > 0).all()


def test_an_answer_that_does_not_add_up_is_not_believed() -> None:
    """A child taken over by what it decoded may say anything."""
    good = Receipt("wav", "PCM 16 bit", 8, 8000, seconds=0.1).to_json()
    samples = np.zeros(4, np.float32).tobytes()
    header = {"kind": "audio", "shape": [4], "rate": 8000, "receipt": good}
    assert door._rebuilt(header, (samples,), "00").seconds == 4 / 8000
    broken = [
        ({"shape": [5]}, samples),
        ({"shape": [-4]}, samples),
        ({"shape": [4, 1]}, samples),
        ({"shape": [1 << 60]}, samples),
        ({"rate": 10**9}, samples),
        ({"rate": "8000"}, samples),
        ({"kind": "image"}, samples),
        ({"kind": "model"}, samples),
        ({"receipt": {}}, samples),
        ({"receipt": {**good, "seconds": "long"}}, samples),
        ({}, np.full(4, np.nan, np.float32).tobytes()),
        ({}, b""),
    ]
    for change, block in broken:
        with pytest.raises(MediaError, match="does not add up"):
            door._rebuilt({**header, **change}, (block,), "00")
    long = {**good, "notes": [{"code": "x", "text": "y" * 10_000, "alarm": False}]}
    assert len(door._rebuilt({**header, "receipt": long}, (samples,), "00").receipt.notes[0].text) == 200


def test_signatures_are_told_apart() -> None:
    """A picture in a sound's container family and the reverse."""
    assert sniff(b"RIFF\0\0\0\0WEBPVP8 ").container == "webp"
    assert sniff(b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif").container == "avif"
    assert sniff(b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic").container == "heic"
    assert sniff(b"\0\0\0\x1cftypM4A \0\0\0\0").kind == "audio"
    for raw in (b"BMW is a car", b"\xff\xfb", b"\xff\xff\xff\xff" * 9, bytes(64), b"RIFF\0\0\0\0AVI "):
        with pytest.raises(MediaError, match="Accepted are sounds"):
            sniff(raw)
    assert wav(b"\0\0")[:4] == b"RIFF"


@pytest.mark.parametrize("shape", [(900, 7, 3), (7, 900, 3)])
def test_the_thumbnail_of_a_strip_is_no_page_high(shape: tuple[int, int, int]) -> None:
    import io

    from PIL import Image

    from core.media import thumbnail

    width, height = Image.open(io.BytesIO(thumbnail.of_picture(np.full(shape, 250, np.uint8)))).size
    assert max(width, height) <= 3 * min(width, height)
