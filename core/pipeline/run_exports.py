"""The measurements of a training for other programs: a table, or the event files that TensorBoard reads."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from core.errors import UserFacingError
from core.pipeline.runs import Run, curves

_NEEDS = (
    "TensorBoard's event files are written by its own package, which is not installed here: run 'pip install "
    "tensorboard' and try again. The CSV has the same numbers."
)


def columns(found: Sequence[Run]) -> dict[str, list[object]]:
    """Every measurement of some trainings, one row a line, with the name of its training."""
    each = [(run.name, curves(run)) for run in found]
    names = dict.fromkeys(name for _, one in each for name in one.columns)
    rows: dict[str, list[object]] = {"run": [], **{name: [] for name in names}}
    for title, one in each:
        rows["run"] += [title] * len(one)
        for name in names:
            values = one.columns.get(name, np.full(len(one), np.nan))
            rows[name] += [float(value) if np.isfinite(value) else None for value in values.tolist()]
    return rows


def can_write_events() -> bool:
    from importlib.util import find_spec

    return find_spec("tensorboard") is not None


def write_events(found: Sequence[Run], folder: Path) -> tuple[Path, ...]:
    """One sub-folder a training, as TensorBoard tells runs apart; the wall time is that of the measurement."""
    if not can_write_events():
        raise UserFacingError(_NEEDS, code="no-tensorboard")
    from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]
    from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    for run in found:
        try:
            writer = EventFileWriter(str(folder / run.name))
            for step, seconds, values in _told(run):
                parts = [Summary.Value(tag=name.replace(" ", "/"), simple_value=value) for name, value in values]
                writer.add_event(Event(wall_time=run.began + seconds, step=step, summary=Summary(value=parts)))
            writer.close()
        except OSError as error:
            raise UserFacingError(
                f"The event files could not be written to {folder.name!r}; name a folder that may be written, on a "
                "disk with room.",
                code="disk",
            ) from error
    return tuple(path for run in found for path in sorted((folder / run.name).glob("events.out.tfevents.*")))


def _told(run: Run) -> Iterator[tuple[int, float, list[tuple[str, float]]]]:
    one = curves(run)
    for row in range(len(one)):
        values = [(name, float(one.columns[name][row])) for name in one.names()]
        yield (
            int(one.columns["step"][row]),
            float(one.columns["seconds"][row]),
            [(name, value) for name, value in values if np.isfinite(value)],
        )


def zip_of_events(found: Sequence[Run]) -> bytes:
    target = io.BytesIO()
    with TemporaryDirectory() as place, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in write_events(found, Path(place)):
            archive.write(path, path.relative_to(place))
    return target.getvalue()
