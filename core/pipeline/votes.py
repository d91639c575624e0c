"""The answers of a class: each person's dozen in one small file, and their sum for those who have given theirs.

A code is chosen by whoever teaches; of a person nothing is kept but the answers, under a number drawn at random.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.drafts import draft
from core.errors import UserFacingError
from core.fingerprint import fingerprint
from core.settings import Settings

WANTED = "4 to 24 letters, digits or hyphens"
MOST_VOTERS, MOST_POLLS = 400, 2_000
KEPT_DAYS = 60
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{2,22}[a-z0-9]")
_VOTER = re.compile(r"[0-9a-f]{16}")
_MOST_BYTES = 4_096  # of a file


@dataclass(frozen=True, slots=True)
class Poll:
    """One class and one dozen of items."""

    code: str
    data: str  # of the version of the data
    ids: tuple[str, ...]
    classes: int

    def folder(self, settings: Settings) -> Path:
        return settings.home / "classes" / fingerprint("poll", self.code, self.data, self.ids, self.classes)[:32]


@dataclass(frozen=True, slots=True)
class Ballot:
    answers: tuple[int, ...]  # places in the classes
    sure: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    voters: int
    counts: np.ndarray  # (items, classes) how many chose it
    sure: np.ndarray  # (items,) mean place in core.pipeline.you.SURE

    @property
    def entropy(self) -> np.ndarray:
        """(items,) of the votes, in nats; few voters cannot reach much of it."""
        shares = self.counts / self.counts.sum(axis=1, keepdims=True)
        return -np.sum(np.where(shares > 0, shares * np.log(np.where(shares > 0, shares, 1.0)), 0.0), axis=1)


def code_of(text: str) -> str:
    """Capitals count as small letters. Raises ValueError for anything else than WANTED."""
    code = text.strip().lower()
    if not _CODE.fullmatch(code):
        raise ValueError(f"no class code: {text[:40]!r}")
    return code


def new_voter() -> str:
    return secrets.token_hex(8)


def cast(settings: Settings, poll: Poll, voter: str, ballot: Ballot) -> None:
    """Whoever votes again replaces the earlier vote. It is there whole or not at all."""
    if not _VOTER.fullmatch(voter) or _read(_plain(ballot), poll) is None:
        raise ValueError("a ballot holds one answer and one sureness an item")
    folder = poll.folder(settings)
    _make_room(folder)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{voter}.json"
    if not target.exists() and len(_ballots(folder)) >= MOST_VOTERS:
        raise UserFacingError(
            f"{MOST_VOTERS} people have answered under this code, which is as many as fit; choose another code.",
            code="full",
        )
    with draft(target, durable=True) as part:
        part.write_text(json.dumps(_plain(ballot)))


def voters(settings: Settings, poll: Poll) -> int:
    """How many have finished. Says nothing of what they answered."""
    return len(_ballots(poll.folder(settings)))


def tally(settings: Settings, poll: Poll, voter: str) -> Tally:
    """All answers together, for one who has answered."""
    folder = poll.folder(settings)
    if not _VOTER.fullmatch(voter) or not (folder / f"{voter}.json").is_file():
        raise UserFacingError("What the class answered is shown after your own twelve answers.", code="not-yet")
    counts, sure, people = np.zeros((len(poll.ids), poll.classes), np.int64), np.zeros(len(poll.ids)), 0
    rows = np.arange(len(poll.ids))
    for ballot in _read_all(folder, poll):
        counts[rows, list(ballot.answers)] += 1
        sure += ballot.sure
        people += 1
    if not people:
        raise UserFacingError("The answers of this class cannot be read; choose another code.", code="damaged")
    return Tally(people, counts, sure / people)


def _plain(ballot: Ballot) -> dict[str, list[int]]:
    return {"answers": list(ballot.answers), "sure": list(ballot.sure)}


def _ballots(folder: Path) -> list[Path]:
    """Those that are whole; the ones that are being written begin with a dot."""
    return [path for path in folder.glob("*.json") if _VOTER.fullmatch(path.stem)] if folder.is_dir() else []


def _read_all(folder: Path, poll: Poll) -> Iterator[Ballot]:
    for path in sorted(_ballots(folder))[:MOST_VOTERS]:
        try:
            if path.stat().st_size > _MOST_BYTES:
                continue
            record = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        if (ballot := _read(record, poll)) is not None:
            yield ballot


def _read(record: Any, poll: Poll) -> Ballot | None:
    """None for what is no ballot of this poll."""
    if not isinstance(record, dict):
        return None
    answers, sure = record.get("answers"), record.get("sure")
    if _whole(answers, len(poll.ids), poll.classes) and _whole(sure, len(poll.ids), 3):
        return Ballot(tuple(answers), tuple(sure))  # type: ignore[arg-type]
    return None


def _whole(values: Any, count: int, below: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) == count
        and all(type(one) is int and 0 <= one < below for one in values)
    )


def _make_room(folder: Path) -> None:
    """Classes of long ago go when a new one comes."""
    if folder.is_dir() or not folder.parent.is_dir():
        return
    oldest = time.time() - KEPT_DAYS * 24 * 3600
    left = 0
    for other in folder.parent.iterdir():
        try:
            if other.stat().st_mtime < oldest:
                shutil.rmtree(other, ignore_errors=True)
            else:
                left += 1
        except OSError:
            continue
    if left >= MOST_POLLS:
        raise UserFacingError(
            f"{MOST_POLLS} classes are kept on this machine, which is as many as fit; use one of their codes.",
            code="full",
        )


def columns(ids: Sequence[str], classes: Sequence[str], found: Tally) -> dict[str, list[Any]]:
    """One row an item: how many chose each class that anybody chose."""
    chosen = np.flatnonzero(found.counts.sum(axis=0)).tolist()
    return {
        "id": list(ids),
        "voters": [found.voters] * len(ids),
        "human_entropy": found.entropy.tolist(),
        "human_sureness": found.sure.tolist(),
        **{f"votes_{classes[place]}": found.counts[:, place].tolist() for place in chosen},
    }
