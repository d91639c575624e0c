"""What the Shapes page says: who made surface up, who admits it, and the tables; pure, no streamlit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.pipeline.reconstruct import FAR, TITLES, UNITS, Answer, Filled
from core.shapes.solids import spacing_of
from core.shapes.surface import play_of, read, surface_of
from core.ui import words
from core.ui._shapes_charts import Cut

COLOURS = {"play": "how far it may be off", "total": "doubt in all", "epistemic": "how much members disagree"}
UNITS_OF = {"total": "nats of doubt", "epistemic": "nats of disagreement"}
HELP = (
    "How far it may be off: nine times in ten the true surface lies within so much of the drawn one, says the method. "
    "How much members disagree: the part of the doubt that comes from members which contradict each other."
)
WARNING = (
    "For learning about methods. This is no medical device: its vertebrae are made up from 16 measures, and nothing "
    "here may be used for a patient."
)
_LITTLE = 0.1  # of the invented surface: who admits less admits nothing to speak of


def verdict(found: Filled, data: str) -> str:
    """One or two sentences, computed."""
    far, unit = FAR[data], UNITS[data]
    if found.truth is None:
        return _without_truth(found, unit)
    known = [one for one in found.answers if one.figures["off"] is not None]
    if not known:
        return "So little was seen that no method draws a surface at all."
    made = _range(known, "off", "of what the methods draw is made up")
    lost = _range(known, "missed", "of the true surface is missing")
    return f"{made}: more than {far:g} {unit} from the true surface. {lost}. {_admitting(known)}"


def _range(known: list[Answer], figure: str, what: str) -> str:
    """3.2 % (Deep ensemble) to 9 % (Single network) of ..."""
    least, most = (pick(known, key=lambda one: one.figures[figure] or 0.0) for pick in (min, max))
    low, high = (words.percent(one.figures[figure] or 0.0) for one in (least, most))
    return f"{low} {what}" if low == high else f"{low} ({least.title}) to {high} ({most.title}) {what}"


def _admitting(known: list[Answer]) -> str:
    wrong = [(one.figures["admitted"], one.title) for one in known if one.figures["admitted"] is not None]
    if not wrong:
        return "So nothing was made up here."
    (least, shy), (most, open_) = min(wrong), max(wrong)
    if most < _LITTLE:
        return f"None admits what it made up: at most {words.percent(most)} of it lies within a method's own range."
    if words.percent(most) == words.percent(least):
        return f"All admit the same share of what they made up, {words.percent(most)}."
    return f"{open_} admits most of what it made up, {words.percent(most)}; {shy} least, {words.percent(least)}."


def _without_truth(found: Filled, unit: str) -> str:
    known = [(reach, one.title) for one in found.answers if (reach := usual(found, one)) is not None]
    if not known:
        return "No method finds a vertebra in this label map; check its affine and which label was chosen."
    (near, sure), (far, unsure) = min(known), max(known)
    return (
        f"Nobody knows the truth here. At half of what each draws, the true surface lies nine times in ten within "
        f"{words.figure(near, 2)} {unit} of it, says {sure}; within {words.figure(far, 2)} {unit}, says {unsure}."
    )


def usual(found: Filled, answer: Answer) -> float | None:
    """How far a surface may be off, at the median of its points, as the method says itself."""
    points = surface_of(answer.mean, found.affine)
    if not len(points):
        return None
    return float(np.median(read(play_of(answer.mean, spacing_of(found.affine)), points, found.affine)))


def under(found: Filled, answer: Answer, data: str) -> str:
    """What stands under one method's surface."""
    far, unit = FAR[data], UNITS[data]
    if found.truth is None:
        reach = usual(found, answer)
        if reach is None:
            return "It draws no surface."
        return f"It may be off by {words.figure(reach, 2)} {unit} at half of its surface, as it says itself."
    off, admitted, missed = (answer.figures[name] for name in ("off", "admitted", "missed"))
    if off is None or missed is None:
        return "It draws no surface."
    lost = f"{words.percent(missed)} of the true surface is missing"
    if admitted is None:
        return f"Nowhere is it more than {far:g} {unit} off; {lost}."
    return f"{words.percent(off)} is made up, and it admits {words.percent(admitted)} of that; {lost}."


