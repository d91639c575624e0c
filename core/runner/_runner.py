"""Takes requests from every page and command, and has the one worker answer them, whatever becomes of it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import TracebackType

from core.checkpoints.card import Card, card_of
from core.device import Device
from core.errors import UserFacingError
from core.runner._asking import message_of, outcome_of, refusal_of
from core.runner._contract import Answer, Described, Launch, Limits, Load, Loaded, Request
from core.runner._growing import NO_MORE, first_draws, joined
from core.runner._line import Line, Ticket
from core.runner._rates import Pass, Rates
from core.runner._worker import Lost, Worker
from core.settings import Settings
from core.store import artifacts

_TRIES = 2  # workers that one request may cost


class _OneOfThem(Exception):
    """Of the requests in a pass one is at fault; which one, each alone will tell."""


class Runner:
    """Safe to use from several threads. Its worker starts with the first request, and ends with this process."""

    def __init__(self, settings: Settings, limits: Limits | None = None, *, launch: Launch | None = None) -> None:
        self.settings = settings
        self.limits = limits or Limits()
        self._launch = launch or Launch()
        self._line = Line(self.limits.waiting, self.limits.together)
        self._rates = Rates()
        self._lock = threading.Lock()
        self._serving: threading.Thread | None = None
        self._greeted = threading.Event()
        self._worker: Worker | None = None
        self._devices: tuple[Device, ...] = ()
        self._loaded: tuple[Loaded, ...] = ()

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def ask(self, request: Request, *, on_place: Callable[[int], None] | None = None) -> Answer:
        """Wait in line for the answer; ``on_place`` is told the place while it changes, 0 when it is its turn."""
        return self.submit(request).result(on_place)

    def submit(self, request: Request) -> Ticket:
        """Go into line without waiting; refused with a sentence where the line is full."""
        ticket = self._line.join(request)
        self._serve()
        return ticket

    def refine(self, request: Request, *, on_place: Callable[[int], None] | None = None) -> Iterator[Answer]:
        """Growing answers, the last one that of ``ask``: scope network begins with a few draws, others go together.

        Draw s is the same in each. In between, others have their turn.
        """
        wanted = request.draws or self._own_draws(request)
        steps = first_draws(wanted) if request.keep and self._card(request.model).scope == "network" else ()
        answer: Answer | None = None
        for draws in (*steps, wanted):
            if answer is None:
                answer = self.ask(replace(request, draws=draws), on_place=on_place)
            else:
                grown = self._grown(answer, replace(request, draws=draws), on_place)
                if grown is None:
                    return
                answer = grown
            yield answer
            if answer.draws != draws:  # a point estimate, or members: it does not grow
                return

    def _grown(self, answer: Answer, request: Request, on_place: Callable[[int], None] | None) -> Answer | None:
        """With the draws that are still missing; all anew where the model is another one by now. None: it has all."""
        try:
            more = self.ask(replace(request, first=answer.draws), on_place=on_place)
        except UserFacingError as error:
            if error.code != NO_MORE:
                raise
            return None
        return joined(answer, more) if more.mark == answer.mark else self.ask(request, on_place=on_place)

    def warm(self, model: str | None = None, device: str = "auto") -> None:
        """Start the worker now, and load a model that is wanted soon; returns at once. A full line is no error."""
        self._serve()
        if model is not None:
            with contextlib.suppress(UserFacingError):
                self._line.join(Load(model, device))

    def devices(self) -> tuple[Device, ...]:
        """What is here, the fastest first. Waits until the worker has looked."""
        self._serve()
        self._greeted.wait(self.limits.start)
        return self._devices

    def seen(self) -> tuple[Device, ...]:
        """The devices, as far as the worker has looked; none before. It neither starts the worker nor waits."""
        return self._devices

    def describe(self, model: str, draws: int = 50, device: str = "auto") -> Described:
        """What asking would take. It neither loads the model nor waits for the worker."""
        card = self._card(model)
        wish = device if device != "auto" else self.settings.device
        wish = "cuda:0" if wish == "cuda" else wish
        found = next((one for one in self._devices if wish in ("auto", one.key)), None)
        loaded = [one for one in self._loaded if one.name == model and (found is None or one.device == found.key)]
        seconds, measured = None, False
        if found is not None:
            seconds = self._rates.seconds(model, found.key, draws, card.scope, card.macs)
            measured = self._rates.known(model, found.key)
        memory = loaded[0].memory if loaded else 4 * card.params
        return Described(
            model, card.kind, card.scope, card.method, found, "float32", memory, bool(loaded), draws, seconds, measured
        )

    def loaded(self) -> tuple[Loaded, ...]:
        """The models in the worker's memory, the last used at the end."""
        return self._loaded

    def process(self) -> int | None:
        """The number of the worker's process."""
        worker = self._worker
        return worker.process.pid if worker is not None and worker.alive else None

    def close(self) -> None:
        """Refuse who waits, end the worker."""
        self._line.close()
        with self._lock:
            serving, worker = self._serving, self._worker
        if serving is None:
            return
        if worker is not None and (self._line.busy() or not self._greeted.is_set()):
            worker.process.kill()
        serving.join()

    def _own_draws(self, request: Request) -> int:
        """As many as its method usually takes, which the worker knows once it has the model."""
        ticket = self._line.join(Load(request.model, request.device))
        self._serve()
        ticket.wait()
        return next((one.draws for one in reversed(self._loaded) if one.name == request.model), 1)

    def _card(self, name: str) -> Card:
        for place in (self.settings.models, self.settings.checkpoints):
            if (place / name / artifacts.CARD).is_file():
                return card_of(artifacts.load(place / name).card, name)
        raise UserFacingError(
            f"There is no model called {name[:60]!r}; choose one from the list.", code="unknown-model"
        )

    def _serve(self) -> None:
        with self._lock:
            if self._serving is None:
                self._serving = threading.Thread(target=self._run, name="runner", daemon=True)
                self._serving.start()

    def _run(self) -> None:
        try:
            try:
                self._ready()
            except (Lost, OSError):  # who asks will be told
                self._replace()
            while batch := self._line.next():
                self._answer(batch)
        finally:
            self._line.close()
            if self._worker is not None:
                self._worker.end(kindly=True)

    def _answer(self, batch: Sequence[Ticket]) -> None:
        try:
            self._exchange(batch)
        except _OneOfThem:
            self._once_more(batch, Lost("failed"))
        except Lost as lost:
            self._replace()
            self._once_more(batch, lost)
        except Exception as error:
            for ticket in batch:
                if not ticket.over:
                    ticket.refused(error)

    def _exchange(self, batch: Sequence[Ticket]) -> None:
        worker = self._ready()
        requests = [ticket.request for ticket in batch]
        if isinstance(requests[0], Load):
            message, arrays = {"event": "load", "model": requests[0].model, "device": requests[0].device}, []
        else:
            message, arrays = message_of([one for one in requests if isinstance(one, Request)])
        told, found = worker.exchange(message, arrays)
        self._loaded = tuple(Loaded(**one) for one in told["loaded"])
        if "failed" in told:
            if len(batch) > 1:
                raise _OneOfThem
            raise RuntimeError(f"the worker failed:\n{told['failed']}")
        if "refused" in told:
            raise refusal_of(told["refused"])
        if isinstance(requests[0], Load):
            for ticket in batch:
                ticket.answered(None)
            return
        outcomes = [outcome_of(one, found) for one in told["answers"]]
        for ticket, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, UserFacingError):
                ticket.refused(outcome)
                continue
            if ticket is batch[0]:  # one pass for all
                self._note(outcome)
            ticket.answered(replace(outcome, waited=time.monotonic() - ticket.since))

    def _note(self, answer: Answer) -> None:
        card = self._card(answer.model)
        one = Pass(answer.together, answer.draws, answer.seconds)
        self._rates.note(answer.model, answer.device, one, card.scope, card.macs)

    def _ready(self) -> Worker:
        """The worker, started where there is none; one that was ended while nobody asked is replaced unseen."""
        if self._worker is not None and not self._worker.alive:
            self._replace()
        if self._worker is None:
            worker = Worker(self.settings, self.limits, self._launch)
            with self._lock:
                self._worker = worker
        self._worker.greet()
        self._rates.begin(self._worker.paces)
        self._devices = self._worker.devices
        self._greeted.set()
        return self._worker

    def _replace(self) -> None:
        with self._lock:
            worker, self._worker = self._worker, None
        self._loaded = ()
        if worker is not None:
            worker.end()

    def _once_more(self, batch: Sequence[Ticket], lost: Lost) -> None:
        again = []
        for ticket in batch:
            ticket.tries += 1
            if ticket.tries < _TRIES:
                again.append(ticket)
            elif not ticket.over:
                ticket.refused(_broke_off(lost))
        self._line.again(again)


def _broke_off(lost: Lost) -> UserFacingError:
    return UserFacingError(
        f"The model's process {lost} twice on this request; ask with fewer samples, a smaller file, or another model.",
        code="broke-off",
    )
