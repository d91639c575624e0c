"""python -m core weights: published weights that are known, fetched and checked."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli import Command, Outcome, answer_in_json, report
from core.settings import Settings

if TYPE_CHECKING:
    from core.checkpoints.weights import Weights


def _arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="what is known, and what of it is here")
    fetch = actions.add_parser(
        "fetch", help="get one from its publisher, check it and keep it (goes on where it broke off)"
    )
    fetch.add_argument("key", help="as 'weights list' names it, or timm:NAME")
    fetch.add_argument("--from", dest="source", type=Path, metavar="FILE", help="a copy on this machine, instead")
    actions.add_parser("verify", help="compare every file that is here with its checksum")
    for action in actions.choices.values():
        answer_in_json(action)


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    from core.checkpoints import weights

    if options.action == "list":
        found = weights.known(settings)
        width = max(len(entry.known.key) for entry in found)
        lines = [f"{entry.known.key:<{width}}  {_state(entry):<8}  {entry.known.title}" for entry in found]
        lines += ["", "timm:NAME is the published weights of any model of timm."]
        return Outcome({"weights": [_row(entry) for entry in found]}, tuple(lines))
    if options.action == "fetch":
        found_one = weights.fetch(options.key, settings, options.source, report)
        return Outcome(_row(found_one), _told(found_one))
    checked = weights.verify(settings)
    rows = [{**_row(entry), "verdict": verdict} for entry, verdict in checked]
    lines = [f"{entry.known.key}: {verdict}" for entry, verdict in checked] or ["No published weights are here yet."]
    return Outcome({"weights": rows}, tuple(lines), 0 if all(verdict == "ok" for _, verdict in checked) else 2)


def _state(entry: Weights) -> str:
    if entry.original is None:
        return "by hand" if entry.known.page else "-"
    return "here"


def _row(entry: Weights) -> dict[str, Any]:
    known = entry.known
    return {
        "key": known.key,
        "title": known.title,
        "format": known.format,
        "licence": known.licence,
        "here": entry.original is not None,
        "file": None if entry.original is None else str(entry.original),
        "tensors": None if entry.tensors is None else str(entry.tensors),
        "sha256": entry.sha256,
        "pinned": known.sha256,
        "md5": known.md5,
        "url": known.url,
        "page": known.page,
    }


def _told(entry: Weights) -> tuple[str, ...]:
    known = entry.known
    basis = {
        "sha256": "the sha256 is the one that is pinned here",
        "md5": "its md5 is the published one",
        None: "its publisher states no checksum, so the sha256 was recorded now",
    }[known.checksum[0] if known.checksum else None]
    lines = [f"{known.title}: sha256 {entry.sha256}; {basis}.", f"Licence: {known.licence}."]
    if entry.tensors is not None:
        lines.append("Its tensors are ready as the weights of a backbone.")
    if known.format not in {"classes", "aisfx", "package"}:
        lines.append(f"As a model of its own: python -m core import {known.key} --name NAME")
    return tuple(lines)


COMMAND = Command("weights", "list, fetch and verify published weights", _arguments, _run)
