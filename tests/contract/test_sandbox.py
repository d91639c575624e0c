"""The decode children: killed, hung, starved, asked by two at once; and what they can never do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.errors import MediaError
from core.media import door
from core.media import sandbox as sandbox_module
from core.media.sandbox import Limits, Sandbox
from tests.hostile.audio_files import encoded, noise, through_ffmpeg
from tests.hostile.image_files import plain
from tests.patience import SECONDS

ROOT = Path(__file__).resolve().parents[2]
GOOD = encoded("WAV", samples=noise(4000))


@pytest.fixture
def pool() -> Iterator[Sandbox]:
    made = Sandbox(1, door.LIMITS)
    yield made
    made.close()


def test_a_child_killed_while_idle_costs_nobody_an_answer(pool: Sandbox) -> None:
    expected = door.open_media(GOOD, sandbox=pool).samples
    (first,) = pool.processes()
    os.kill(first, signal.SIGKILL)
    assert np.array_equal(door.open_media(GOOD, sandbox=pool).samples, expected)
    assert pool.processes() != (first,)


def test_a_child_killed_at_work_is_replaced_and_asked_again(pool: Sandbox) -> None:
    """Stopped first, so that the kill surely meets it with the request in hand."""
    expected = door.open_media(GOOD, sandbox=pool).samples
    (child,) = pool.processes()
    os.kill(child, signal.SIGSTOP)
    threading.Timer(0.2, os.kill, (child, signal.SIGKILL)).start()
    assert np.array_equal(door.open_media(GOOD, sandbox=pool).samples, expected)


def test_a_hanging_child_is_given_up_and_the_next_file_is_served(pool: Sandbox) -> None:
    door.open_media(GOOD, sandbox=pool)
    (child,) = pool.processes()
    os.kill(child, signal.SIGSTOP)
    params = {"kind": "audio", "container": "wav"}
    with pytest.raises(MediaError, match="took too long") as caught:
        pool.call("decode", params, [GOOD], limits=Limits(seconds=0.3))
    assert caught.value.code == "timeout"
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    assert len(door.open_media(GOOD, sandbox=pool).samples) == 4000


def test_a_request_beyond_its_memory_is_refused_and_the_next_is_served(pool: Sandbox) -> None:
    long = encoded("FLAC", samples=np.zeros(40_000_000, np.int16), rate=48_000)  # 160 MB as samples
    params = {"kind": "audio", "container": "flac"}
    with pytest.raises(MediaError, match="more memory") as caught:
        pool.call("decode", params, [long], limits=Limits(seconds=20, memory=64 << 20))
    assert caught.value.code == "too-much-memory"
    assert len(door.open_media(GOOD, sandbox=pool).samples) == 4000


def test_two_children_serve_six_threads_each_its_own_answer() -> None:
    pool = Sandbox(2, door.LIMITS)
    pool.warm()
    wrong: list[int] = []

    def ask(seed: int) -> None:
        samples = noise(3000 + seed, seed=seed)
        for _ in range(5):
            media = door.open_media(encoded("WAV", "FLOAT", samples), sandbox=pool)
            if not np.array_equal(media.samples, samples):
                wrong.append(seed)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(pool.processes()) == 2
    pool.close()
    assert pool.processes() == ()


def test_a_child_is_replaced_after_its_life(pool: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_module, "_LIFE", 2)
    door.open_media(GOOD, sandbox=pool)
    (first,) = pool.processes()
    door.open_media(GOOD, sandbox=pool)
    assert pool.processes() == ()
    door.open_media(GOOD, sandbox=pool)
    assert pool.processes() != (first,)


def test_a_child_ends_when_its_server_is_killed() -> None:
    code = (
        "from core.media import door\nfrom core.media.sandbox import Sandbox\n"
        "from tests.hostile.audio_files import wav\n"
        "import os, time\npool = Sandbox(1)\ndoor.open_media(wav(bytes(3200)), sandbox=pool)\n"
        "print(pool.processes()[0], flush=True)\ntime.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        child = int(server.stdout.readline())
        server.kill()
    assert gone(child)


def gone(process: int, patience: float = SECONDS) -> bool:
    until = time.monotonic() + patience
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_no_child_ever_loads_torch(pool: Sandbox) -> None:
    """Asked of the kernel: after every kind of decoder has run, no mapped file belongs to torch or librosa."""
    for raw in (GOOD, encoded("FLAC"), encoded("MP3"), through_ffmpeg("webm"), plain("PNG"), plain("HEIF")):
        door.open_view(raw, sandbox=pool)
    (child,) = pool.processes()
    maps = Path(f"/proc/{child}/maps").read_text()
    assert "libsndfile" in maps
    assert not [name for name in ("torch", "librosa", "numba", "llvmlite", "scipy") if f"/{name}" in maps]


def confined(code: str) -> str:
    """What some code prints in a process that has confined itself as a child does."""
    start = "import sys\nfrom core.media import _child\n_child.confine(1 << 30)\n"
    done = subprocess.run(
        [sys.executable, "-c", start + code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


def test_a_child_has_no_network_and_starts_no_program() -> None:
    attempts = {
        "socket": "import socket; socket.create_connection(('127.0.0.1', 1))",
        "shell": "import os; os.system('true')",
        "program": "import subprocess; subprocess.run(['true'])",
        "exec": "import os; os.execv('/bin/true', ['true'])",
        "fork": "import os; os.fork()",
    }
    tried = "".join(
        f"try:\n    {code}\n    print({name!r}, 'done')\nexcept PermissionError: print({name!r}, 'refused')\n"
        for name, code in attempts.items()
    )
    assert confined(tried).splitlines() == [f"{name} refused" for name in attempts]


def test_a_child_cannot_take_more_memory_than_its_ceiling_or_leave_a_core_file() -> None:
    printed = confined(
        "import resource\n"
        "try:\n    bytearray(2 << 30); print('taken')\nexcept MemoryError: print('refused')\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE)[1], resource.getrlimit(resource.RLIMIT_NOFILE)[1])"
    )
    assert printed.split() == ["refused", "0", "64"]


def test_a_child_inherits_no_secret_of_the_environment(pool: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN_OF_THE_SERVER", "secret")
    door.open_media(GOOD, sandbox=pool)
    (child,) = pool.processes()
    assert b"secret" not in Path(f"/proc/{child}/environ").read_bytes()


def test_the_default_sandbox_is_one_for_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Sandbox] = []
    threads = [threading.Thread(target=lambda: found.append(door.default_sandbox())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(one) for one in found}) == 1
    assert len(door.open_media(GOOD).samples) == 4000
