"""Who waits, in which order, and who is answered together."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from core.errors import UserFacingError
from core.runner._contract import Answer, Load, Request


class Ticket:
    """One request in line."""

    def __init__(self, request: Request | Load, line: Line) -> None:
        self.request = request
        self.since = time.monotonic()
        self.tries = 0  # workers that broke off on it
        self._line = line
        self._over = threading.Event()
        self._answer: Answer | None = None
        self._error: BaseException | None = None

    @property
    def over(self) -> bool:
        return self._over.is_set()

    def place(self) -> int | None:
        """0: it is being answered; 1: it is the next; None: it is over."""
        return self._line.place(self)

    def result(self, on_place: Callable[[int], None] | None = None) -> Answer:
        """Wait for the answer. ``on_place`` is told the place in line, each time that it has changed."""
        told: int | None = None
        try:
            while not self._over.wait(None if on_place is None else 0.05):
                place = self.place()
                if on_place is not None and place is not None and place != told:
                    told = place
                    on_place(place)
        finally:
            if not self.over:
                self.withdraw()
        self.wait()
        assert self._answer is not None
        return self._answer

    def wait(self) -> None:
        """Until it is over; a refusal is raised."""
        self._over.wait()
        if self._error is not None:
            raise self._error

    def withdraw(self) -> None:
        """Nobody waits for it any more: it leaves the line. What is being computed is computed to its end."""
        self._line.leave(self)

    def answered(self, answer: Answer | None) -> None:
        self._answer = answer
        self._over.set()

    def refused(self, error: BaseException) -> None:
        self._error = error
        self._over.set()


class Line:
    """First come, first served; what can share a pass with the first one goes with it."""

    def __init__(self, most: int, together: int) -> None:
        self._most = most
        self._together = together
        self._changed = threading.Condition()
        self._waiting: deque[Ticket] = deque()
        self._served: tuple[Ticket, ...] = ()
        self._closed = False

    def join(self, request: Request | Load) -> Ticket:
        ticket = Ticket(request, self)
        with self._changed:
            if self._closed:
                raise closing()
            if len(self._waiting) >= self._most:
                raise UserFacingError(
                    f"{len(self._waiting)} requests are waiting for the models already; try again in a moment.",
                    code="busy",
                )
            self._waiting.append(ticket)
            self._changed.notify_all()
        return ticket

    def next(self) -> tuple[Ticket, ...]:
        """Wait for the next to be served, with those that may go together; none: the line is closed."""
        with self._changed:
            self._served = ()
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return ()
            first = self._waiting.popleft()
            chosen, items = [first], len(first.request)
            for other in tuple(self._waiting):
                fits = items + len(other.request) <= self._together
                # one that a worker broke off on goes alone, so that it costs no other its answer again
                if fits and other.request.alike == first.request.alike and not (first.tries or other.tries):
                    chosen.append(other)
                    items += len(other.request)
                    self._waiting.remove(other)
            self._served = tuple(chosen)
            return self._served

    def again(self, tickets: Sequence[Ticket]) -> None:
        """To the front, in their order."""
        with self._changed:
            self._served = ()
            self._waiting.extendleft(reversed(tickets))

    def busy(self) -> bool:
        with self._changed:
            return bool(self._served)

    def place(self, ticket: Ticket) -> int | None:
        with self._changed:
            if ticket in self._served:
                return 0
            return self._waiting.index(ticket) + 1 if ticket in self._waiting else None

    def leave(self, ticket: Ticket) -> None:
        with self._changed:
            if ticket in self._waiting:
                self._waiting.remove(ticket)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            for ticket in (*self._served, *self._waiting):
                if not ticket.over:
                    ticket.refused(closing())
            self._waiting.clear()
            self._changed.notify_all()


def closing() -> UserFacingError:
    return UserFacingError("The app is closing; ask again when it is back.", code="closing")
