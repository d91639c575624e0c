"""Maps of what came with the models, drawn once so that a clone shows them without drawing: part of `make models`.

Models that share features share a map. Points lie further apart than usual (``--min-dist``), which costs no
trustworthiness on these sets and lets single ones be told apart; a second seed comes with each for comparison.
"""

from __future__ import annotations

import subprocess
import sys

from tests.shipped import ROOT

_OPTIONS = ("--min-dist", "0.8", "--seed", "0", "--compare", "1", "--ship")


def missing() -> list[str]:
    """One model of each set of features that no map is shipped of."""
    from core.checkpoints.heldout import load_heldout
    from core.maps.saved import of_vectors
    from core.pipeline.map import heldout_vectors
    from core.settings import Settings

    settings, wanted = Settings(), {}
    for card in sorted((ROOT / "checkpoints").glob("*/card.json")):
        if not (card.parent / "heldout.safetensors").is_file():
            continue
        vectors = heldout_vectors(load_heldout(card.parent.name, settings))
        if vectors is not None:
            wanted.setdefault(of_vectors(vectors, settings)[1], card.parent.name)
    return [name for place, name in wanted.items() if not place.is_dir()]


def main() -> int:
    failed = 0
    for name in missing():
        sys.stderr.write(f"python -m core map --heldout {name} {' '.join(_OPTIONS)}\n")
        words = [sys.executable, "-m", "core", "map", "--heldout", name, *_OPTIONS]
        done = subprocess.run(words, cwd=ROOT, check=False, stdout=subprocess.DEVNULL)
        failed += done.returncode != 0
    return min(failed, 1)


if __name__ == "__main__":
    raise SystemExit(main())
