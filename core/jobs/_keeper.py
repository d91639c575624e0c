"""The parent of one job's command: waits its turn, runs it, keeps its logs, ends it when asked, says what came of it.

Why a process a job and no scheduler: whoever submits starts the keeper, which cuts itself loose and waits in
the queue by itself. So a queue moves with no page open and no server running, the death of any one process
stops one job only, and what a dead keeper held (its place, its job) is free at once. A keeper that died waiting
(a restart of the machine) is started again by the next one who submits or lists jobs.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from core.errors import UserFacingError
from core.jobs._folder import (
    CANCEL,
    ENDING,
    ERR,
    HEARTBEAT,
    OUT,
    PAUSE,
    RESULT,
    Run,
    ahead,
    guarded,
    leave_place,
    read_json,
    write_json,
)
from core.jobs._processes import adopt_orphans, end_children, process

_LOOK = 0.1  # seconds between two looks at the command
_WAIT = 0.25  # seconds between two looks at the queue
_HUNG = 300.0  # seconds without a sign of life after which a command is ended
_NICE = 10  # pages and other people's programs go first
_CAPS = {OUT: 64 << 20, ERR: 2 << 20}  # bytes; half is the older part, <name>.1
_DOCUMENT = 4 << 20  # bytes; a longer answer stays in out.log
_ASKED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL}


class Keeper:
    def __init__(self, folder: Path, lock: int) -> None:
        run = Run.load(folder)
        assert run is not None
        self.folder, self.lock, self.run = folder, lock, replace(run, keeper=process(os.getpid()))
        self.leaving = threading.Event()  # somebody wants this process to end
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self.leaving.set())

    def live(self) -> None:
        self.run.save(self.folder)
        if not self._wait_for_turn():
            state = "paused" if self._paused() else "cancelled"
            self._tell(state, None, f"{state.capitalize()} before it began.")
            return
        self.run = replace(self.run, phase="running", began=time.time())
        self.run.save(self.folder)
        self._tell(*self._work())

    def _wait_for_turn(self) -> bool:
        """True when it is our turn; False when cancelled. Asked to leave, it does: its place is kept."""
        while not self._cancelled():
            if self.leaving.is_set():
                sys.exit(0)
            if self.run.ticket is None:
                return True
            with contextlib.suppress(UserFacingError), guarded(self.folder.parent, alone=False):
                if ahead(self.folder.parent, self.run.ticket) < self.run.slots:
                    return True
            self._beat()
            time.sleep(_WAIT)
        return False

    def _work(self) -> tuple[str, int | None, str]:
        """Run the command to its end; state, exit code, and a sentence where there is something to say."""
        self._beat()
        command = subprocess.Popen(
            self.run.words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=(self.lock,),
        )
        self.run = replace(self.run, command=process(command.pid))
        self.run.save(self.folder)
        assert command.stdout is not None
        assert command.stderr is not None
        logs = [self._log(command.stdout, OUT), self._log(command.stderr, ERR)]
        hung = self._watch(command)
        end_children()  # also what outlived a command that is done
        for log in logs:
            log.join(5.0)
        return self._verdict(command.returncode, hung)

    def _watch(self, command: subprocess.Popen[bytes]) -> bool:
        """Until the command has ended, by itself or asked to. True: it hung."""
        beat, beaten, forced = 0.0, time.monotonic(), float("inf")
        while command.poll() is None:
            now = time.monotonic()  # ours, not the file's: the system's clock may jump
            with contextlib.suppress(OSError):
                if (seen := (self.folder / HEARTBEAT).stat().st_mtime) != beat:
                    beat, beaten = seen, now
            if forced == float("inf") and (self._cancelled() or self.leaving.is_set()):
                command.terminate()
                forced = now + self.run.grace
            hung = now - beaten > _HUNG
            if hung or now > forced:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(command.pid, signal.SIGKILL)
                command.wait()
                return hung
            time.sleep(_LOOK)
        return False

    def _verdict(self, code: int, hung: bool) -> tuple[str, int | None, str]:
        ending = read_json(self.folder / ENDING)
        told = ending if ending.get("attempt") == self.run.attempt else {}
        sentence = str(told.get("sentence", ""))
        if code == 0:
            return "done", code, ""
        if self._cancelled():
            state = "paused" if self._paused() else "cancelled"
            return state, code, f"{state.capitalize()}. What was finished is kept; resume it to go on."
        if hung:
            return "lost", code, "It gave no sign of life for minutes and was ended; resume it to try again."
        if self.leaving.is_set() or told.get("kind") == "stopped" or -code in _ASKED:
            return "lost", code, "It was stopped from outside, as systems do when memory runs out; resume it to go on."
        if code == 2:
            return "refused", code, sentence or _last_line(self.folder / ERR)
        if code < 0:
            return "failed", code, "The program broke down; its log may say why."
        return "failed", code, "It ended with an error; its log says why."

    def _tell(self, state: str, code: int | None, sentence: str) -> None:
        """The last act. The place in the queue goes first: after the result the job may be started anew."""
        if self.run.ticket is not None:
            with contextlib.suppress(OSError):
                leave_place(self.folder.parent, self.run.ticket, self.folder.name)
        result: dict[str, Any] = {
            "attempt": self.run.attempt,
            "state": state,
            "code": code,
            "message": sentence,
            "ended": time.time(),
            "document": None if code is None else _document(self.folder / OUT),
        }
        write_json(self.folder / RESULT, result)

    def _cancelled(self) -> bool:
        return (self.folder / CANCEL).exists()

    def _paused(self) -> bool:
        with contextlib.suppress(OSError):
            return (self.folder / CANCEL).read_text() == PAUSE
        return False

    def _beat(self) -> None:
        with contextlib.suppress(OSError):
            (self.folder / HEARTBEAT).touch()

    def _log(self, stream: IO[bytes], name: str) -> threading.Thread:
        thread = threading.Thread(target=_copy, args=(stream, self.folder / name, _CAPS[name] // 2), daemon=True)
        thread.start()
        return thread


def _copy(stream: IO[bytes], path: Path, half: int) -> None:
    """Everything that is said, the last two halves of it on disk; a full disk loses the log and not the job."""
    log: IO[bytes] | None = None
    size = 0
    try:
        while block := os.read(stream.fileno(), min(half, 1 << 16)):
            with contextlib.suppress(OSError):
                if log is not None and size + len(block) > half:
                    log.close()
                    path.replace(path.with_name(f"{path.name}.1"))
                    log = None
                if log is None:
                    log, size = path.open("wb", buffering=0), 0
                size += log.write(block) or 0
    finally:
        if log is not None:
            log.close()


def _document(path: Path) -> Any:
    """What the command answered: the last line, where it is JSON."""
    with contextlib.suppress(OSError, ValueError):
        if path.stat().st_size <= _DOCUMENT:
            return json.loads(_last_line(path))
    return None


def _last_line(path: Path) -> str:
    with contextlib.suppress(OSError):
        lines = [line for line in path.read_text(errors="replace").split("\n") if line.strip()]
        return lines[-1].strip() if lines else ""
    return ""


def main(folder: str, lock: str) -> None:
    if os.fork():  # the starter waits for this one, so that nobody is left a child to bury
        os._exit(0)
    os.setsid()
    os.nice(_NICE)
    os.set_inheritable(int(lock), False)  # passed on to the command, and to nothing else
    adopt_orphans()
    Keeper(Path(folder), int(lock)).live()


if __name__ == "__main__":
    main(*sys.argv[1:])
