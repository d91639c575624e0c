"""Imports point downward only; the heavy and the forbidden stay where they belong."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = (
    ("contracts", "errors"),
    ("fingerprint", "registry", "settings", "device", "configs", "pipes", "drafts"),
    ("media", "metrics", "layers"),
    ("posthoc",),
    ("data", "backbones"),
    ("methods",),
    ("store",),
    ("checkpoints",),
    ("retrieval", "maps", "shapes", "verdict"),
    ("training",),
    ("engine", "jobs", "runner"),
    ("pipeline",),
    ("experiments", "lessons"),
    ("cli", "ui"),
)
RANK = {unit: rank for rank, units in enumerate(LAYERS) for unit in units}
LOADERS = (
    ROOT / "core/backbones/_weights.py",  # bytes whose sha256 is pinned
    ROOT / "core/checkpoints/foreign/_pickled.py",  # the importer, after its own look at every instruction
)
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc", "manager", "base"}
PAGE_MAY_IMPORT = ("streamlit", "core.ui", "core.errors")


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def unit_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "core" and len(parts) > 1 and parts[1] in RANK else None


def broken_rules(path: Path, text: str) -> list[str]:
    """Every rule of the architecture that one file breaks."""
    relative = path.relative_to(ROOT)
    names = set(imports(ast.parse(text)))
    broken = []
    if relative.parts[0] == "core" and len(relative.parts) > 1:
        own = relative.parts[1].removesuffix(".py")
        for name in names:
            unit = unit_of(name)
            if unit and unit != own and own in RANK and RANK[unit] >= RANK[own]:
                broken.append(f"{relative} ({own}) imports {name}, which is not below it")
            if own == "methods" and unit == "backbones":
                broken.append(f"{relative} imports {name}: methods never name a backbone")
        if own != "ui" and any(name.split(".")[0] == "streamlit" for name in names):
            broken.append(f"{relative} imports streamlit; only core/ui, pages and app.py may")
    elif relative.parts[0] == "pages" or relative.name == "app.py":
        for name in names:
            allowed = name.startswith(PAGE_MAY_IMPORT) or name.split(".")[0] in sys.stdlib_module_names
            if not allowed and name != "core":
                broken.append(f"{relative} imports {name}; pages use streamlit, core.ui and core.errors")
    if FORBIDDEN_NAMES & set(relative.with_suffix("").parts):
        broken.append(f"{relative} has a name that says nothing")
    return broken


def test_imports_point_downward() -> None:
    files = [*sources("core", "pages"), ROOT / "app.py"]
    assert len(files) > 100
    assert [broken for path in files for broken in broken_rules(path, path.read_text())] == []


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("core/media/x.py", "from core.data import specs"),
        ("core/contracts.py", "import core.errors"),
        ("core/store/x.py", "import streamlit"),
        ("core/methods/x.py", "from core.backbones import panns"),
        ("core/registry.py", "def f():\n    import core.cli.doctor"),
        ("pages/x.py", "import torch"),
        ("pages/x.py", "from core.store import collection"),
        ("core/ui/utils.py", ""),
    ],
)
def test_the_rules_catch_what_they_forbid(place: str, line: str) -> None:
    assert broken_rules(ROOT / place, line)


def careless_calls(path: Path, text: str) -> list[str]:
    """Calls that draw from a global generator, and such as could unpickle or run what they read."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        allowed = called.startswith(("np.random.default_rng", "numpy.random.default_rng"))
        drawn = not allowed and called.startswith(("np.random.", "numpy.random.", "random."))
        confined = called == "torch.load" and path in LOADERS and "weights_only=True" in ast.unparse(node)
        forbidden = called in {"torch.manual_seed", "pickle.load", "pickle.loads", "torch.load", "eval", "exec"}
        unsafe = {"allow_pickle", "unsafe_allow_html"} & {
            keyword.arg for keyword in node.keywords if ast.unparse(keyword.value) != "False"
        }
        if drawn or (forbidden and not confined) or unsafe:
            found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)[:80]}")
    return found


def test_no_global_randomness_and_no_pickle() -> None:
    """Randomness is an argument, and nothing is unpickled."""
    assert [call for path in sources("core", "pages") for call in careless_calls(path, path.read_text())] == []


@pytest.mark.parametrize(
    "line",
    [
        "np.random.rand(3)",
        "random.random()",
        "torch.manual_seed(0)",
        "torch.load(f, weights_only=True)",
        "pickle.loads(b)",
        "eval('1')",
        "np.load(f, allow_pickle=True)",
        "st.markdown(t, unsafe_allow_html=found)",
    ],
)
def test_a_careless_call_is_found(line: str) -> None:
    assert careless_calls(ROOT / "core/x.py", line)


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


FITTING = "fits guesses plane_fits scales thinned transfer weights"  # what trains in lessons


def test_importing_core_changes_nothing_and_loads_nothing_heavy() -> None:
    """Every module but the pages' own: no socket, no thread, no process, no environment, no torch.

    core.layers are torch modules and nothing else; who needs them imports them inside a function.
    """
    modules = [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in sources("core")]
    wanted = [
        m.removesuffix(".__init__")
        for m in modules
        if not m.startswith(("core.ui", "core.layers")) and not m.endswith("__main__")
    ]
    of_torch = ("core.layers", "core.backbones", "core.methods", "core.training")
    of_torch += tuple(
        f"core.checkpoints.{name}"
        for name in ("_beginnings", "answering", "density", "foreign", "rounding", "saved", "vectors")
    )
    walks = (
        "ready",
        "checked",
        "train",
        "keep",
        "finished",
        "crossval",
        "evaluate",
        "matched",
        "compare",
        "leaveout",
        "outside",
        "ask",
        "knobs",
        "_asking",
        "scored",
        "sweep",
        "_point",
        "_plane_point",
        "_reconstructing",
    )
    of_torch += tuple(f"core.pipeline.{name}" for name in walks)
    of_torch += tuple(f"core.runner.{name}" for name in ("_computing", "_models", "_telling"))  # of the worker
    of_torch += ("core.shapes.networks", "core.shapes.fields", "core.shapes.kept")
    of_torch += tuple(f"core.lessons._{name}" for name in FITTING.split())
    wanted.sort(key=lambda name: name.startswith(of_torch))
    light = sum(not name.startswith(of_torch) for name in wanted)
    code = f"""
import os, sys, threading, random
before = dict(os.environ)
opened = []
sys.addaudithook(lambda event, args: opened.append((event, args[:1])) if event in
    ('socket.bind', 'socket.connect', 'subprocess.Popen', 'os.system') else None)
for name in {wanted[:light]!r}:
    __import__(name)
heavy = sorted(set(sys.modules) & {{'torch', 'librosa', 'lancedb', 'pandas', 'sklearn', 'av', 'streamlit', 'timm'}})
ours = list(opened)
import torch  # runs ldconfig by itself
opened[:] = ours
for name in {wanted[light:]!r}:
    __import__(name)
print(heavy, opened, dict(os.environ) == before, threading.active_count())
"""
    assert run_python(code) == "[] [] True 1"


def test_importing_core_takes_less_than_a_second_of_work() -> None:
    """Measured as processor time, the best of three, so that a busy machine does not matter."""
    code = "import time; t = time.process_time(); import core, core.data, core.cli; print(time.process_time() - t)"
    assert min(float(run_python(code)) for _ in range(3)) < 1.0
