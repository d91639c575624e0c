"""python -m core shapes: fill in shapes of which little is seen, by every method, and compare with the truth."""

from __future__ import annotations

import argparse

from core.cli import Command, Outcome, report
from core.settings import Settings


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", help="what shapes: vertebrae, digits, mnist")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting; repeatable")
    parser.add_argument("--device", default=None, help="auto, cpu, cuda, cuda:1, mps")
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


COMMAND = Command("shapes", "fill in shapes of which little is seen, by every method", _arguments, _run)
