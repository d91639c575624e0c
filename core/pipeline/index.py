"""The walk over a data set into a collection: read, hash, decode in children, store; refusals become rows.

It resumes by itself: what is stored with the same bytes is passed over. Long recordings on disk are
read in windows, so that memory does not grow with their hours. Where vectors are wanted, a network has a thread
of its own, so that it computes while others decode.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from core.contracts import Dataset, Item, Progress, no_progress
from core.errors import StoreError
from core.media.sandbox import Sandbox
from core.pipeline._work import Done, Job, Prepare, Recording, decoded, windows_of
from core.store import Backbone, ItemRow, UncertaintyRow, Writer

_SECONDS = 20.0  # between two commits, at most: what a crash may cost
_GROUP = 32  # items that go through a network together
_FLYING = 2  # groups that may be on their way through it


@dataclass(frozen=True, slots=True, eq=False)
class Passed:
    """What came out of a network."""

    vectors: np.ndarray  # (items, dim) float32
    said: tuple[UncertaintyRow, ...] = ()  # one each, their ids still open


@dataclass(frozen=True, slots=True)
class Embedder:
    """Turns what ``prepare`` makes of decoded media into vectors, and into doubts where vectors do not tell them."""

    backbone: Backbone
    prepare: Prepare
    embed: Callable[[Sequence[Any], Sequence[str]], Passed]  # inputs and the sha256 of their bytes
    model: str | None = None  # whose doubts ``embed`` tells too


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of the items given: given == stored + problems. Windows of a recording count each."""

    given: int
    stored: int  # in the collection now
    already: int  # of these, unchanged since an earlier run
    problems: int
    seconds: float


def index(
    dataset: Dataset,
    collection: Writer,
    *,
    sandbox: Sandbox | None = None,
    embedder: Embedder | None = None,
    workers: int = 3,
    chunk: int = 512,
    window_seconds: float = 10.0,
    on_progress: Progress = no_progress,
) -> Summary:
    """Bring a collection up to date with a data set. Every ``chunk`` items are one commit."""
    if collection.about.kind != dataset.kind:
        raise StoreError(
            f"Collection {collection.name!r} holds {collection.about.kind} items and the source {dataset.kind}; "
            "use another collection.",
            code="wrong-kind",
        )
    walk = _Walk(dataset, collection, sandbox, embedder, chunk, window_seconds, on_progress)
    return walk.run(workers)


