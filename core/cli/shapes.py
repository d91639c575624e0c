"""python -m core shapes: fill in shapes of which little is seen, by every method, and compare with the truth."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from core.cli import Command, Outcome, at_least_one, report
from core.errors import UserFacingError
from core.settings import Settings


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", help="what shapes: vertebrae, digits, mnist")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting; repeatable")
    parser.add_argument("--device", default=None, help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument("--damage", type=at_least_one, metavar="N", help="instead ask the kept fields for N shapes, "
                        "under each kind of damage alone and all together")  # fmt: skip
    parser.add_argument("--ship", action="store_true", help="keep the fields among those that come with the app")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads; all by default")


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    from core.configs import with_settings
    from core.device import choose, settle_process
    from core.fingerprint import fingerprint
    from core.pipeline.reconstruct import place_of
    from core.training import shapes
    from core.training.run_files import write

    settle_process(options.threads)
    if options.damage:
        return _damage(options, settings)
    plan = shapes.Config() if options.data == "vertebrae" else shapes.digits(data=options.data)
    config = with_settings(plan, options.set)
    folder = settings.runs / "shapes" / fingerprint(config.learned())[:16]
    device = choose(options.device or settings.device).key
    keep = place_of(config.data, settings, shipped=options.ship)
    words = " ".join(("python -m core shapes", options.data, *(f"--set {one}" for one in options.set), "--ship"))
    study = shapes.run(config, settings, folder, device=device, progress=report, keep=keep, command=words)
    document = shapes.report(study)
    write(folder / f"study-{fingerprint(config)[:16]}.json", document)
    return Outcome(document, shapes.lines(study))


def _damage(options: argparse.Namespace, settings: Settings) -> Outcome:
    from core.pipeline.damaged import measure, pictures, place_of
    from core.training.run_files import write

    if options.data == "pictures":
        found = pictures(options.damage, settings, report)
    elif options.data in ("vertebrae", "digits"):
        found = measure(options.data, options.damage, settings, report)
    else:
        raise UserFacingError("Fields are kept of vertebrae, digits and pictures; choose one of them.", code="setting")
    command = f"python -m core shapes {options.data} --damage {options.damage} --ship"
    path = place_of(options.data, settings, shipped=options.ship)
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, {"command": command, "date": datetime.now(UTC).date().isoformat(), **found})
    first = next(iter(found["rows"][0]["methods"]["single"]))
    lines = [f"{found['shapes']} shapes, {first}"]
    for row in found["rows"]:
        told = ", ".join(f"{key} {one[first][0]:.3f}" for key, one in row["methods"].items())
        lines.append(f"{row['kind']} {row['level']}: {told}")
    return Outcome(found, tuple(lines))


COMMAND = Command("shapes", "fill in shapes of which little is seen, by every method", _arguments, _run)
