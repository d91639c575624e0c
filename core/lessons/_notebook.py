"""A lesson as a short notebook: the same config, the same seed, the same code. Written as plain JSON."""

from __future__ import annotations

import json
from typing import Any

from core.configs import to_json
from core.lessons._contract import Lesson, Outcome


def code(lesson: Lesson, config: Any, seed: int) -> tuple[str, str]:
    """What computes it, and what looks at it."""
    changed = {name: value for name, value in to_json(config).items() if value != to_json(lesson.Config())[name]}
    told = ", ".join(f"{name}={value!r}" for name, value in changed.items())
    compute = (
        f"from core.lessons.{lesson.key} import LESSON\n"
        "from core.settings import load\n\n"
        f"config = LESSON.Config({told})\n"
        f"outcome = LESSON.compute(config, {seed}, load())\n"
        "print(outcome.reveal)"
    )
    look = (
        "for sentence in outcome.sentences:\n    print('-', sentence)\n"
        "for number in outcome.numbers:\n    print(f'{number.value:10.4g}  {number.says}')"
    )
    return compute, look


def script(lesson: Lesson, config: Any, seed: int) -> str:
    return f'"""{lesson.title}. Run it where the app is."""\n\n' + "\n\n".join(code(lesson, config, seed)) + "\n"


def notebook(lesson: Lesson, config: Any, seed: int, outcome: Outcome) -> bytes:
    """nbformat 4.5; the outputs are left to whoever runs it."""
    compute, look = code(lesson, config, seed)
    cells = [
        _text(f"# {lesson.title}\n\n" + "\n\n".join(lesson.opening)),
        _text(f"**What do you expect?** {lesson.question}\n\n" + "\n".join(f"- {one}" for one in lesson.options)),
        _code(compute),
        _text("It came out: **" + lesson.options[outcome.right] + "** when this notebook was written."),
        _code(look),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    facts = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    told = {"cells": cells, "metadata": facts, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(told, indent=1).encode()


def _text(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def _code(source: str) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