@dataclass(slots=True, eq=False)
class _Walk:
    dataset: Dataset
    collection: Writer
    sandbox: Sandbox | None
    embedder: Embedder | None
    chunk: int
    window_seconds: float
    on_progress: Progress
    waiting: list[Done] = field(default_factory=list)
    given: int = 0
    stored: int = 0
    already: int = 0
    problems: int = 0
    refused_before: set[str] = field(default_factory=set)
    judged: set[str] = field(default_factory=set)  # ids whose doubts are known
    group: list[Done] = field(default_factory=list)  # the next to go through the network
    flying: deque[tuple[tuple[str, ...], Future[Passed]]] = field(default_factory=deque)
    said: dict[str, UncertaintyRow] = field(default_factory=dict)
    network: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="network"))
    committed_at: float = 0.0

    def run(self, workers: int) -> Summary:
        started = self.committed_at = time.monotonic()
        self.collection.extend_classes(self.dataset.classes)
        self.refused_before = {problem.id for problem in self.collection.problems()}
        if self.embedder is not None and self.embedder.model is not None:
            self.judged = {row.id for row in self.collection.uncertainties(self.embedder.model)}
        expected = len(self.dataset.items)
        jobs = [self._jobs()]
        flight: deque[tuple[Job, Future[Done | Recording]]] = deque()
        pool = ThreadPoolExecutor(workers, thread_name_prefix="index")
        try:
            while True:
                while len(flight) < 2 * workers and (job := _next(jobs)) is not None:
                    flight.append((job, pool.submit(self._do, job)))
                if not flight:
                    break
                job, future = flight.popleft()
                outcome = future.result()
                if isinstance(outcome, Recording):
                    expected += outcome.windows - 1
                    jobs.append(self._window_jobs(outcome))
                    continue
                self._take(outcome)
                self.on_progress(self.given, expected, "index")
            self._commit()
        finally:
            pool.shutdown(cancel_futures=True)
            self.network.shutdown(cancel_futures=True)
        return Summary(self.given, self.stored, self.already, self.problems, time.monotonic() - started)

    def _do(self, job: Job) -> Done | Recording:
        prepare = None if self.embedder is None else self.embedder.prepare
        return decoded(job, self.dataset, self.sandbox, self.window_seconds, prepare)

    def _jobs(self) -> Iterator[Job]:
        """Items with what is stored of them, asked for a chunk at a time."""
        items = iter(self.dataset.items)
        while group := list(islice(items, self.chunk)):
            yield from self._known([Job(item.id, item) for item in group])

    def _window_jobs(self, recording: Recording) -> Iterator[Job]:
        windows = windows_of(recording)
        while group := list(islice(windows, self.chunk)):
            yield from self._known(group)

    def _known(self, jobs: Sequence[Job]) -> Iterator[Job]:
        before = self.collection.stored([job.id for job in jobs])
        bare: set[str] = set()
        if self.embedder is not None:
            bare.update(self.collection.missing_vectors(list(before.values()), self.embedder.backbone))
        for job in jobs:
            sha = before.get(job.id)
            told = self.embedder is None or self.embedder.model is None or job.id in self.judged
            yield job.knowing(sha, complete=sha is not None and sha not in bare and told)

    def _take(self, done: Done) -> None:
        self.waiting.append(replace(done, taken=None))
        self.given += 1
        if done.taken is not None:
            self.group.append(done)
            if len(self.group) >= _GROUP:
                self._send()
        late = time.monotonic() - self.committed_at > _SECONDS
        if len(self.waiting) >= self.chunk or late:
            self._commit()

    def _commit(self) -> None:
        """Vectors before items: an item that is there has its vector. Doubts after: an item that changed loses its."""
        self._send()
        self._land(0)
        batch, self.waiting = self.waiting, []
        problems = [done.problem for done in batch if done.problem is not None]
        rows = [self._row(done) for done in batch if done.problem is None and not done.already]
        self.collection.add(rows)
        said = [(done.job.id, self.said[done.sha256]) for done in batch if done.sha256 in self.said]
        self.collection.add_uncertainties([replace(row, id=id_) for id_, row in said])
        self.said.clear()
        self.collection.add_problems(problems)
        self.collection.clear_problems(
            done.job.id for done in batch if done.already and done.job.id in self.refused_before
        )
        self.collection.flush()
        self.stored += len(batch) - len(problems)
        self.already += sum(done.already for done in batch)
        self.problems += len(problems)
        self.committed_at = time.monotonic()

    def _send(self) -> None:
        """Bytes without a vector, or without doubts where the network is to tell them, go on their way."""
        group, self.group = self.group, []
        if self.embedder is None or not group:
            return
        taken = {done.sha256: done.taken for done in group}
        if self.embedder.model is None:
            missing = self.collection.missing_vectors(list(taken), self.embedder.backbone)
            taken = {sha: taken[sha] for sha in missing}
        if taken:
            future = self.network.submit(self.embedder.embed, tuple(taken.values()), tuple(taken))
            self.flying.append((tuple(taken), future))
        self._land(_FLYING)

    def _land(self, most: int) -> None:
        """Wait until at most so many groups are on their way."""
        assert self.embedder is not None or not self.flying
        while self.embedder is not None and len(self.flying) > most:
            shas, future = self.flying.popleft()
            passed = future.result()
            self.collection.add_vectors(self.embedder.backbone, shas, passed.vectors)
            self.said |= dict(zip(shas, passed.said, strict=False))

    def _row(self, done: Done) -> ItemRow:
        item: Item = done.job.item
        assert done.receipt is not None
        return ItemRow(
            id=done.job.id,
            sha256=done.sha256,
            kind=self.dataset.kind,
            receipt=done.receipt,
            thumbnail=done.thumbnail,
            label=None if item.label is None else self.dataset.classes[item.label],
            fold=item.fold,
            group=item.group or (item.id if done.job.recording is not None else None),
            split=item.split,
            truth=item.truth,
            extra=item.extra + self._labels(item),
        )

    def _labels(self, item: Item) -> tuple[tuple[str, str], ...]:
        """Several labels stand in one further column."""
        names = "|".join(self.dataset.classes[label] for label in item.labels)
        return () if self.dataset.task == "multiclass" else (("labels", names),)


def _next(jobs: list[Iterator[Job]]) -> Job | None:
    """The next job of the innermost iterator that has one."""
    while jobs:
        job = next(jobs[-1], None)
        if job is not None:
            return job
        jobs.pop()
    return None
