"""A stream heard as it comes: the last stretch of it to several models again and again, each with as many draws as
there is time for.

Windows are those of doubt along a clip, and so is their noise: at equal draws and seed they get the same answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.contracts import Media
from core.errors import UserFacingError
from core.pipeline.inspect import Asks, How
from core.pipeline.pacing import Lane, Pace, Slot
from core.pipeline.places import Window, window_of
from core.runner import Answer

PARTS = ("total", "aleatoric", "epistemic")
KEPT = 60.0  # seconds of a microphone that stay
_TRIAL = 2  # draws of the first request: enough to tell a point estimate


@dataclass(frozen=True, slots=True)
class Heard:
    """What one model said of one stretch."""

    start: float  # seconds from the beginning of the stream
    ends: float
    whole: bool  # False: so little had been heard that it was repeated
    draws: int
    doubts: Mapping[str, float]
    label: str
    p: float
    seconds: float  # that the answer took, waiting in line included
    late: bool


class Tape:
    """The sound so far, of which the oldest is forgotten. Places are counted in samples from its beginning, which is
    wherever the first sound came from."""

    def __init__(self, rate: int, kept: float = KEPT) -> None:
        self.rate, self.frames, self.lost = rate, 0, 0
        self._origin: int | None = None
        self._samples, self._most = np.zeros(0, np.float32), round(kept * rate)

    def add(self, first: int, samples: np.ndarray) -> np.ndarray:
        """What of it is new. Sound that comes twice is taken once; sound that never came is silence, and counted."""
        if self._origin is None:
            self._origin = first
        first -= self._origin
        new = samples[max(0, self.frames - first) :]
        gap = max(0, first - self.frames)
        if not len(new):
            return new
        self.lost += gap
        filled = np.zeros(min(gap, self._most), np.float32)
        new = np.concatenate([filled, new.astype(np.float32)])
        self._samples = np.concatenate([self._samples, new])[-self._most :]
        self.frames = first + len(samples)
        return new

    def stretch(self, start: int, stop: int) -> np.ndarray:
        oldest = self.frames - len(self._samples)
        return self._samples[max(0, start - oldest) : max(0, stop - oldest)]


class Listening:
    """One stream and the models that hear it. One visitor's: it is not for several threads.

    ``about`` is the whole file, or of a microphone a Media without samples; its sha256 names the noise. ``tape`` None:
    the sound is that of the file.
    """

    def __init__(
        self,
        about: Media,
        models: Sequence[str],
        asks: Asks,
        *,
        chunk: float = 1.0,
        most: int = 50,
        seed: int = 0,
        device: str = "auto",
        tape: Tape | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if about.rate is None:
            raise UserFacingError("A picture cannot be listened to; choose a sound.", code="kind")
        self.about, self.tape, self.asks, self.clock = about, tape, asks, clock
        self.rate, self.seed, self.device = about.rate, seed, device
        self.pace = Pace(chunk, models, most)
        self.told: dict[str, list[Heard]] = {name: [] for name in models}
        self.classes: dict[str, tuple[str, ...]] = {}
        self.windows: dict[str, Window] = {}
        self.step_frames = max(1, round(chunk * self.rate))
        self.began: float | None = None
        self.frames = len(about.samples) if tape is None else None  # None: it has no end

    @property
    def seconds(self) -> float | None:
        return None if self.frames is None else self.frames / self.rate

    @property
    def steps(self) -> int | None:
        """How many stretches a file has, the last one perhaps shorter."""
        return None if self.frames is None else -(-self.frames // self.step_frames)

    @property
    def over(self) -> bool:
        """All of the file was heard, and its last stretch was answered or left out."""
        return self.steps is not None and self.began is not None and self.pace.taken >= self.steps

    def meet(self) -> Iterator[str]:
        """Have each model loaded and learn what it hears and takes; yields whose turn it is. Before the stream."""
        sample = np.zeros(self.rate, np.float32)
        for lane in self.pace.lanes:
            yield lane.name
            answer = self._ask(lane, sample, _TRIAL)
            self.windows[lane.name] = window_of(self.frames, self.rate, answer.hears)
            self.classes[lane.name] = answer.classes
            began = self.clock()
            again = self._ask(lane, self.windows[lane.name].filled(sample), _TRIAL)
            lane.measure(_TRIAL, again.draws, self.clock() - began)

    def begin(self) -> None:
        """The sound of a file starts to run now."""
        self.began = self.clock()

    def played(self) -> float:
        """Seconds of the stream so far."""
        if self.tape is not None:
            return self.tape.frames / self.rate
        assert self.began is not None
        assert self.seconds is not None
        return min(self.clock() - self.began, self.seconds)

    def until_next(self) -> float:
        """Seconds until the next stretch of a file is there; 0 where it is."""
        assert self.began is not None
        assert self.seconds is not None
        if self._there()[0] > self.pace.taken or self.over:
            return 0.0
        end = min((self.pace.taken + 1) * self.pace.chunk, self.seconds)
        return max(0.0, self.began + end - self.clock())

    def close(self) -> None:
        """What was told stays, the sound goes."""
        self.about, self.tape = replace(self.about, samples=np.zeros(0, np.float32)), None

    def step(self) -> Slot | None:
        """Ask about the newest stretch; None where none is new."""
        there, since = self._there()
        slot = self.pace.take(there, since)
        if slot is None:
            return None
        order = self.pace.order()
        for place, lane in enumerate(order):
            draws = self.pace.draws(slot, lane, order[place + 1 :], self.clock())
            if draws:
                self._hear(slot, lane, draws)
            else:
                self.pace.leave_out(lane)
        return slot

    def _there(self) -> tuple[int, float]:
        """How many stretches are complete, and since when the last one is."""
        if self.tape is not None:
            return self.tape.frames // self.step_frames, self.clock()
        assert self.began is not None, "a file is heard from its beginning"
        assert self.steps is not None
        assert self.seconds is not None
        run, chunk = self.clock() - self.began, self.pace.chunk
        there = self.steps if run >= self.seconds else min(int(run / chunk + 1e-9), self.steps)
        return there, self.began + min(there * chunk, self.seconds)

    def _hear(self, slot: Slot, lane: Lane, draws: int) -> None:
        window = self.windows[lane.name]
        stop = (slot.number + 1) * self.step_frames
        stop = stop if self.frames is None else min(stop, self.frames)
        start = max(0, stop - window.size)
        source = self.about.samples[start:stop] if self.tape is None else self.tape.stretch(start, stop)
        began = self.clock()
        try:
            answer = self._ask(lane, window.filled(source), draws)
        except UserFacingError as error:
            if error.code != "busy":
                raise
            self.pace.leave_out(lane)  # others ask so much that there is no place in line
            return
        ended = self.clock()
        late = self.pace.note(slot, lane, draws, answer.draws, began, ended)
        top = int(answer.mean[0].argmax())
        self.told[lane.name].append(
            Heard(
                start / self.rate,
                stop / self.rate,
                stop - start == window.size,
                answer.draws,
                {name: float(answer.doubts[name][0]) for name in PARTS if name in answer.doubts},
                answer.classes[top],
                float(answer.mean[0, top]),
                ended - began,
                late,
            )
        )

    def _ask(self, lane: Lane, samples: np.ndarray, draws: int) -> Answer:
        media = replace(self.about, samples=samples)
        return self.asks.ask(How(draws, self.seed, self.device).request(lane.name, media, keep=False))
