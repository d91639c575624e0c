"""Answers without a worker: for commands, which end with their work and have no page to keep free of torch."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from core.errors import UserFacingError
from core.runner._asking import message_of, outcome_of, refusal_of
from core.runner._contract import Answer, Limits, Request
from core.runner._wire import Message
from core.settings import Settings

if TYPE_CHECKING:
    from core.checkpoints.saved import Model


class Here:
    """Answers as ``Runner.ask`` does, bit for bit, in this process and one at a time."""

    def __init__(self, settings: Settings, model: Model | None = None, mark: str = "") -> None:
        """With ``model``: also one that lies in no folder."""
        from core.runner._computing import Computing

        self._computing = Computing(settings, Limits())
        if model is not None:
            self._computing.hold(model, mark)

    def load(self, model: str, device: str = "auto") -> None:
        """Now, so that what is missing is told before any file is read."""
        self._told({"event": "load", "model": model, "device": device}, [])

    def ask(self, request: Request) -> Answer:
        began = time.perf_counter()
        message, arrays = message_of([request])
        told, found = self._told(message, arrays)
        outcome = outcome_of(told["answers"][0], found)
        if isinstance(outcome, UserFacingError):
            raise outcome
        return replace(outcome, waited=time.perf_counter() - began)

    def _told(self, message: Message, arrays: list[np.ndarray]) -> tuple[Message, list[np.ndarray]]:
        told, found = self._computing.told(message, arrays, lambda: None)
        if "refused" in told:
            raise refusal_of(told["refused"])
        return told, found
