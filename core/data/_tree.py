"""Files by relative name: of a folder on disk, or of an unpacked archive. Nothing outside is ever opened."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from core.contracts import Kind
from core.errors import DataError, MediaError
from core.media._names import likeness, litter, relative, shown, tidy
from core.media.archive import Archive, ArchiveFile
from core.media.sniff import sniff

_HEAD = 1 << 14  # bytes that tell a file's kind
_NAMED = 3  # examples in a note


@dataclass(frozen=True, slots=True)
class Leaf:
    """One file of a tree."""

    id: str  # unique in its tree
    name: str  # relative, as shown
    path: Path
    origin: ArchiveFile | None = None


class Tree(Protocol):
    """What folders, manifests and archives read their files from."""

    @property
    def title(self) -> str: ...

    def leaves(self) -> tuple[Leaf, ...]: ...

    def locate(self, name: str) -> Leaf | None: ...

    def read(self, leaf: Leaf) -> bytes: ...

    def notes(self) -> tuple[str, ...]: ...


@dataclass(slots=True, eq=False)
class DiskTree:
    """A folder. Links may point inside it, never out of it."""

    root: Path
    title: str = ""
    _links: list[str] = field(default_factory=list)
    _inside: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root = self.root.resolve()
        self.title = self.title or shown(self.root.name, 80)

    def leaves(self) -> tuple[Leaf, ...]:
        self._links.clear()
        return tuple(sorted(self._walk(self.root, ""), key=lambda leaf: leaf.id))

    def locate(self, name: str) -> Leaf | None:
        """The file under a name, or None; BadName where the name could lead out."""
        plain = relative(name)
        path = self.root / plain
        try:
            found = path.is_file() and self._within(path)
        except (OSError, ValueError):  # a name no file can have
            return None
        return Leaf(shown(plain), shown(plain), path) if found else None

    def read(self, leaf: Leaf) -> bytes:
        try:
            if self._within(leaf.path):
                return leaf.path.read_bytes()
        except OSError:
            pass
        raise DataError(
            f"{leaf.name!r} of {self.title} can no longer be read; open the source again.", code="unreadable"
        )

    def notes(self) -> tuple[str, ...]:
        return listed(len(self._links), "skipped links that leave the folder or lead to folders", self._links)

    def _walk(self, folder: Path, prefix: str) -> Iterator[Leaf]:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = f"{prefix}{entry.name}"
                if litter(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield from self._walk(Path(entry.path), f"{name}/")
                elif entry.is_symlink() and not (entry.is_file() and self._within(Path(entry.path))):
                    self._links.append(shown(name))
                elif entry.is_file():
                    yield Leaf(shown(name), shown(name), Path(entry.path))

    def _within(self, path: Path) -> bool:
        """Folders are looked up once, files each time: a link may take a file's place at any moment."""
        parent = str(path.parent)
        if parent not in self._inside:
            self._inside[parent] = _below(os.path.realpath(parent), str(self.root))
        return self._inside[parent] and (not path.is_symlink() or _below(os.path.realpath(path), str(self.root)))


@dataclass(slots=True, eq=False)
class ArchiveTree:
    """The files of an archive; its only folder, if there is only one, is where the names start."""

    archive: Archive
    title: str
    _names: dict[str, Leaf] = field(default_factory=dict)
    _alike: dict[str, Leaf] = field(default_factory=dict)

    def __post_init__(self) -> None:
        tops = {file.name.partition("/")[0] if "/" in file.name else "" for file in self.archive.files}
        cut = len(tops.copy().pop()) + 1 if len(tops) == 1 and "" not in tops else 0
        for file in self.archive.files:
            leaf = Leaf(file.id[cut:], file.name[cut:], self.archive.path(file), file)
            self._names.setdefault(leaf.name, leaf)
            self._alike.setdefault(likeness(leaf.name), leaf)
            self._names[leaf.id] = leaf

    def leaves(self) -> tuple[Leaf, ...]:
        unique = {leaf.id: leaf for leaf in self._names.values()}
        return tuple(unique[key] for key in sorted(unique))

    def locate(self, name: str) -> Leaf | None:
        wanted = tidy(name)
        return self._names.get(wanted) or self._alike.get(likeness(wanted))

    def read(self, leaf: Leaf) -> bytes:
        if leaf.origin is None:
            raise DataError(f"{leaf.name!r} is no file of {self.title}.", code="no-such-item")
        return self.archive.read(leaf.origin)

    def notes(self) -> tuple[str, ...]:
        refused = [f"{problem.id}: {problem.reason}" for problem in self.archive.problems]
        return (*listed(len(refused), "refused entries", refused), *self.archive.warnings)


def kind_of(head: bytes) -> Kind | str:
    """The kind of a file by its first bytes, or the reason why it is none."""
    try:
        return sniff(head).kind
    except MediaError as refusal:
        return str(refusal).partition(". ")[0].lower()


def head_of(leaf: Leaf) -> bytes:
    try:
        with leaf.path.open("rb") as stream:
            return stream.read(_HEAD)
    except OSError:
        return b""


def plain_file(leaf: Leaf) -> Path | None:
    """The file itself, for readers that stream it; never through a link."""
    return leaf.path if leaf.path.is_file() and not leaf.path.is_symlink() else None


def sorted_by_kind(leaves: Sequence[Leaf]) -> tuple[Kind | None, tuple[Leaf, ...], tuple[str, ...]]:
    """The kind that most files have, those files, and notes on the others."""
    kinds: dict[str, list[Leaf]] = {"audio": [], "image": []}
    others: list[str] = []
    for leaf in leaves:
        kind = kind_of(head_of(leaf))
        if kind in kinds:
            kinds[kind].append(leaf)
        else:
            others.append(f"{leaf.name}: {kind}")
    main: Kind = "audio" if len(kinds["audio"]) >= len(kinds["image"]) else "image"
    minor, word = (
        ("image", "skipped pictures among sounds") if main == "audio" else ("audio", "skipped sounds among pictures")
    )
    notes = listed(len(kinds[minor]), word, [leaf.name for leaf in kinds[minor]])
    notes += listed(len(others), "skipped files that are neither sound nor picture", others)
    return (main if kinds[main] else None), tuple(kinds[main]), notes


def listed(count: int, what: str, names: Sequence[str]) -> tuple[str, ...]:
    """A note that counts, with a few examples; none where there is nothing to count."""
    if not count:
        return ()
    more = f" and {count - _NAMED:,} more" if count > _NAMED else ""
    return (f"{what}: {count:,} ({', '.join(names[:_NAMED])}{more})",)


def _below(path: str, root: str) -> bool:
    return os.path.commonpath((path, root)) == root
