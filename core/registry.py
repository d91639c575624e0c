"""Plug-in packages: every public module is an entry, its key is its file name."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache
from types import MappingProxyType
from typing import Any

from core.errors import UserFacingError


def keys(package: str) -> tuple[str, ...]:
    """Names of the entries of a package, without importing them."""
    path = importlib.import_module(package).__path__
    return tuple(sorted(m.name for m in pkgutil.iter_modules(path) if not m.name.startswith("_")))


@cache
def discover(package: str, constant: str) -> MappingProxyType[str, Any]:
    """All entries of a package: {key: the module's constant}. A misnamed or missing one raises."""
    entries = {}
    for key in keys(package):
        module = importlib.import_module(f"{package}.{key}")
        entry = getattr(module, constant, None)
        if entry is None:
            raise TypeError(f"{package}.{key} defines no {constant}")
        if entry.key != key:
            raise TypeError(f"{package}.{key} calls itself {entry.key!r}; the key is the file name")
        entries[key] = entry
    return MappingProxyType(entries)


def pick(package: str, constant: str, key: str) -> Any:
    """One entry; an unknown key is answered with the nearest known ones."""
    known = keys(package)
    if key in known:
        return getattr(importlib.import_module(f"{package}.{key}"), constant)
    near = difflib.get_close_matches(key, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}."
    noun = constant.lower().replace("_", " ")
    raise UserFacingError(f"There is no {noun} called {key[:60]!r}; {hint}", code="unknown-key")
