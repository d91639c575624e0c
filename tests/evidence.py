"""The figures of the README and the commands behind them: `make figures` runs those that are missing, and studies.

Each row is a command of this app. Its document is kept in checkpoints/evaluations with the date and the machine, and
the table is read from there; a row that was never run says so.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.pipeline import recorded
from core.pipeline.recorded import Recorded
from core.settings import Settings, load
from tests import evidence_words as words
from tests.question_table import unanswered

ROOT = Path(__file__).resolve().parent.parent
STORED = ROOT / "checkpoints" / "evaluations"
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    name: str  # of the stored document
    what: str
    command: str  # after "python -m core"
    goal: str
    told: Callable[[Document], words.Told]
    needs: tuple[str, ...] = ()  # models that it judges


def _zero_shot() -> tuple[Row, ...]:
    sets = (("classes", "cifar10 --classes airplane,automobile,ship,truck"), ("toybox", "toybox"), ("digits", "digits"))
    return tuple(
        Row(
            f"zero-shot-{key}-{seed}",
            f"a head of six CIFAR-10 classes judges {'the other four' if key == 'classes' else key}, seed {seed}",
            f"evaluate --model zero-shot-{seed} --data {data}",
            "R-AUROC of the predicted loss above that of the entropy",
            words.zero_shot,
            (f"zero-shot-{seed}",),
        )
        for key, data in sets
        for seed in range(3)
    )


ROWS = (
    Row(
        "esc10-ensemble",
        "ESC-10, 20 bagged heads, five folds, nested choice",
        "crossval esc10 --set method=ensemble --against esc10-probe",
        "interval holds 95.7 %; NLL .170; error AUROC .90; 80 % kept: 99 %; NLL and AUGRC below the probe's",
        words.esc10,
    ),
    Row(
        "esc10-digits",
        "ESC-10 told from spoken digits",
        "leaveout esc10 --outside fsdd --outside-split test",
        "AUROC .98",
        words.outside(0.98),
    ),
    Row(
        "esc10-digits-matched",
        "the same, both at 8 kHz and of equal active length",
        "leaveout esc10 --outside fsdd --outside-split test --matched",
        "AUROC .92",
        words.outside(0.92),
    ),
    Row(
        "esc10-left-out",
        "ESC-10, three of ten classes left out, four choices",
        "leaveout esc10",
        "AUROC .88, above max-softmax by more than its error",
        words.outside(0.88, above=True),
    ),
    Row(
        "transfer-flipout-scratch",
        "ESC-10 from scratch, Gaussian weights everywhere",
        "crossval vi-pann-scratch --set method=flipout --plain --measure total",
        "accuracy 80 %, epistemic finds errors better than max-softmax",
        words.scratch,
    ),
    Row(
        "cifar10",
        "CIFAR-10, EfficientNet-Lite0 fine-tuned on 45,000",
        "evaluate --model cifar10-deterministic",
        "accuracy 92 %",
        words.accuracy(0.92),
        ("cifar10-deterministic",),
    ),
    Row(
        "cifar10-abnn",
        "ABNN on it, against it",
        "compare cifar10-abnn cifar10-deterministic --data cifar10 --ood toybox --ood digits",
        "accuracy within .005; NLL, ECE lower; out-of-distribution AUROC higher",
        words.abnn,
        ("cifar10-abnn", "cifar10-deterministic"),
    ),
    Row(
        "cifar10-predicted-loss",
        "loss prediction on its features, against max-softmax, with people's votes",
        "compare cifar10-loss-prediction --measures score,max_softmax --data cifar10h",
        "R-AUROC, error AUROC, rank correlation with human entropy higher",
        words.predicted,
        ("cifar10-loss-prediction",),
    ),
    Row(
        "cifar10-ranking",
        "learned by ranking, against L2",
        "compare cifar10-loss-prediction cifar10-loss-prediction-l2 --measures score --data cifar10h",
        "ranking higher in all three",
        words.predicted,
        ("cifar10-loss-prediction", "cifar10-loss-prediction-l2"),
    ),
    *_zero_shot(),
    *(
        Row(
            f"knobs-{data}",
            f"{data.title()}'s knobs, the head ensemble, three draws of sources",
            f"knobs --model {data}-ensemble",
            "aleatoric rises with mixing (rank correlation .9), epistemic less; novelty finds strangers",
            words.knobs("novelty"),
            (f"{data}-ensemble",),
        )
        for data in ("soundbox", "toybox")
    ),
    *(
        Row(
            f"knobs-loss-{data}",
            f"is a predicted loss aleatoric? {data.title()}",
            f"knobs --model {data}-loss-prediction",
            "rises with mixing and spoiling (.9); AUROC of strangers near .5",
            words.predicted_knobs,
            (f"{data}-loss-prediction",),
        )
        for data in ("soundbox", "toybox")
    ),
)


MADE = {  # models that rows judge and that do not come with the app
    "cifar10-loss-prediction-l2": "train cifar10-heads --set method=loss_prediction --set config.loss=squared",
    **{f"zero-shot-{seed}": f"train zero-shot --set method=loss_prediction --set seed={seed}" for seed in range(3)},
}


def stored(name: str) -> Recorded | None:
    return recorded.named(name, Settings(home=STORED))  # those that came with the app alone


def table() -> str:
    lines = ["| what | goal | measured [95 %] | reached | `python -m core …`, date |", "|---|---|---|---|---|"]
    for row in ROWS:
        found = stored(row.name)
        if found is None:
            lines.append(f"| {row.what} | {row.goal} | not yet | – | `{row.command}` |")
            continue
        told = row.told(found.document)
        lines.append(f"| {row.what} | {row.goal} | {told.measured} | {told.reached} | `{row.command}`, {found.date} |")
    return "\n".join(lines)


def _there(name: str) -> bool:
    """Is the model here, or can it be made?"""
    settings = load()
    if any((place / name / "card.json").is_file() for place in (settings.models, settings.checkpoints)):
        return True
    if name not in MADE:
        return False
    sys.stderr.write(f"{name}: python -m core {MADE[name]}\n")
    line = [sys.executable, "-m", "core", *shlex.split(MADE[name]), "--name", name]
    return subprocess.run(line, cwd=ROOT, check=False).returncode == 0


def main(only: tuple[str, ...]) -> int:
    """Those that are missing and can be run; the settings of the app say where data and models are."""
    failed = 0
    for row in ROWS:
        if stored(row.name) is not None or (only and not row.name.startswith(only)):
            continue
        if absent := [name for name in row.needs if not _there(name)]:
            sys.stderr.write(f"{row.name}: needs {', '.join(absent)}\n")
            continue
        sys.stderr.write(f"{row.name}: python -m core {row.command}\n")
        failed += recorded.record(row.name, f"core {row.command}", load(), shipped=True) != 0
    for key in unanswered():
        if not only or key.startswith(only):
            sys.stderr.write(f"python -m core study {key} --ship\n")
            failed += recorded.call(f"core study {key} --ship", load()).returncode != 0
    return min(failed, 1)


if __name__ == "__main__":
    raise SystemExit(main(tuple(sys.argv[1:])))
