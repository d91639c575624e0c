"""How a stream is kept up with: which stretch is due, how many draws there is time for, and what has to be left out.

A stretch that nobody had time for is never made up for, so no queue grows. The clock is always passed in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

HEADROOM = 0.75  # of the time until a deadline that is planned for; the machine does other things too
_LOOKED_AT = 3  # measurements that the next number of draws follows


@dataclass(frozen=True, slots=True)
class Slot:
    """One stretch of the stream. Its answer is in time when it comes before the next stretch is there."""

    number: int  # from 0
    since: float  # on the clock: when all of its sound was there
    due: float


class Lane:
    """One model beside the others: what its answers took, and how many came late or were left out."""

    def __init__(self, name: str, most: int) -> None:
        self.name, self.most = name, most
        self.answered = self.late = self.dropped = 0
        self._fixed = False  # does it take as many draws whatever is asked for?
        self._measured: deque[tuple[int, float]] = deque(maxlen=_LOOKED_AT)
        self._took = 0.0

    @property
    def seconds(self) -> float | None:
        """What an answer took of late."""
        return median(took for _, took in self._measured) if self._measured else None

    @property
    def mean_seconds(self) -> float | None:
        """What an answer took since the stream began."""
        return self._took / self.answered if self.answered else None

    @property
    def need(self) -> float | None:
        """Seconds that would be enough for as many draws as are wanted; None: not measured yet."""
        if self._fixed or not self._measured:
            return self.seconds
        return self.most / self._pace()

    def draws(self, budget: float) -> int:
        """At least one. What is the same for every draw counts as if each had its share of it, so that the next
        answer takes less than the budget rather than more; a few answers on, it takes just that."""
        if self._fixed or not self._measured:
            return self.most if self._fixed else 1
        return max(1, min(self.most, int(self._pace() * budget + 1e-9)))

    def measure(self, asked: int, draws: int, seconds: float) -> None:
        if draws != asked:  # a point estimate, or a handful of members
            self._fixed, self.most = True, draws
        self._measured.append((draws, max(seconds, 1e-6)))

    def count(self, seconds: float, *, late: bool) -> None:
        self.answered += 1
        self.late += late
        self._took += seconds

    def _pace(self) -> float:
        """Draws a second."""
        return median(draws / seconds for draws, seconds in self._measured)


class Pace:
    """One stream, heard by several models in turn. ``chunk``: seconds between two answers."""

    def __init__(self, chunk: float, names: Sequence[str], most: int) -> None:
        if chunk <= 0 or most < 1:
            raise ValueError("answers are some time apart, and each has at least one draw")
        self.chunk = chunk
        self.lanes = tuple(Lane(name, most) for name in names)
        self._last = -1
        self._first = 0  # who is asked first: whoever was left out, so that it is not always the same

    def take(self, there: int, since: float) -> Slot | None:
        """The newest of the stretches that are ``there``; None where it was taken before.

        Those between it and the one before are left out, by every model.
        """
        number = there - 1
        if number <= self._last:
            return None
        for lane in self.lanes:
            lane.dropped += number - self._last - 1
        self._last = number
        return Slot(number, since, since + self.chunk)

    @property
    def taken(self) -> int:
        """How many stretches were answered or left out."""
        return self._last + 1

    def order(self) -> tuple[Lane, ...]:
        return self.lanes[self._first :] + self.lanes[: self._first]

    def draws(self, slot: Slot, lane: Lane, rest: Sequence[Lane], now: float) -> int:
        """How many draws there is time for, ``rest`` being those that are still to be asked; 0: none, leave it out."""
        left = slot.due - now
        if left <= 0:
            return 0
        needs = [left if one.need is None else one.need for one in (lane, *rest)]
        return lane.draws(fair_shares(needs, HEADROOM * left)[0])

    def leave_out(self, lane: Lane) -> None:
        """No time for it. It comes first the next time."""
        lane.dropped += 1
        self._first = self.lanes.index(lane)

    def note(self, slot: Slot, lane: Lane, asked: int, draws: int, began: float, ended: float) -> bool:
        """What an answer took; was it late?"""
        late = ended > slot.due
        lane.measure(asked, draws, ended - began)
        lane.count(ended - began, late=late)
        return late

    @property
    def factor(self) -> float | None:
        """Seconds of work for one second of sound; from 1 on the stream runs away."""
        known = [lane.mean_seconds for lane in self.lanes]
        return sum(one for one in known if one is not None) / self.chunk if any(known) else None


def fair_shares(needs: Sequence[float], budget: float) -> list[float]:
    """Equal shares, and what one does not need goes to the others."""
    shares = [0.0] * len(needs)
    left, waiting = budget, sorted(range(len(needs)), key=lambda place: needs[place])
    for done, place in enumerate(waiting):
        shares[place] = min(needs[place], left / (len(waiting) - done))
        left -= shares[place]
    return shares
