"""Where a real data set is read from: the given path, the folder of local copies, an earlier or a new download."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from core.contracts import Item, Progress
from core.data._fetch import Remote, advice, announce, fetch
from core.data._unpack import unpacked
from core.errors import DataError
from core.fingerprint import sha256_of_file
from core.settings import Settings

_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Copy:
    """A folder in which at least one mark of the set was seen."""

    root: Path
    title: str
    notes: tuple[str, ...] = ()

    def need(self, *names: str) -> tuple[Path, ...]:
        """Files the layout promises; the first that is missing is named."""
        paths = tuple(self.root / name for name in names)
        for name, path in zip(names, paths, strict=True):
            if not path.is_file():
                raise DataError(f"The copy of {self.title} is incomplete: {name} is missing.", code="layout")
        return paths

    def noting(self, *notes: str) -> Copy:
        return replace(self, notes=self.notes + notes)

    def wrong(self, why: str) -> DataError:
        return DataError(f"The copy of {self.title} is not as published: {why}.", code="layout")


def copy_of(
    remote: Remote,
    location: Path | None,
    settings: Settings,
    *,
    keys: tuple[str, ...] = (),
    also: tuple[str, ...] = (),
    parts: tuple[Remote, ...] = (),
    progress: Progress = announce,
) -> Copy:
    """A given location must hold the set, so must a folder of one of its ``keys``; the network is asked last.

    ``also`` are folders of other sets that may happen to hold it, as the folder of all copies itself may. ``parts``
    are the further files of a set that is published as several plain ones; they are fetched into one folder.
    """
    if location is not None:
        if not location.exists():
            what = f"There is no {location.name!r} to read {remote.title} from"
            raise DataError(f"{what}; check the path.", code="no-such-path")
        return _copy_at(location, remote, settings)
    if settings.data is not None:
        for key in keys or (remote.key,):
            if (settings.data / key).exists():
                return _copy_at(settings.data / key, remote, settings)
        for key in also:
            if (settings.data / key).is_dir() and (root := _root_in(settings.data / key, remote)) is not None:
                return Copy(root, remote.title)
        if _marked(settings.data, remote):
            return Copy(settings.data, remote.title)
    fetched = fetch(remote, settings, progress)
    root = unpacked(fetched.path, fetched.sha256, remote, settings) if remote.layout else fetched.path.parent
    notes = (fetched.note(remote), *(fetch(part, settings, progress).note(part) for part in parts))
    return Copy(root, remote.title, notes)


def reader(title: str, paths: Mapping[str, Path]) -> Callable[[Item], bytes]:
    """Reads items by id; an id that is no item of the set opens nothing."""

    def read(item: Item) -> bytes:
        path = paths.get(item.id)
        if path is None:
            raise DataError(f"{title} has no item {item.id[:80]!r}.", code="no-such-item")
        try:
            return path.read_bytes()
        except OSError as error:
            raise DataError(f"{item.id} of {title} can no longer be read.", code="unreadable") from error

    return read


def plain(name: str) -> bool:
    """A relative file name that leads nowhere but down."""
    return not any(part in ("", ".", "..") for part in name.split("/")) and not {"\\", "\0"} & set(name)


def whole(text: str, allowed: range) -> int | None:
    """A whole number written in plain digits, None for anything else."""
    if _WHOLE.fullmatch(text) and int(text) in allowed:
        return int(text)
    return None


def counted(found: int, published: int, things: str) -> tuple[str, ...]:
    """A note where a copy is only a part."""
    return () if found == published else (f"{found:,} of the {published:,} published {things}",)


def first_missing(copy: Copy, paths: Mapping[str, Path]) -> None:
    """Refuse a copy whose table names files that are not there."""
    missing = [name for name, path in paths.items() if not path.is_file()]
    if missing:
        raise DataError(
            f"The copy of {copy.title} is incomplete: {missing[0]} is missing"
            + (f", and {len(missing) - 1:,} more of {len(paths):,} files." if len(missing) > 1 else "."),
            code="layout",
        )


def _copy_at(place: Path, remote: Remote, settings: Settings) -> Copy:
    if place.is_file():
        return _packed_copy(place, remote, settings)
    if (root := _root_in(place, remote)) is not None:
        return Copy(root, remote.title)
    if remote.layout and (place / remote.file).is_file():
        return _packed_copy(place / remote.file, remote, settings)
    raise DataError(
        f"The folder {place.name!r} holds no copy of {remote.title}: {remote.marks[0]} is missing; {advice(remote)}.",
        code="layout",
    )


def _packed_copy(archive: Path, remote: Remote, settings: Settings) -> Copy:
    if not remote.layout:
        raise DataError(f"{remote.title} is read from a folder, and {archive.name!r} is a file.", code="layout")
    return Copy(
        unpacked(archive, sha256_of_file(archive), remote, settings), remote.title, (f"unpacked from {archive.name}",)
    )


def _root_in(place: Path, remote: Remote) -> Path | None:
    """The folder itself or, as after unpacking by hand, one directly inside it."""
    inside: Iterable[Path] = sorted(path for path in place.iterdir() if path.is_dir())
    return next((folder for folder in (place, *inside) if _marked(folder, remote)), None)


def _marked(folder: Path, remote: Remote) -> bool:
    return any(next(folder.glob(mark), None) is not None for mark in remote.marks)
