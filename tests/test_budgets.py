"""Functions stay under 60 lines, files under 300, pages under 80."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = [*sorted(p for f in ("core", "pages", "tests") for p in (ROOT / f).rglob("*.py")), ROOT / "app.py"]
LONGEST_FUNCTION, LONGEST_FILE, LONGEST_PAGE = 60, 300, 80


def over_budget(text: str, longest_file: int) -> list[str]:
    lines = text.count("\n")
    found = [f"{lines} lines"] if lines > longest_file else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                found.append(f"{node.name}: {length} lines")
    return found


def longest(path: Path) -> int:
    return LONGEST_PAGE if path.parent.name == "pages" or path.name == "app.py" else LONGEST_FILE


def test_budget_holds() -> None:
    found = {str(path.relative_to(ROOT)): over_budget(path.read_text(), longest(path)) for path in FILES}
    assert {path: over for path, over in found.items() if over} == {}


def test_every_kind_of_file_has_a_budget() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == {"app.py", "core", "pages", "tests"}


def test_the_budget_counts() -> None:
    assert over_budget("def f():\n" + "    x = 1\n" * 60, 300) == ["f: 61 lines"]
    assert over_budget("x = 1\n" * 301, 300) == ["301 lines"]
