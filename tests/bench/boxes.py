"""How hard the built-in boxes are: ``python -m tests.bench.boxes soundbox|toybox [--json]``.

Each box has a module ``_<box>.py`` beside this one, with ``material(settings) -> Material``.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path

from core.settings import load
from tests.bench._box_measures import convnet_accuracy, leak, linear_accuracy


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.boxes", description="Measure a built-in box.")
    parser.add_argument("box", choices=("soundbox", "toybox"))
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--home", type=Path, help="where the rendered box is kept (default: the app's)")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-net", action="store_true", help="leave the ConvNet out")
    asked = parser.parse_args(arguments)
    settings = load() if asked.home is None else replace(load(), home=asked.home)
    box = importlib.import_module(f"tests.bench._{asked.box}").material(settings)
    report = {
        "box": asked.box,
        "items": len(box.labels),
        "classes": len(box.classes),
        "reading_seconds": box.seconds,
        "linear": linear_accuracy(box, seed=asked.seed),
        "leak": leak(box, seed=asked.seed),
    }
    if not asked.json:
        print(json.dumps(report, indent=2), flush=True)
    if not asked.no_net:
        report["convnet"] = convnet_accuracy(box, epochs=asked.epochs, seed=asked.seed, verbose=not asked.json)
    json.dump(report, sys.stdout, indent=None if asked.json else 2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
