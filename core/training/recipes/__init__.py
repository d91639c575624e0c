"""The recipes: one file for each source document; every public module's RECIPES are found by themselves."""

from __future__ import annotations

import difflib
import importlib
from functools import cache
from types import MappingProxyType

from core import registry
from core.errors import UserFacingError
from core.training.plan import Recipe


@cache
def recipes() -> MappingProxyType[str, Recipe]:
    found: dict[str, Recipe] = {}
    for name in registry.keys(__name__):
        for recipe in importlib.import_module(f"{__name__}.{name}").RECIPES:
            if recipe.key in found:
                raise TypeError(f"two recipes are called {recipe.key!r}")
            found[recipe.key] = recipe
    return MappingProxyType(found)


def pick(key: str) -> Recipe:
    known = recipes()
    if key in known:
        return known[key]
    near = difflib.get_close_matches(key, known, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}."
    raise UserFacingError(f"There is no recipe called {key[:60]!r}; {hint}", code="unknown-key")
