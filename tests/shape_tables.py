"""The README's tables of shapes, from the fields that come with the app and what was measured of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.pipeline.reconstruct import TITLES, UNITS

ROOT = Path(__file__).resolve().parent.parent / "checkpoints"
_SHOWN = ("dice", "hd95", "band_ece", "band_nll", "band_error_auroc", "again")
_WHAT = {"vertebrae": "Vertebrae, of which slices are missing", "digits": "Digits, of which a third is seen"}
Document = Mapping[str, Any]


def table() -> str:
    parts = []
    for data, what in _WHAT.items():
        card = json.loads((ROOT / "shapes" / data / "card.json").read_bytes())
        parts += [*_study(data, what, card), ""]
        path = ROOT / "evaluations" / "shapes" / f"{data}-damage.json"
        if path.is_file():
            parts += [*_damage(json.loads(path.read_bytes())), ""]
    pictures = json.loads((ROOT / "evaluations" / "shapes" / "pictures-damage.json").read_bytes())
    return "\n".join([*parts, *_pictures(pictures)])


def _study(data: str, what: str, card: Document) -> Iterator[str]:
    study, rows = card["study"], {row["key"]: row for row in card["study"]["rows"]}
    made = f"made by `{card['command']}`, {card['date']}"
    yield f"{what}: means of {study['shapes']} test shapes with 95 % intervals, {made}."
    yield ""
    yield (
        f"| method | Dice | HD95, {UNITS[data]} | ECE near the surface | NLL near | error AUROC near | "
        "Dice on whole shapes | training |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for key, row in rows.items():
        if key not in ("before", "dropsembles"):
            cost = (
                "–" if row["cost"] is None else f"{row['cost']['first_seconds'] + row['cost']['later_seconds']:.0f} s"
            )
            chosen = (
                " (chosen)"
                if row["strength"] is not None and row["strength"] == rows["dropsembles"]["strength"]
                else ""
            )
            yield f"| {row['title']}{chosen} | {' | '.join(_cell(row, name) for name in _SHOWN)} | {cost} |"
    yield ""
    yield _goals(study, rows)


def _goals(study: Document, rows: Mapping[str, Document]) -> str:
    """What was hoped for, and whether it came."""
    ours, whole = rows["dropsembles"], rows["ensemble"]
    dice, ece = ours["figures"]["dice"] - whole["figures"]["dice"], ours["figures"]["band_ece"]
    more = ece / whole["figures"]["band_ece"] - 1.0
    spent = sum(ours["cost"][part] for part in ("first_seconds", "later_seconds"))
    share = spent / sum(whole["cost"][part] for part in ("first_seconds", "later_seconds"))
    apart = study["differences"]["dropsembles - mc_dropout"]["band_ece"]
    free = rows["dropsembles 0"]["figures"]["band_nll"]
    best = min(row["figures"]["band_nll"] for row in rows.values() if row["strength"])
    told = (
        f"Dropsembles within one Dice point of the ensemble: {_met(dice >= -0.01)} ({dice:+.3f}).",
        f"Its ECE within 20 %: {_met(more <= 0.2)} ({more:+.0%}).",
        f"At most a third of its training time: {_met(share <= 1 / 3)} ({share:.0%}).",
        f"A better ECE than MC dropout's: {_met(apart[2] is not None and apart[2] < 0)} ({_signed(apart)}).",
        f"Better with the anchor than without, by NLL: {_met(best < free)} ({best:.3f} at best, {free:.3f} without).",
    )
    return " ".join(told).replace("-", "−")


def _damage(found: Document) -> Iterator[str]:
    made = f"by `{found['command']}`, {found['date']}"
    yield f"More and more damage, {found['shapes']} shapes each: Dice, ECE near the surface; {made}."
    yield ""
    yield f"| damage | {' | '.join(TITLES.values())} |"
    yield "|---|" + "---|" * len(TITLES)
    for row in found["rows"]:
        cells = (f"{row['methods'][key]['dice'][0]:.3f}, {row['methods'][key]['band_ece'][0]:.3f}" for key in TITLES)
        named = f"{row['kind']} {row['level']}".replace("_", " ").strip()
        yield f"| {named} | {' | '.join(cells)} |"


def _pictures(found: Document) -> Iterator[str]:
    made = f"by `{found['command']}`, {found['date']}"
    yield f"Colour fields on {found['shapes']} pictures of Toybox: PSNR of the erased pixels, rank correlation of"
    yield f"doubt and error, seconds; {made}."
    yield ""
    methods = found["rows"][0]["methods"]
    yield f"| pixels left | {' | '.join(TITLES[key] for key in methods)} |"
    yield "|---|" + "---|" * len(methods)
    for row in found["rows"]:
        cells = []
        for told in row["methods"].values():
            ranks = "–" if told["ranks"][0] is None else f"{told['ranks'][0]:.2f}"
            cells.append(f"{told['psnr'][0]:.2f} dB, {ranks}, {told['seconds'][0]:.1f} s")
        yield f"| {float(row['level']):.0%} | {' | '.join(cells)} |"


def _cell(row: Document, name: str) -> str:
    value = row["figures"].get(name)
    return "–" if value is None else f"{value:.3f} [{row['intervals'][name][0]:.3f}, {row['intervals'][name][1]:.3f}]"


def _signed(told: Sequence[float]) -> str:
    return f"{told[0]:+.3f} [{told[1]:.3f}, {told[2]:.3f}]"


def _met(yes: bool) -> str:
    return "yes" if yes else "no"
