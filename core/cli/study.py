"""python -m core study: a question of the papers, the commands that answer it, and what they found."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from core import registry
from core.cli import Command, Outcome, at_least_one, report
from core.errors import UserFacingError
from core.settings import Settings

if TYPE_CHECKING:
    from core.experiments._study import Answer, Spoken, Study

_PACKAGE = "core.experiments"
_VERDICTS = {"holds": "holds here", "fails": "not so here", "open": "cannot be told yet", "measured": "measured"}


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", nargs="?", help="of a study; without one, all are listed with what is known")
    parser.add_argument("--again", action="store_true", help="make its tables anew; trainings that are done are found")
    parser.add_argument("--told", action="store_true", help="only say what is stored, and train nothing")
    parser.add_argument("--device", default=None, help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument("--threads", type=at_least_one, default=None, help="CPU threads; all by default")
    parser.add_argument("--ship", action="store_true", help="keep its tables among those that come with the app")


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    if options.key is None:
        rows = [_row(one, settings) for one in registry.discover(_PACKAGE, "STUDY").values()]
        lines = [f"{row['key']:<20} {row['sentence'] or 'not measured here: about ' + _about(row)}" for row in rows]
        return Outcome({"studies": rows}, tuple(lines))
    study: Study = registry.pick(_PACKAGE, "STUDY", options.key)
    if not options.told:
        _make(study, options, settings)
    row = _row(study, settings)
    if row["sentence"] is None:
        raise UserFacingError(
            f"{study.title} is not measured here; leave --told out, and it takes about {_about(row)}.", code="no-tables"
        )
    return Outcome(row, (f"{study.question}", f"{row['sentence']}", f"Claim: {_VERDICTS[row['verdict']]}."))


def _make(study: Study, options: argparse.Namespace, settings: Settings) -> None:
    """What is missing, each by the command that it says; ``call`` is another process, whose memory ends with it."""
    from core.device import choose, settle_process
    from core.experiments._study import found_of
    from core.pipeline.recorded import call, record
    from core.pipeline.sweep import sweep
    from core.pipeline.swept import save

    known = {} if options.again else found_of(study, settings)
    if all(one.name in known for one in (*study.sweeps, *study.documents)):
        return
    for one in study.models:
        if not _is_there(one.name, settings):
            _demand(call(one.words, settings).returncode, one)
    for one in study.documents:
        if one.name not in known:
            _demand(record(one.name, one.words, settings, shipped=options.ship), one)
    settle_process(options.threads)
    device = choose(options.device or settings.device).key
    for one in study.sweeps:
        if one.name not in known:
            save(sweep(one.wanted, settings, device=device, progress=report), settings, shipped=options.ship)


def _is_there(model: str, settings: Settings) -> bool:
    return any((place / model / "card.json").is_file() for place in (settings.models, settings.checkpoints))


def _demand(code: int, one: Spoken) -> None:
    if code:
        raise UserFacingError(f"{one.command} did not finish; run it by itself to see why.", code="command")


def _row(study: Study, settings: Settings) -> dict[str, Any]:
    from core.experiments._study import answered

    found: Answer | None = answered(study, settings)
    return {
        "key": study.key,
        "question": study.question,
        "claim": study.claim,
        "sentence": None if found is None else found.sentence,
        "verdict": None if found is None else found.verdict,
        "commands": list(study.commands),
        "minutes": study.minutes,
    }


def _about(row: dict[str, Any]) -> str:
    return f"{row['minutes']:g} minutes of one core"


COMMAND = Command("study", "a question of the papers: run its sweeps, and what they say", _arguments, _run)
