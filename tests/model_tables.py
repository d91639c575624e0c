"""Tables of the models that come with the app, from their cards and from the stored cross-validations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "checkpoints"
STORED = FOLDER / "evaluations"
_ORDER = ("accuracy", "map", "nll", "ece", "augrc", "error_auroc", "r_at_1", "r_auroc")
_TITLES = ("accuracy", "mAP", "NLL", "ECE", "AUGRC", "error AUROC", "R@1", "R-AUROC")
_DIGITS = {"accuracy": 1, "map": 1, "r_at_1": 1}  # in percent


def cards() -> list[Mapping[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*/card.json"))]


def overview() -> str:
    """The README's: one line a model."""
    rows = [
        "| model | learned from | method | scope | held-out result [95 %] | NLL | error AUROC |",
        "|---|---|---|---|---|---|---|",
    ]
    for card in cards():
        key = "map" if card["task"] == "multilabel" else "accuracy"
        name = "mAP" if key == "map" else "accuracy"
        figures = card["metrics"]
        rows.append(
            f"| `{card['name']}` | {card['trained_on']} | `{card['method']}` | {_scope(card['scope'])} "
            f"| {name} {_shown(key, figures.get(key))} | {_shown('nll', figures.get('nll'), short=True)} "
            f"| {_shown('error_auroc', figures.get('error_auroc'), short=True)} |"
        )
    return "\n".join(rows) if len(rows) > 2 else "None yet."


def page() -> str:
    """checkpoints/README.md."""
    parts = [
        "# Models that come with the app",
        "Each folder holds what differs from public weights, a card, and answers to items that were never trained on. "
        "Figures are of those held-out items, with 95 % bootstrap intervals over recordings; they say nothing of other "
        "sounds and pictures. `python -m core evaluate --model NAME` prints them again; the commands below make the "
        "models again.",
    ]
    for data in dict.fromkeys(card["trained_on"] for card in cards()):
        mine = [card for card in cards() if card["trained_on"] == data]
        parts += [f"## {data}", _division(mine[0]) + _parts(mine[0]), _quality(mine), _costs(mine), _commands(mine)]
    for path in sorted(STORED.glob("*.json")) if STORED.is_dir() else ():
        record = json.loads(path.read_text())
        if "pooled" in record["document"]:
            parts.append(_crossvalidation(path.stem, record["document"]))
    return "\n\n".join(parts) + "\n"


def _division(card: Mapping[str, Any]) -> str:
    data, calibrated = card["data"], card["posthoc"].get("of", "nothing")
    return (
        f"{data['train']:,} items train and {data['test']:,} are only scored ({data['note']}). Temperature, prediction "
        f"sets and percentiles are fitted to {calibrated} ({card['posthoc'].get('items', 0):,} items). Licence of the "
        f"data: {data['licence']}."
    )


def _parts(card: Mapping[str, Any]) -> str:
    """What the one accuracy is made of."""
    found = card["metrics"].get("accuracy of parts", {})
    told = [f"{100 * part['value']:.1f} % of {part['n']} {name} ones" for name, part in found.items()]
    return f" `{card['name']}` is right on {', '.join(told)}." if told else ""


def _quality(found: list[Mapping[str, Any]]) -> str:
    used = [key for key in _ORDER if any(card["metrics"].get(key, {}).get("value") is not None for card in found)]
    titles = [_TITLES[_ORDER.index(key)] for key in used]
    rows = [f"| model | method, scope | {' | '.join(titles)} |", "|---" * (2 + len(used)) + "|"]
    for card in found:
        cells = " | ".join(_shown(key, card["metrics"].get(key)) for key in used)
        rows.append(f"| `{card['name']}` | `{card['method']}`, {_scope(card['scope'])} | {cells} |")
    return "\n".join(rows)


def _costs(found: list[Mapping[str, Any]]) -> str:
    rows = ["| model | training | on | peak memory | stored numbers | KiB |", "|---|---|---|---|---|---|"]
    for card in found:
        cost, folder = card["cost"], FOLDER / card["name"]
        size = sum(path.stat().st_size for path in folder.iterdir()) / 1024
        memory = "unknown" if cost["peak_memory"] is None else f"{cost['peak_memory'] / 2**30:.1f} GiB"
        seconds = "unknown" if cost["seconds"] is None else f"{cost['seconds']:,.0f} s"
        rows.append(
            f"| `{card['name']}` | {seconds} | {cost['hardware']} | {memory} | {cost['stored']:,} | {size:,.0f} |"
        )
    return "\n".join(rows)


def _commands(found: list[Mapping[str, Any]]) -> str:
    return "\n".join(["```", *(card["command"] for card in found), "```"])


def _crossvalidation(name: str, told: Mapping[str, Any]) -> str:
    rows = [f"## Cross-validation: {name}", "", "| figure | pooled [95 %] | folds, mean and sd |", "|---|---|---|"]
    for key, title in zip(_ORDER, _TITLES, strict=True):
        value = told["pooled"].get(key)
        if value is None:
            continue
        low, high = told["intervals"].get(key, (None, None))
        spread = _shown(key, {"value": told["mean"][key]})
        spread += f" ({_shown(key, {'value': told['sd'][key]})})" if told["sd"][key] is not None else ""
        rows.append(f"| {title} | {_shown(key, {'value': value, 'low': low, 'high': high})} | {spread} |")
    for key, (value, low, high) in told.get("against", {}).get("paired", {}).items():
        figure = _shown(key, {"value": value, "low": low, "high": high}, signed=True)
        rows.append(f"| {key} less {told['against']['recipe']}'s, paired | {figure} | |")
    return "\n".join(rows)


def _scope(scope: str) -> str:
    return {"head": "last layers", "network": "whole network"}[scope]


def _shown(key: str, figure: Mapping[str, Any] | None, *, short: bool = False, signed: bool = False) -> str:
    if figure is None or figure.get("value") is None:
        return "–"
    scale, digits = (100, _DIGITS[key]) if key in _DIGITS else (1, 3)
    sign = "+" if signed else ""

    def number(value: float) -> str:
        return f"{scale * value:{sign}.{digits}f}"

    unit = " %" if scale == 100 else ""
    if short or figure.get("low") is None:
        return number(figure["value"]) + unit
    return f"{number(figure['value'])}{unit} [{number(figure['low'])}, {number(figure['high'])}]"
