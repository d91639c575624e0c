"""Requests as messages, and messages as answers: the parent's side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from core import errors
from core.contracts import Media, Receipt
from core.errors import UserFacingError
from core.runner._contract import Answer, Request
from core.runner._wire import Message
from core.store import Backbone

_PARTS = ("mean", "mean_entropy", "m2", "features")
_MAYBE = ("probs",)
_FAMILIES = ("doubts", "errors")


def message_of(requests: Sequence[Request]) -> tuple[Message, list[np.ndarray]]:
    """Requests that are alike, as one message; the arrays of each follow one another."""
    first = requests[0]
    arrays: list[np.ndarray] = []
    asks = []
    for request in requests:
        given = [one.samples for one in request.media] or [_array(request)]
        asks.append({"sha256s": request.keys, "media": [_told(one) for one in request.media], "arrays": len(given)})
        arrays += given
    common = {name: getattr(first, name) for name in ("model", "draws", "first", "seed", "device", "keep", "form")}
    return {"event": "ask", **common, "asks": asks}, arrays


def outcome_of(told: Message, arrays: Sequence[np.ndarray]) -> Answer | UserFacingError:
    """``told`` is one entry of what the worker told, and its arrays' places are among all of them."""
    if "refused" in told:
        return refusal_of(told["refused"])
    found = {name: arrays[place] for name, place in told["places"].items()}
    families: dict[str, Any] = {
        family: {name.partition(".")[2]: array for name, array in found.items() if name.startswith(f"{family}.")}
        for family in _FAMILIES
    }
    parts: dict[str, Any] = {name: found[name] for name in _PARTS} | {name: found.get(name) for name in _MAYBE}
    facts = {
        **told["facts"],
        "classes": tuple(told["facts"]["classes"]),
        "vectors": Backbone(**told["facts"]["vectors"]),
    }
    receipts = tuple(Receipt.from_json(record) for record in told["receipts"])
    return Answer(**facts, **parts, **families, receipts=receipts)


def refusal_of(told: Message) -> UserFacingError:
    kind = getattr(errors, str(told["kind"]), UserFacingError)
    return kind(str(told["message"]), code=str(told["code"]))


def _array(request: Request) -> np.ndarray:
    given = request.inputs if request.inputs is not None else request.features
    return np.asarray(given, np.float32)


def _told(media: Media) -> Message:
    return {"kind": media.kind, "rate": media.rate, "sha256": media.sha256, "receipt": media.receipt.to_json()}
