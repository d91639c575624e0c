"""The walk over a data set into a collection: read, hash, decode in children, store; refusals become rows.

It resumes by itself: what is stored with the same bytes is passed over. Long recordings on disk are
read in windows, so that memory does not grow with their hours.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from core.contracts import Dataset, Item, Media, Progress, no_progress
from core.errors import StoreError
from core.media.sandbox import Sandbox
from core.pipeline._work import Done, Job, Recording, decoded, windows_of
from core.store import Backbone, ItemRow, Writer

_SECONDS = 20.0  # between two commits, at most: what a crash may cost
_BYTES = 256 << 20  # of decoded media that may wait for their vectors


@dataclass(frozen=True, slots=True)
class Embedder:
    """Turns decoded media into vectors, (media, dim) float32."""

    backbone: Backbone
    embed: Callable[[Sequence[Media]], np.ndarray]


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
    committed_at: float = 0.0

    def run(self, workers: int) -> Summary:
        started = self.committed_at = time.monotonic()
        self.collection.extend_classes(self.dataset.classes)
        self.refused_before = {problem.id for problem in self.collection.problems()}
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
        return Summary(self.given, self.stored, self.already, self.problems, time.monotonic() - started)

    def _do(self, job: Job) -> Done | Recording:
        return decoded(job, self.dataset, self.sandbox, self.window_seconds, keep=self.embedder is not None)

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
            yield job.knowing(sha, complete=sha is not None and sha not in bare)

    def _take(self, done: Done) -> None:
        self.waiting.append(done)
        self.given += 1
        held = sum(one.media.samples.nbytes for one in self.waiting if one.media is not None)
        late = time.monotonic() - self.committed_at > _SECONDS
        if len(self.waiting) >= self.chunk or held >= _BYTES or late:
            self._commit()

    def _commit(self) -> None:
        """Vectors before items: an item that is there has its vector."""
        batch, self.waiting = self.waiting, []
        problems = [done.problem for done in batch if done.problem is not None]
        rows = [self._row(done) for done in batch if done.problem is None and not done.already]
        self._embed([done for done in batch if done.media is not None])
        self.collection.add(rows)
        self.collection.add_problems(problems)
        self.collection.clear_problems(
            done.job.id for done in batch if done.already and done.job.id in self.refused_before
        )
        self.collection.flush()
        self.stored += len(batch) - len(problems)
        self.already += sum(done.already for done in batch)
        self.problems += len(problems)
        self.committed_at = time.monotonic()

    def _embed(self, batch: Sequence[Done]) -> None:
        """One call for all media of a batch whose bytes have no vector yet."""
        if self.embedder is None or not batch:
            return
        by_sha = {done.media.sha256: done.media for done in batch if done.media is not None}
        missing = self.collection.missing_vectors(list(by_sha), self.embedder.backbone)
        if missing:
            vectors = self.embedder.embed([by_sha[sha] for sha in missing])
            self.collection.add_vectors(self.embedder.backbone, missing, vectors)

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
