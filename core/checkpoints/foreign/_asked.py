"""What a person says beside a file: the network it is of, and the names of its classes."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from core.checkpoints.foreign._refusal import ForeignError, shown

_MOST = 50_000  # classes
_LONGEST = 200  # characters of a name
_NAME_COLUMNS = ("display_name", "name", "class", "label")


@dataclass(frozen=True, slots=True)
class Asked:
    arch: str | None = None
    classes: tuple[str, ...] | None = None
    backbone_only: bool = False  # leave the last layer out

    def names(self, count: int, notes: list[str]) -> tuple[str, ...]:
        """As many names as there are outputs; numbers where nobody said."""
        if self.classes is not None:
            return self.classes
        notes.append("its classes are numbered, as no names were given (--classes)")
        return tuple(f"class {number}" for number in range(count))


def read_classes(path: Path) -> tuple[str, ...]:
    """A name a line, or a table with a column of names such as AudioSet's class_labels_indices.csv."""
    try:
        if path.stat().st_size > _MOST * _LONGEST:
            raise ForeignError(f"The list of classes {shown(path.name)} is too long to be one.", code="classes")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise ForeignError(
            f"The list of classes {shown(path.name)} is not there or no text; give a file with a name a line.",
            code="classes",
        ) from None
    head = next(csv.reader(lines[:1]), [])
    column = next((head.index(name) for name in _NAME_COLUMNS if name in head), None)
    if column is None:
        names = [line.strip() for line in lines if line.strip()]
    else:
        names = [row[column].strip() for row in csv.reader(lines[1:]) if len(row) > column]
    if not 1 < len(names) <= _MOST or any(not name.isprintable() or len(name) > _LONGEST for name in names):
        raise ForeignError(
            f"The list of classes {shown(path.name)} holds {len(names):,} names; expected from 2 to {_MOST:,} "
            f"printable ones of at most {_LONGEST} characters.",
            code="classes",
        )
    if len(set(names)) < len(names):
        twice = next(name for number, name in enumerate(names) if name in names[:number])
        raise ForeignError(
            f"The list of classes names {shown(twice)!r} twice; each class has one name.", code="classes"
        )
    return tuple(names)
