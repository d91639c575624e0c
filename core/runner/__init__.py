"""One worker process holds torch, the models and the device; everything else sends it arrays.

``Runner.ask`` waits its turn and answers in plain numpy; ``refine`` gives growing answers. Requests that wait together
and ask the same of one model are answered as one batch, and each gets the answer that it would have got alone.
"""

from __future__ import annotations

from core.runner._contract import Answer, Described, Launch, Limits, Loaded, Request
from core.runner._here import Here
from core.runner._line import Ticket
from core.runner._room import Room
from core.runner._runner import Runner

__all__ = ["Answer", "Described", "Here", "Launch", "Limits", "Loaded", "Request", "Room", "Runner", "Ticket"]