def columns(found: Filled, card: Mapping[str, Any], data: str) -> dict[str, list[object]]:
    """A row a method: how near, how honest, and at what cost."""
    unit = UNITS[data]
    costs = {row["key"]: row["cost"] for row in card["study"]["rows"]}
    rows = [costs[card["rows"][one.key]] for one in found.answers]
    table: dict[str, list[object]] = {"method": [one.title for one in found.answers]}
    if found.truth is not None:
        for key, title in (
            ("dice", "Dice"),
            ("iou", "IoU"),
            ("hd95", f"HD95, {unit}"),
            ("band_ece", "ECE near the surface"),
            ("band_nll", "NLL near the surface"),
            ("off", "made up"),
            ("admitted", "made up, admitted"),
            ("missed", "missing"),
            ("feared", "missing, feared"),
            ("held", "9-in-10 range holds"),
        ):
            table[title] = [one.figures[key] for one in found.answers]
    table["seconds to answer"] = [one.seconds for one in found.answers]
    table["seconds to train"] = [row["first_seconds"] + row["later_seconds"] for row in rows]
    table["numbers kept"] = [row["params"] for row in rows]
    return table


def measured(card: Mapping[str, Any], data: str) -> dict[str, list[str]]:
    """The study behind the fields: means over test shapes with 95 % intervals."""
    rows = {row["key"]: row for row in card["study"]["rows"]}
    shown = {"as it was seen": rows["seen"], **{TITLES[name]: rows[key] for name, key in card["rows"].items()}}
    table: dict[str, list[str]] = {"method": list(shown)}
    for key, title in (
        ("dice", "Dice"),
        ("hd95", f"HD95, {UNITS[data]}"),
        ("band_ece", "ECE near the surface"),
        ("band_nll", "NLL near the surface"),
        ("band_error_auroc", "error AUROC near the surface"),
        ("again", "Dice on whole shapes"),
    ):
        table[title] = [_interval(row, key) for row in shown.values()]
    return table


def compared(card: Mapping[str, Any]) -> str:
    """Dropsembles against the ensemble, shape by shape."""
    ours = card["study"]["differences"]["dropsembles - ensemble"]
    rows = {row["key"]: row for row in card["study"]["rows"]}
    cost, whole = rows["dropsembles"]["cost"], rows["ensemble"]["cost"]
    share = (cost["first_seconds"] + cost["later_seconds"]) / (whole["first_seconds"] + whole["later_seconds"])
    return (
        f"Over {card['study']['shapes']} shapes, Dropsembles against the deep ensemble: Dice {_signed(ours['dice'])}, "
        f"ECE near the surface {_signed(ours['band_ece'])}, at {words.percent(share)} of its training time."
    )


def _signed(told: Sequence[float | None]) -> str:
    """+0.012 [−0.003, 0.027]"""
    value, low, high = (None if number is None else f"{number:.3f}".replace("-", "−") for number in told)
    sign = "+" if (told[0] or 0.0) >= 0 else ""
    return f"{sign}{value}" if low is None else f"{sign}{value} [{low}, {high}]"


def answers_at(answer: Answer, cut: Cut, at: tuple[float, float]) -> str:
    """What each member says of one place of a cut."""
    place = cut.nearest(*at)
    told = [float(cut.values(member)[place]) for member in answer.members]
    each = ", ".join(words.chance(p) for p in told)
    spread = float(np.ptp(told))
    mood = "they agree" if spread < 0.1 else "they differ" if spread < 0.5 else "they contradict each other"
    return f"At the cross the members say inside with {each}: {mood}."


def _interval(row: Mapping[str, Any], key: str) -> str:
    value = row["figures"].get(key)
    if value is None:
        return "–"
    low, high = row["intervals"][key]
    return f"{value:.3f}" if low is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"
