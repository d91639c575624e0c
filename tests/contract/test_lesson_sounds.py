"""The sounds of the lessons: recordings in pieces that stay on one side, Soundbox's own or those of ESC-50."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import UserFacingError
from core.lessons import _pieces
from core.lessons._contract import Lesson, lessons, untold
from core.lessons._pieces import RATE, SECONDS
from core.settings import Settings
from tests.contract.published import CATEGORIES, lay
from tests.small_sets import esc

LENGTH = round(SECONDS * RATE)
LISTENING = [lesson for lesson in lessons() if lesson.hear is not None]


def test_pieces_stay_on_the_side_of_their_recording_and_a_short_one_ends_in_silence() -> None:
    whole, short = np.ones(3 * LENGTH, np.float32), np.ones(LENGTH + 5, np.float32)
    found = _pieces.cut(("a", "b"), [[whole, 2 * whole, 3 * short], [4 * whole, 5 * whole, 6 * whole]], train=2)
    assert found.waves[:, 0].tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]
    assert found.held.tolist() == [*[False] * 4, True, True, *[False] * 4, True, True]
    assert found.labels.tolist() == [0] * 6 + [1] * 6
    assert found.waves[5].sum() == 3 * 5


def test_new_recordings_are_others_than_those_that_are_learned() -> None:
    found = _pieces.pieces(_pieces.SOUNDBOX, ("cow",), 2, 1, 3, Settings(), untold)
    assert len({wave.tobytes() for wave in found.waves}) == len(found.waves) == 6
    assert found.held.tolist() == [False] * 4 + [True] * 2


def test_a_copy_of_esc50_is_judged_by_its_first_fold(tmp_path: Path) -> None:
    lay(tmp_path / "esc50", esc(tuple(range(50)), folds=3))
    names = ("dog", "cow")
    found = _pieces.pieces(_pieces.ESC50, names, 2, 4, 0, Settings(home=tmp_path, data=tmp_path), untold)
    assert [CATEGORIES.index(name) for name in names] == [0, 3]
    assert found.held.tolist() == [False, False, True] * 2  # two folds to learn from, one recording of the first
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_lesson_that_is_asked_for_esc50_where_there_is_none_downloads_nothing(tmp_path: Path) -> None:
    lesson = next(one for one in lessons() if one.key == "networks")
    with pytest.raises(UserFacingError, match=r"No copy of ESC-50 .* stay with Soundbox\.$"):
        lesson.before(lesson.Config(data=_pieces.ESC50), 0, Settings(home=tmp_path))


def test_lessons_about_sound_listen_to_a_readers_own() -> None:
    assert {lesson.key for lesson in LISTENING} >= {"signals", "networks", "augmentation", "transfer"}


def test_what_is_left_out_comes_back_lower_and_what_is_filtered_does_not() -> None:
    """A tone of 4 kHz, sampled 6,300 times a second, is heard at 2.3 kHz, unless a filter has gone before."""
    lesson: Lesson = next(one for one in LISTENING if one.key == "signals")
    assert lesson.hear is not None
    tone = (0.3 * np.sin(2 * np.pi * 4000 * np.arange(44_100) / 44_100)).astype(np.float32)
    came, filtered, bare = lesson.hear(tone, 44_100, lesson.Config(), 0, Settings()).pictures[0].items  # type: ignore[union-attr]
    inside = slice(4000, 40_000)  # the filter rings at both ends
    assert np.abs(filtered[inside]).max() < 0.01
    peaks = [np.fft.rfft(wave[inside] * np.hanning(36_000)) for wave in (came, bare)]
    assert [round(float(np.abs(peak).argmax()) * 44_100 / 36_000, -1) for peak in peaks] == [4000, 2300]
