"""A server of the app that can be lost and started again, as after a crash: same port, same home."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.browser.conftest import free_port, start_server, stop_server


class Place:
    def __init__(self, home: Path, script: str = "app.py") -> None:
        self.home, self.script, self.port = home, script, free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        self.server = start_server(self.home, self.port, self.script)

    def kill(self) -> None:
        os.kill(self.server.pid, signal.SIGKILL)
        self.server.wait(timeout=30)

    def stop(self) -> None:
        stop_server(self.server)
