"""Numbers as people read them, and the computed sentences under charts."""

from __future__ import annotations

import numpy as np
import pytest

from core.ui import findings, words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1, "1"),
        (0.123456, "0.123"),
        (12.3456, "12.3"),
        (1234.6, "1\u2009230"),
        (9.999, "10"),
        (-0.00123456, "-0.00123"),
        (float("nan"), "–"),
        (float("inf"), "–"),
    ],
)
def test_three_significant_digits(value: float, text: str) -> None:
    assert words.figure(value) == text


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (0.32, "320 ms"),
        (5.0, "5 s"),
        (61, "1 min 1 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (3900, "1 h 5 min"),
        (59.99, "60 s"),
    ],
)
def test_durations_as_people_say_them(length: float, text: str) -> None:
    assert words.seconds(length) == text


def test_units_and_shares() -> None:
    assert [words.counted(number, "model") for number in (0, 1, 1234)] == ["0 models", "1 model", "1\u2009234 models"]
    assert [words.hertz(f) for f in (50, 999, 44100)] == ["50 Hz", "999 Hz", "44.1 kHz"]
    assert [words.rate(r) for r in (44100, 22050, 8000)] == ["44.1 kHz", "22.05 kHz", "8 kHz"]
    assert [words.size(n) for n in (12, 1500, 2_340_000)] == ["12 bytes", "1.5 kB", "2.34 MB"]
    assert [words.percent(p) for p in (0.5, 0.105, 0.0123, 0.0)] == ["50 %", "10 %", "1.2 %", "0 %"]
    assert words.count(1_234_567) == "1\u2009234\u2009567"


def test_a_name_is_text_and_never_markup() -> None:
    assert words.plain("a_b") == "a\\_b"
    assert words.plain("x\ny\u202ez") == "x\ufffdy\ufffdz"
    assert len(words.plain("n" * 500)) == 80


def test_the_sentence_about_a_sound_names_the_loud_band_and_moment() -> None:
    centres = np.array([100.0, 200.0, 400.0, 800.0])
    levels = np.full((4, 10), -90.0)
    levels[2, 7] = 0.0
    said = findings.of_sound(levels, centres, 5.0)
    assert "Loudest at 3.5 s" in said
    assert "below 400 Hz" in said


def test_silence_and_flatness_are_said() -> None:
    assert "nothing to hear" in findings.of_sound(np.full((4, 3), -100.0), np.arange(1.0, 5.0), 1.0)
    assert "Every pixel is the same" in findings.of_picture(np.zeros((4, 4, 3), np.uint8))
    checks = (np.indices((8, 8)).sum(0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    assert "high contrast" in findings.of_picture(checks)
    assert "50 %" in findings.of_picture(checks)


def test_a_count_in_a_sentence_that_is_shown_plain_keeps_its_thin_space() -> None:
    assert words.plain(f"{words.count(4000)} others\a") == "4\u2009000 others\ufffd"
