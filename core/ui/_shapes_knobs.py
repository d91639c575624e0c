"""Which shape, and how it is damaged; all of it in the URL."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import streamlit as st

from core.errors import UserFacingError
from core.fingerprint import sha256_of
from core.pipeline.reconstruct import Asked
from core.shapes.observe import Observation
from core.ui import _cached_shapes, address, bound, words
from core.ui.address import Kept

WHAT = {"vertebra": "A vertebra", "digit": "A digit", "own": "A label map of mine", "picture": "A picture with holes"}
KIND = Kept("shape", "vertebra", bound.one_of(tuple(WHAT)), "one of vertebra, digit, own and picture")
_MOST = 23  # the last number
NUMBER = Kept("shape-number", 0, bound.whole(0, _MOST), f"a whole number from 0 to {_MOST}")


@dataclass(frozen=True, slots=True)
class Knob:
    field: str  # of the scan, or of the glimpse
    label: str
    least: float
    most: float
    step: float
    default: float
    form: str
    says: str

    @property
    def kept(self) -> Kept[float]:
        wanted = f"a number from {self.least:g} to {self.most:g}"
        return Kept(
            f"shape-{self.field}", self.default, _between(self.least, self.most), wanted, lambda value: f"{value:g}"
        )


SCAN = (
    Knob("slice_mm", "Slice thickness", 2.0, 10.0, 0.5, 5.0, "%.1f mm", "From one slice to the next, right to left."),
    Knob("missing", "Missing slices", 0.0, 0.8, 0.1, 0.4, "percent", "Of those that show the bone."),
    Knob("degrees", "Turned by up to", 0.0, 45.0, 5.0, 15.0, "%.0f°", "About each of the three axes, at random."),
    Knob("blur_mm", "Blur", 0.0, 6.0, 0.5, 2.0, "%.1f mm", "Standard deviation of the scanner's blur."),
    Knob("label_noise", "Unsure hand", 0.0, 1.0, 0.1, 0.3, "%.1f", "How much the outline wavers where it is unclear."),
)
GLIMPSE = (
    Knob("kept", "Pixels seen", 0.1, 1.0, 0.1, 0.5, "percent", "The others are unknown, not empty."),
    Knob("blanked", "Blank band", 0.0, 0.6, 0.1, 0.0, "percent", "Of the height; nothing in it is seen."),
    Knob(
        "flipped", "Wrong pixels", 0.0, 0.3, 0.02, 0.02, "percent", "Of the seen ones: ink for ground, or the reverse."
    ),
)


@dataclass(frozen=True, slots=True)
class Chosen:
    asked: Asked
    own: Observation | None = None
    name: str = ""  # of the own file
    label: int | None = None  # the one of its labels that is the shape

    @property
    def stem(self) -> str:
        """Of files that are taken along."""
        own = re.sub("[^a-zA-Z0-9_-]+", "-", self.name.partition(".")[0])[:40]
        return f"shape-{own or f'{self.asked.data}-{self.asked.number}'}"

    def query(self) -> dict[str, str]:
        """What a link to this shape says; a file cannot be in one."""
        if self.own is not None:
            return {KIND.name: "own", "file": self.name, "label": str(self.label)}
        knobs, part = (SCAN, self.asked.scan) if self.asked.data == "vertebrae" else (GLIMPSE, self.asked.glimpse)
        kind = "vertebra" if self.asked.data == "vertebrae" else "digit"
        told = {KIND.name: kind, NUMBER.name: str(self.asked.number)}
        return told | {knob.kept.name: knob.kept.write(getattr(part, knob.field)) for knob in knobs}


def kind() -> str:
    with bound.telling():
        chosen = address.get(KIND)
    st.segmented_control("What to fill in", list(WHAT), format_func=lambda key: WHAT[str(key)], required=True,
                         **bound.widget(KIND, chosen))  # fmt: skip
    return chosen


def chosen(of: str) -> Chosen | None:
    """None until there is a shape, or after a sentence that says what is wrong with the file."""
    if of == "own":
        return _own()
    knobs = SCAN if of == "vertebra" else GLIMPSE
    with bound.telling():
        values = {knob.field: address.get(knob.kept) for knob in knobs}
        number = address.get(NUMBER)
    columns = st.columns([2, *[3] * len(knobs)], vertical_alignment="bottom")
    with columns[0]:
        st.number_input("Which one", 0, _MOST, step=1, help="None of them was trained on.", **bound.widget(NUMBER))
    for knob, column in zip(knobs, columns[1:], strict=True):
        with column:
            st.slider(knob.label, knob.least, knob.most, step=knob.step, format=knob.form, help=knob.says,
                      **bound.widget(knob.kept))  # fmt: skip
    asked = Asked("vertebrae" if of == "vertebra" else "digits", number)
    if of == "vertebra":
        return Chosen(replace(asked, scan=replace(asked.scan, pixel_mm=2.0, **values)))
    return Chosen(replace(asked, glimpse=replace(asked.glimpse, **values)))


def _own() -> Chosen | None:
    st.caption(
        "Lumbar vertebrae are what these networks have learned, and they fill in anything as if it were one: a label "
        "map with gaps or thick slices, in millimetres. It stays on this machine."
    )
    given = st.file_uploader("A label map as NIfTI or NRRD", type=["nii", "gz", "nrrd"], key="shape-file")
    if given is None:
        st.info("Drop a .nii, .nii.gz or .nrrd file above, or damage a vertebra of known shape.",
                icon=":material/lightbulb:")  # fmt: skip
        return None
    raw = given.getvalue()
    try:
        found = _cached_shapes.label_map(sha256_of(raw), raw)
        label = found.labels[0]
        if len(found.labels) > 1:
            label = st.selectbox("Which label is the vertebra", found.labels, key="shape-label", width=260)
        return Chosen(Asked("vertebrae"), found.shape_of(label), given.name, label)
    except UserFacingError as error:
        st.error(words.plain(str(error), 400), icon=":material/block:")
        return None


def _between(least: float, most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = float(text[:20])
        if not (math.isfinite(value) and least <= value <= most):
            raise ValueError(text[:20])
        return value

    return read
