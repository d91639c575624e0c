"""A method's file reads from top to bottom: equation, settings, state, fit, answer."""

from __future__ import annotations

import ast
import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from core import registry
from core.errors import UserFacingError
from core.methods._contract import Method

FOLDER = Path(__file__).resolve().parents[2] / "core" / "methods"
ORDER = ("Config", "State", "init", "update", "finish", "predict", "moments", "METHOD")
OPTIONAL = {"finish", "moments"}
METHODS = registry.discover("core.methods", "METHOD")
every_method = pytest.mark.parametrize("key", METHODS)


def broken_rules(text: str) -> list[str]:
    """What a method's source lacks."""
    tree = ast.parse(text)
    found = []
    docstring = ast.get_docstring(tree) or ""
    sections = re.split(r"^Equation:$", docstring, flags=re.MULTILINE)
    if len(sections) != 2:
        found.append("the docstring has one line that says Equation:")
    else:
        equation, _, rest = sections[1].strip("\n").partition("\n\n")
        if "=" not in equation or not equation.startswith("    "):
            found.append("an indented equation follows")
        if not re.search(r"^\S.{0,24}?\s{2,}\S", rest, flags=re.MULTILINE):
            found.append("a table explains the symbols")
        if "https://" not in sections[1]:
            found.append("a link leads to the paper")
    places = [place_of(node) for node in tree.body]
    named = [name for name in places if name in ORDER]
    if named != sorted(named, key=ORDER.index) or len(set(named)) != len(named):
        found.append(f"the order is {', '.join(ORDER)}")
    if missing := [name for name in ORDER if name not in named and name not in OPTIONAL]:
        found.append(f"it defines {', '.join(missing)}")
    if places and places[-1] != "METHOD":
        found.append("METHOD comes last")
    return found


def place_of(node: ast.stmt) -> str:
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return node.name
    target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
    return target.id if isinstance(target, ast.Name) else ""


@every_method
def test_the_file_has_its_parts_in_order(key: str) -> None:
    assert broken_rules((FOLDER / f"{key}.py").read_text()) == []


GOOD = '''"""Title.

Equation:
    p = f(x)

f  the network
https://a.b
"""
class Config: ...
class State: ...
def init(): ...
def update(): ...
def predict(): ...
METHOD = 1
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Equation:", "Formula:"),
        ("    p = f(x)", "p of x"),
        ("f  the network", "and that is all"),
        ("https://a.b", "a book"),
        ("class Config: ...\nclass State: ...", "class State: ...\nclass Config: ..."),
        ("def update(): ...", ""),
        ("METHOD = 1", "METHOD = 1\nx = 2"),
    ],
)
def test_the_rules_catch_what_they_forbid(old: str, new: str) -> None:
    assert broken_rules(GOOD) == []
    assert broken_rules(GOOD.replace(old, new))


@every_method
def test_a_config_says_what_each_of_its_fields_may_be(key: str) -> None:
    method: Method[Any, Any] = METHODS[key]
    assert method.Config.__dataclass_params__.frozen
    fields = {field.name: field for field in dataclasses.fields(method.Config)}
    assert fields["scope"].metadata["choices"] == method.scopes
    assert fields["scope"].default in method.scopes
    default = method.Config()
    for name, field in fields.items():
        facts = field.metadata
        assert facts["help"], name
        assert set(facts) == {"help", "min", "max", "choices"}, name
        value = getattr(default, name)
        if facts["choices"]:
            assert value in facts["choices"]
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            assert facts["min"] is not None, f"{name} is a number without a bound"


@every_method
def test_a_config_outside_its_bounds_is_refused_by_name(key: str) -> None:
    config = METHODS[key].Config()
    for field in dataclasses.fields(config):
        facts = field.metadata
        bad: list[Any] = ["no such thing"] if facts["choices"] else []
        bad += [facts["min"] - 1] if facts["min"] is not None else []
        bad += [facts["max"] + 1] if facts["max"] is not None else []
        for value in bad:
            with pytest.raises(UserFacingError, match=field.name):
                dataclasses.replace(config, **{field.name: value})


@every_method
def test_a_method_is_frozen_and_says_where_it_comes_from(key: str) -> None:
    method: Method[Any, Any] = METHODS[key]
    for kind in (method.Config, method.State):
        assert dataclasses.is_dataclass(kind)
        assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert dataclasses.fields(method.State)[0].name == "config"  # type: ignore[arg-type]
    assert method.paper.startswith("https://")
    assert method.version >= 1
    assert method.own_draws(method.Config()) >= 1
    if "network" in method.scopes and method.fills == "probs":
        assert method.moments is not None, "a network's draws may be too many to keep"
    if method.scopes == ("head",) and method.fills == "probs":
        assert "last layer" in method.title, "a title says that only the head is random"
