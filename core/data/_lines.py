"""Published lists with one item a line and cells between spaces."""

from __future__ import annotations

from collections.abc import Iterator

from core.data._copies import Copy

_LARGEST = 64 << 20  # bytes of one list; the longest published here has 5 MB


def lines_of(copy: Copy, name: str, cells: int, header: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each line's place, for sentences, and its cells; the last cell keeps its spaces."""
    (path,) = copy.need(name)
    if path.stat().st_size > _LARGEST:
        raise copy.wrong(f"{name} has {path.stat().st_size:,} bytes")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise copy.wrong(f"{name} is no UTF-8 text") from error
    if header and (not lines or lines[0].split() != header.split()):
        raise copy.wrong(f"{name} does not start with {header!r}")
    for number, line in enumerate(lines[1:] if header else lines, 2 if header else 1):
        if not line.strip():
            continue
        found = tuple(line.split(maxsplit=cells - 1))
        where = f"{name}, line {number}"
        if len(found) != cells:
            raise copy.wrong(f"{where}: {line[:60]!r} has {len(found)} of {cells} cells")
        yield where, (*found[:-1], found[-1].strip())


def numbered(copy: Copy, name: str) -> dict[str, str]:
    """The lines of a two-column list by their first cell; none may come twice."""
    found: dict[str, str] = {}
    for where, (key, value) in lines_of(copy, name, 2):
        if key in found:
            raise copy.wrong(f"{where}: {key[:20]!r} is there twice")
        found[key] = value
    return found
