"""What the shipped models say of strangers, asked once so that a clone shows it without asking: part of `make models`.

Each set's own held-out classes, and Soundbox's ships. A model that was trained anew is asked anew; answers of one that
is gone are removed. The seconds it took are left out: they are those of this machine at this hour.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

from tests.shipped import ROOT

ABOUT = {"soundbox": ("soundbox:held-out", "soundbox:ships"), "toybox": ("toybox:held-out",)}
PLACE = ROOT / "checkpoints" / "elsewhere"


def shipped(data: str) -> list[str]:
    """The models of a set that came with all they need."""
    from core.checkpoints.folders import is_whole

    cards = (ROOT / "checkpoints").glob(f"{data}-*/card.json")
    return sorted(card.parent.name for card in cards if is_whole(card.parent))


def folders() -> set[str]:
    """As the answers of those models are kept."""
    from core.checkpoints.folders import mark_of

    names = [name for data in ABOUT for name in shipped(data)]
    return {f"{name}-{mark_of(ROOT / 'checkpoints' / name)[:12]}" for name in names}


def main() -> int:
    for stale in {path.name for path in PLACE.glob("*") if path.is_dir()} - folders():
        shutil.rmtree(PLACE / stale)
    failed = 0
    for data, domains in ABOUT.items():
        words = ["ask", "--model", *shipped(data), *(word for one in domains for word in ("--about", one)), "--ship"]
        sys.stderr.write(f"python -m core {' '.join(words)}\n")
        done = subprocess.run([sys.executable, "-m", "core", *words], cwd=ROOT, check=False)
        failed += done.returncode != 0
    return min(failed, 1)


if __name__ == "__main__":
    raise SystemExit(main())
