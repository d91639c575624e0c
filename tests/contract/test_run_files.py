"""The folder of a training: one at a time writes there, and what it says while it runs can be read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.errors import UserFacingError
from core.pipeline.finished import begin, refuse_begun
from core.settings import PROJECT, Settings
from core.training.loop import fit
from core.training.plan import Plan
from core.training.run_files import BEGUN, CHECKPOINT, PLAN, VALIDATION, read, taken
from tests.fits import CLASSES, examples, wanted

HOLDS = (
    "import sys; from pathlib import Path; from core.training.run_files import taken\n"
    "with taken(Path(sys.argv[1])):\n    print('held', flush=True); sys.stdin.readline()"
)


def test_a_name_is_held_by_one_process_until_it_ends_however_it_does(settings: Settings) -> None:
    folder = settings.runs / "mine"
    words = [sys.executable, "-c", HOLDS, str(folder)]
    with subprocess.Popen(words, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(UserFacingError, match="A training called mine is under way"), taken(folder):
            pass
        with taken(settings.runs / "yours"):
            pass
        other.kill()
    with taken(folder):
        child = subprocess.run(words, cwd=PROJECT, stdin=subprocess.DEVNULL, capture_output=True)
        assert child.stdout == b"held\n", "the processes of one training are one"


def test_a_name_under_which_another_training_saved_itself_is_that_ones(settings: Settings) -> None:
    begin(Plan(seed=1), "mine", settings, anew=False, recipe="own")
    began = read(settings.runs / "mine" / PLAN)
    assert (began["recipe"], began["plan"]["seed"]) == ("own", 1)
    begin(Plan(seed=2), "mine", settings, anew=False)  # nothing of the first was saved
    (settings.runs / "mine" / CHECKPOINT).mkdir()
    begin(Plan(seed=2), "mine", settings, anew=False)
    for ask in (refuse_begun, lambda *given: begin(*given, anew=False)):
        with pytest.raises(UserFacingError, match="was begun with other settings"):
            ask(Plan(seed=3), "mine", settings)
    begin(Plan(seed=3), "mine", settings, anew=True)
    assert not (settings.runs / "mine" / CHECKPOINT).exists()
    assert (settings.runs / "mine" / BEGUN).is_file()


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_the_table_of_the_last_validation_counts_every_item(task: str, tmp_path: Path) -> None:
    held = examples("head", items=20, seed=5, task=task, start=900)  # type: ignore[arg-type]
    fit(wanted("mc_dropout", "head", task=task, validation=held), tmp_path)  # type: ignore[arg-type]
    told = read(tmp_path / VALIDATION)
    last = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])
    assert (told["step"], told["epoch"]) == (last["step"], last["epoch"])
    table, labels = np.array(told["table"]), held.labels.numpy()
    if task == "multiclass":
        np.testing.assert_array_equal(table.sum(axis=1), np.bincount(labels, minlength=CLASSES))
        assert np.trace(table) / 20 == pytest.approx(last["validation accuracy"])
    else:
        np.testing.assert_array_equal(table[:, :2].sum(axis=1), labels.sum(axis=0))


def test_a_record_that_was_cut_short_is_no_record(tmp_path: Path) -> None:
    (tmp_path / PLAN).write_text('{"plan": ')
    assert read(tmp_path / PLAN) == read(tmp_path / "none") == {}
