"""Small faithful copies of published layouts, and a server on this machine that publishes them, well or badly."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import tarfile
import threading
import wave
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

# the published order of ESC-50's targets, and the ten of them that are ESC-10
# fmt: off
CATEGORIES = (
    "dog", "rooster", "pig", "cow", "frog", "cat", "hen", "insects", "sheep", "crow", "rain", "sea_waves",
    "crackling_fire", "crickets", "chirping_birds", "water_drops", "wind", "pouring_water", "toilet_flush",
    "thunderstorm", "crying_baby", "sneezing", "clapping", "breathing", "coughing", "footsteps", "laughing",
    "brushing_teeth", "snoring", "drinking_sipping", "door_wood_knock", "mouse_click", "keyboard_typing",
    "door_wood_creaks", "can_opening", "washing_machine", "vacuum_cleaner", "clock_alarm", "clock_tick",
    "glass_breaking", "helicopter", "chainsaw", "siren", "car_horn", "engine", "train", "church_bells", "airplane",
    "fireworks", "hand_saw",
)
# fmt: on
TEN = (0, 1, 10, 11, 12, 20, 21, 38, 40, 41)
SPEAKERS = ("jackson", "george", "theo")
CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def tone(seed: int, rate: int = 8000, length: int = 160) -> bytes:
    """A short WAV file; another seed, other bytes."""
    samples = np.random.default_rng(seed).integers(-9000, 9000, length).astype("<i2")
    raw = io.BytesIO()
    with wave.open(raw, "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(rate)
        stream.writeframes(samples.tobytes())
    return raw.getvalue()


def esc50_files() -> dict[str, bytes]:
    """Two clips a class, cut from one recording, in the folds 1 to 5 by turns."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["filename", "fold", "target", "category", "esc10", "src_file", "take"])
    files: dict[str, bytes] = {}
    for target, category in enumerate(CATEGORIES):
        fold, source = target % 5 + 1, 100_000 + target
        for take in "AB":
            name = f"{fold}-{source}-{take}-{target}.wav"
            writer.writerow([name, fold, target, category, target in TEN, source, take])
            files[f"audio/{name}"] = tone(2 * target + (take == "B"), 44100)
    return {"meta/esc50.csv": table.getvalue().encode(), **files, "README.md": b"about", "tests/test_dataset.py": b"#"}


def fsdd_files() -> dict[str, bytes]:
    return {
        f"recordings/{digit}_{speaker}_{take}.wav": tone(100 * digit + 10 * at + take)
        for digit in range(10)
        for at, speaker in enumerate(SPEAKERS)
        for take in (0, 4, 5, 11)
    } | {"metadata.py": b"#", "README.md": b"about"}


@dataclass(frozen=True)
class Cifar:
    """The six binary batches of a small CIFAR-10, and what they were made from."""

    pixels: np.ndarray  # (batches, records, 3, 32, 32)
    labels: np.ndarray  # (batches, records)
    files: dict[str, bytes] = field(default_factory=dict)


def cifar(records: int = 20) -> Cifar:
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 256, (6, records, 3, 32, 32), dtype=np.uint8)
    labels = rng.integers(0, 10, (6, records), dtype=np.uint8)
    names = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    files = {"batches.meta.txt": ("\n".join(CIFAR_CLASSES) + "\n\n").encode(), "readme.html": b"<html>"}
    for batch, name in enumerate(names):
        files[name] = b"".join(bytes([labels[batch, at]]) + pixels[batch, at].tobytes() for at in range(records))
    return Cifar(pixels, labels, files)


def votes_for(labels: np.ndarray) -> np.ndarray:
    """51 people a picture, most of whom say the label and some the next class."""
    counts = np.zeros((len(labels), 10), np.int64)
    rows = np.arange(len(labels))
    counts[rows, labels] = 40
    counts[rows, (labels + 1) % 10] = 11
    return counts


def npy(array: np.ndarray) -> bytes:
    raw = io.BytesIO()
    np.save(raw, array, allow_pickle=False)
    return raw.getvalue()


def lay(folder: Path, files: dict[str, bytes]) -> Path:
    for name, raw in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    return folder


def zipped(top: str, files: dict[str, bytes]) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{top}/", b"")
        for name, content in files.items():
            archive.writestr(f"{top}/{name}", content)
    return raw.getvalue()


def tarred(top: str, files: dict[str, bytes], *extra: tarfile.TarInfo) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        folder = tarfile.TarInfo(f"{top}/")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in files.items():
            member = tarfile.TarInfo(f"{top}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in extra:
            archive.addfile(member)
    return raw.getvalue()


def digest(kind: str, raw: bytes) -> str:
    return f"{kind}:{hashlib.new(kind, raw).hexdigest()}"


@dataclass
class Publisher:
    """A web server on this machine. ``sent`` limits a body that is announced whole; then it waits or hangs up."""

    files: dict[str, bytes] = field(default_factory=dict)
    sent: int | None = None
    announce_length: bool = True
    compresses: bool = False  # as servers do for those who accept it
    stay_open: threading.Event | None = None
    reached: threading.Event = field(default_factory=threading.Event)
    requests: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    address: str = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests.append(handler.path)
        self.accepted.append(handler.headers.get("Accept-Encoding", ""))
        body = self.files.get(handler.path)
        if body is None:
            handler.send_error(404)
            return
        handler.send_response(200)
        if self.compresses and "gzip" in handler.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body)
            handler.send_header("Content-Encoding", "gzip")
        part = body if self.sent is None else body[: self.sent]
        if self.announce_length:
            handler.send_header("Content-Length", str(len(body)))
        else:
            handler.send_header("Transfer-Encoding", "chunked")
            part = b"%x\r\n" % len(body) + part + (b"\r\n0\r\n\r\n" if self.sent is None else b"")
        handler.end_headers()
        handler.wfile.write(part)
        handler.wfile.flush()
        self.reached.set()
        if self.stay_open is not None:
            self.stay_open.wait(30)


@contextmanager
def published(**files: bytes) -> Iterator[Publisher]:
    """A running Publisher of ``files`` by name."""
    publisher = Publisher({f"/{name}": raw for name, raw in files.items()})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            publisher.answer(self)

        def log_message(self, *_: object) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    publisher.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield publisher
    finally:
        if publisher.stay_open is not None:
            publisher.stay_open.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
