"""The command line: one file a command, the same functions as the pages.

With --json a command prints one JSON document on stdout; progress and messages go to stderr.
Exit code 0: done. 2: the input was refused, in one sentence. 1: anything else.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core import registry
from core.contracts import Dataset
from core.errors import UserFacingError
from core.jobs import current as current_job
from core.jobs import taken_up
from core.settings import Settings, load

PACKAGE = "core.cli"
_STOPPED = "Stopped. What was finished is kept; run the same command again to go on."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command has to say: a document for programs and lines for people."""

    document: Any
    lines: tuple[str, ...] = ()
    code: int = 0


@dataclass(frozen=True, slots=True)
class Command:
    """What a module of core/cli exports as COMMAND."""

    key: str
    summary: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Settings], Outcome]


def main(words: Sequence[str] | None = None) -> int:
    try:
        settings = load()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    options = _parser().parse_args(words)
    command: Command = registry.pick(PACKAGE, "COMMAND", options.command)
    with taken_up(settings.job):
        try:
            outcome = command.run(options, settings)
        except UserFacingError as error:
            return _ended("refused", str(error), code=2)
        except KeyboardInterrupt:
            return _ended("stopped", _STOPPED, code=1)
    if getattr(options, "json", False):
        print(json.dumps(outcome.document, ensure_ascii=False, allow_nan=False))
    else:
        print("\n".join(outcome.lines))
    return outcome.code


def _ended(kind: str, sentence: str, code: int) -> int:
    """Say why a command ends early, to people and to the job that this process may be."""
    if (job := current_job()) is not None:
        job.ends(kind, sentence)
    print(sentence, file=sys.stderr)
    return code


def report(done: int, total: int, stage: str) -> None:
    """A Progress: into the job's folder, or one line on stderr, rewritten in place where that works."""
    if (job := current_job()) is not None:
        job.report(done, total, stage)
    elif sys.stderr.isatty():
        end = "\n" if done >= total else ""
        print(f"\r{stage}: {done:,} of {total:,}   ", end=end, file=sys.stderr, flush=True)
    elif done >= total:
        print(f"{stage}: {done:,} of {total:,}", file=sys.stderr, flush=True)


def at_least_one(text: str) -> int:
    """A count on the command line."""
    if text.isascii() and text.isdigit() and int(text):
        return int(text)
    raise argparse.ArgumentTypeError(f"{text[:40]!r} was given; it takes a whole number from 1")


def name_source(parser: argparse.ArgumentParser) -> None:
    """How every command names its data."""
    parser.add_argument("source", help="a data-set key, folder, manifest (.csv, .parquet) or .zip")
    parser.add_argument("--data", type=Path, metavar="PATH", help="where a published set lies on this machine")


def part_of(dataset: Dataset, split: str | None) -> Dataset:
    """Only one of its own splits, where one is named."""
    if split is None:
        return dataset
    items = tuple(item for item in dataset.items if item.split == split)
    if not items:
        known = ", ".join(sorted({item.split for item in dataset.items if item.split})) or "none"
        raise UserFacingError(
            f"{dataset.title} has no split called {split[:40]!r}; it has {known}.", code="no-such-split"
        )
    return replace(dataset, items=items)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m core", description="Penumbra: see what your model does not know.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in registry.discover(PACKAGE, "COMMAND").values():
        sub = commands.add_parser(command.key, help=command.summary, description=command.summary)
        command.arguments(sub)
        answer_in_json(sub)
    return parser


def answer_in_json(parser: argparse.ArgumentParser) -> None:
    """The flag of every command, and of every action of a command that has actions."""
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="one JSON document on stdout")
