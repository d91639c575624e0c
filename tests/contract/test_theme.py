"""What is written can be read in both themes: contrasts as WCAG 2 computes them, at least those of level AA."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from core.ui import palette, shell

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = 4.5  # of text that is not large


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.fixture(scope="module", params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> dict[str, Any]:
    told = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["theme"]
    return {**told[request.param], "dark": request.param == "dark"}


def test_contrast_is_that_of_the_recommendation() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)  # the best known of those that just fail


def test_text_and_chosen_things_can_be_read_on_both_grounds(theme: dict[str, Any]) -> None:
    colours = palette.palette(theme["dark"])
    for ground in ("backgroundColor", "secondaryBackgroundColor"):
        for ink in (theme["textColor"], theme["primaryColor"], colours.ink, colours.faint):
            assert contrast(ink, theme[ground]) >= TEXT, (ink, ground)


def test_the_main_action_and_chosen_names_can_be_read(theme: dict[str, Any]) -> None:
    assert contrast(shell.INKS[theme["dark"]], theme["primaryColor"]) >= TEXT
