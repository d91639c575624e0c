"""Trainings as pages see them: curves read while they are written, what differs, exports, what is thrown away."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.cli import main
from core.configs import to_json
from core.errors import UserFacingError
from core.jobs import cancel, list_jobs, status, submit
from core.pipeline import run_exports
from core.pipeline.finished import begin
from core.pipeline.runs import Run, curves, differing, discard, name_of, run_of, runs, table, throw_away
from core.settings import Settings
from core.training.plan import plan_of, with_plan_settings
from core.training.recipes import pick
from core.training.run_files import ABOUT, METRICS, VALIDATION, taken, write
from tests.jobbing import TINY, end_all, ended, until


def begun(settings: Settings, name: str, *choices: str, lines: int = 6) -> Run:
    """A training as it looks on disk after some lines."""
    plan = plan_of(pick("first"), choices)
    begin(plan, name, settings, anew=False, recipe="first")
    folder = settings.runs / name
    write(folder / ABOUT, {"classes": ["a", "b"], "title": "Digits"})
    write(folder / VALIDATION, {"step": lines, "epoch": 1, "table": [[3, 1], [0, 4]]})
    with (folder / METRICS).open("w") as stream:
        for step in range(1, lines + 1):
            record: dict[str, Any] = {"step": step, "seconds": step / 2, "epoch": step / 2, "loss": 1 / step}
            if step % 2 == 0:
                record |= {"validation accuracy": step / 10, "validation loss": None if step == 2 else 0.5}
            stream.write(json.dumps(record) + "\n")
    found = run_of(name, settings)
    assert found is not None
    return found


def test_curves_are_read_while_they_are_written(settings: Settings) -> None:
    run = begun(settings, "mine")
    with (run.folder / METRICS).open("ab") as stream:
        stream.write(b'{"step": 7, "epoch": 3.5, "lo')
    found = curves(run)
    assert len(found) == 6
    assert found.names() == ("loss", "validation accuracy", "validation loss")
    epochs, accuracy = found.of("validation accuracy")
    assert (epochs.tolist(), accuracy.tolist()) == ([1, 2, 3], [0.2, 0.4, 0.6])
    assert found.of("validation loss")[0].tolist() == [2, 3], "null is no value"
    assert found.of("kl")[0].size == 0
    assert table(run) is not None
    assert (run.state, run.epochs, run.recipe, run.classes) == ("unfinished", 15, "first", ("a", "b"))


def test_of_many_lines_every_validation_stays(settings: Settings) -> None:
    run = begun(settings, "long", lines=20_000)
    found = curves(run)
    assert len(found.of("validation accuracy")[0]) == 10_000
    assert len(found) < 20_000
    assert np.all(np.diff(found.columns["step"]) > 0)


def test_what_differs_is_told_by_its_dotted_name(settings: Settings) -> None:
    one = begun(settings, "one")
    other = begun(settings, "other", "schedule.epochs=3", "config.rho=-5", "seed=1")
    found = differing([one, other])
    assert found == {"schedule.epochs": (15, 3), "config.rho": ("-4.0", "-5"), "seed": (0, 1)}
    assert differing([one]) == {}


def test_the_name_of_a_training_is_in_its_words() -> None:
    assert name_of(("train", "first", "--name", "mine", "--set", "seed=1")) == "mine"
    assert name_of(("train", "first", "--set", "seed=1")) == "first"
    assert name_of(("train",)) is None
    assert name_of(("index", "x", "--name", "mine")) is None


def test_a_training_is_thrown_away_only_when_nobody_works_on_it(settings: Settings, tmp_path: Path) -> None:
    words = ("train", str(tmp_path / "ledger"), "400", "0.05", "--name", "mine")
    job = submit(settings, words, launch=TINY)
    try:
        begun(settings, "mine")
        run = run_of("mine", settings)
        assert run is not None
        assert run.live
        with pytest.raises(UserFacingError, match="is under way; cancel it first"):
            discard(run)
        assert cancel(job, wait=20, pause=True).state == "paused"
        run = run_of("mine", settings)
        assert run is not None
        assert run.state == "paused"
        with taken(settings.runs / "elsewhere"):
            discard(run)
        assert run_of("mine", settings) is None
        assert not run.folder.exists()
    finally:
        end_all(settings)


def test_what_is_thrown_away_while_it_runs_is_gone_as_soon_as_it_has_stopped(
    settings: Settings, tmp_path: Path
) -> None:
    job = submit(settings, ("train", str(tmp_path / "ledger"), "400", "0.05", "--name", "mine"), launch=TINY)
    try:
        run = begun(settings, "mine")
        until(lambda: status(job).state == "running")
        throw_away(run, wait=0.0)
        until(lambda: not runs(settings), "its end")
        assert not run.folder.exists()
        assert list_jobs(settings) == ()
        begun(settings, "mine")
        assert not (run.folder / "thrown").exists(), "a later one of that name is another one"
    finally:
        end_all(settings)


def test_jobs_that_wait_are_trainings_too(settings: Settings, tmp_path: Path) -> None:
    first = submit(settings, ("train", str(tmp_path / "a"), "400", "0.05", "--name", "one"), launch=TINY)
    second = submit(settings, ("train", str(tmp_path / "b"), "1", "0", "--name", "two"), launch=TINY)
    try:
        assert {run.name: run.live for run in runs(settings)} == {"one": True, "two": True}
        assert status(second).state == "queued", "one at a time: they share the machine"
        cancel(first, wait=20)
        assert ended(second).state == "done"
    finally:
        end_all(settings)


def test_the_table_has_every_measurement(settings: Settings) -> None:
    rows = run_exports.columns([begun(settings, "one"), begun(settings, "two")])
    assert rows["run"] == ["one"] * 6 + ["two"] * 6
    assert rows["validation accuracy"][:3] == [None, 0.2, None]
    assert rows["loss"][2] == pytest.approx(1 / 3)


def test_tensorboard_reads_the_event_files(
    settings: Settings, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = begun(settings, "one")
    with zipfile.ZipFile(io.BytesIO(run_exports.zip_of_events([run, begun(settings, "two")]))) as archive:
        assert {name.partition("/")[0] for name in archive.namelist()} == {"one", "two"}
        archive.extractall(tmp_path)
    told = EventAccumulator(str(tmp_path / "one"))
    told.Reload()
    assert set(told.Tags()["scalars"]) == {"loss", "validation/accuracy", "validation/loss"}
    events = told.Scalars("validation/accuracy")
    assert [event.step for event in events] == [2, 4, 6]
    assert [event.value for event in events] == pytest.approx([0.2, 0.4, 0.6])
    assert events[0].wall_time == pytest.approx(run.began + 1.0)


def test_without_its_package_the_sentence_says_what_to_do(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_exports, "can_write_events", lambda: False)
    with pytest.raises(UserFacingError, match="pip install tensorboard"):
        run_exports.zip_of_events([begun(settings, "one")])


def test_the_command_lists_and_writes(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name, value in settings.environ().items():
        monkeypatch.setenv(name, value)
    begun(settings, "one")
    assert main(("runs", "--json")) == 0
    (row,) = json.loads(capsys.readouterr().out)["runs"]
    assert (row["name"], row["epoch"], row["epochs"], row["validation accuracy"]) == ("one", 3.0, 15, 0.6)
    assert main(("runs", "one", "--to", str(tmp_path / "one.csv"))) == 0
    head, first, *_ = (tmp_path / "one.csv").read_text().splitlines()
    assert head.startswith("run,step,seconds,epoch,loss")
    assert first.startswith("one,1.0,0.5,0.5,1.0")
    (tmp_path / "file").write_text("in the way")
    for nowhere in (tmp_path / "no" / "such" / "folder.csv", tmp_path / "file" / "events"):
        assert main(("runs", "one", "--to", str(nowhere))) == 2
    assert main(("runs", "nobody")) == 2


def test_a_plan_is_kept_whole_beside_its_curves(settings: Settings) -> None:
    plan = with_plan_settings(pick("first").plan, ("schedule.epochs=2",))
    run = begun(settings, "mine", "schedule.epochs=2")
    assert run.plan == json.loads(json.dumps(to_json(plan)))
    assert asdict(plan)["schedule"]["epochs"] == run.epochs
