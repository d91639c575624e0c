"""What training does to sounds, pictures and labels before it sees them: the knobs. What they do is in augment.py.

Needs no torch, so that a page can show them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.errors import UserFacingError
from core.methods._knobs import check, knob


@dataclass(frozen=True, slots=True)
class Augment:
    """Sounds, pictures and labels as training sees them."""

    mixup: float = knob(
        0.0, "mix two items and their labels, share ~ Beta(a, a); PANNs take 1; 0 is off", least=0.0, most=100.0
    )
    cutmix: float = knob(
        0.0, "paste a part of one picture into another, area ~ Beta(a, a); 0 is off", least=0.0, most=100.0
    )
    mix: Literal["pairs", "partners"] = knob(
        "pairs",
        "pairs: items 2n and 2n + 1, half as many come out; partners: each with another, as many come out",
        choices=("pairs", "partners"),
    )
    label_smoothing: float = knob(0.0, "share of a label that goes to all classes evenly", least=0.0, most=1.0)
    time_stripes: int = knob(0, "masked stripes of time in a spectrogram; PANNs take 2", least=0, most=100)
    time_width: int = knob(64, "they are narrower than this, in frames", least=1, most=100_000)
    mel_stripes: int = knob(0, "masked stripes of mel bands in a spectrogram; PANNs take 2", least=0, most=100)
    mel_width: int = knob(8, "they are narrower than this, in bands", least=1, most=100_000)
    roll: float = knob(0.0, "move sounds by up to this share of their length, either way", least=0.0, most=1.0)
    roll_fill: Literal["wrap", "silence"] = knob(
        "wrap", "what enters at the other end: what left, or nothing", choices=("wrap", "silence")
    )
    gain_db: float = knob(0.0, "make sounds louder or softer by up to this", least=0.0, most=60.0)
    snr_least: float | None = knob(
        None,
        "add white noise, at this signal-to-noise ratio in dB or a better one; none is off",
        least=-40.0,
        most=80.0,
    )
    snr_most: float = knob(40.0, "the best signal-to-noise ratio of added noise, in dB", least=-40.0, most=80.0)
    flip: bool = knob(False, "mirror every second picture, by chance", choices=(False, True))
    shift: int = knob(0, "move pictures by up to this many pixels", least=0, most=1024)
    shift_fill: Literal["reflect", "edge"] = knob(
        "reflect", "what enters at the edge: the picture mirrored, or its last pixel", choices=("reflect", "edge")
    )
    crop: float = knob(
        1.0, "enlarge a part of a picture, at least this share of its area; 1 is off", least=0.05, most=1.0
    )
    colour: float = knob(0.0, "change saturation, contrast and brightness by up to this", least=0.0, most=1.0)
    cutout: int = knob(0, "side of a grey square in each picture, in pixels; 0 is off", least=0, most=1024)

    def __post_init__(self) -> None:
        check(self)
        if self.snr_least is not None and self.snr_least > self.snr_most:
            raise UserFacingError(
                f"The settings snr_least and snr_most were given as {self.snr_least:g} and {self.snr_most:g} dB; "
                "the first must not be above the second.",
                code="setting",
            )

    @property
    def mixes(self) -> bool:
        return self.mixup > 0 or self.cutmix > 0

    @property
    def halves(self) -> bool:
        """Two items become one: read twice as many as the network shall learn from."""
        return self.mixes and self.mix == "pairs"


PANNS = Augment(mixup=1.0, time_stripes=2, time_width=64, mel_stripes=2, mel_width=8)  # Kong et al. 2020
LECTURE = Augment(roll=0.2, roll_fill="silence")
