"""Downloads over real http from a server on this machine: whole and checked, or refused with a sentence."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from core.data import _fetch
from core.data._fetch import Remote, fetch
from core.errors import DataError
from core.settings import Settings
from tests.contract.published import digest, published

ROOT = Path(__file__).resolve().parents[2]
BODY = bytes(range(256)) * 2000  # half a megabyte


@pytest.fixture
def online(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return replace(settings, offline=False)


def remote(address: str, checksum: str | None = None, size: int = len(BODY)) -> Remote:
    return Remote("set", "The Set", f"{address}/set.bin", "set.bin", size, checksum, marks=("set.bin",))


def refusal(of: Remote, settings: Settings) -> DataError:
    with pytest.raises(DataError) as caught:
        fetch(of, settings, lambda *_: None)
    message = str(caught.value)
    assert message.endswith(".")
    assert "PENUMBRA_DATA" in message, "no word on how to do without the network"
    assert str(settings.home) not in message, "a path of the server"
    kept = [path.name for path in (settings.home / "downloads" / "set").glob("*")]
    assert kept == [], "something of a refused download stayed"
    return caught.value


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_a_download_is_whole_checked_and_recorded(online: Settings, kind: str) -> None:
    seen: list[tuple[int, int, str]] = []
    with published(**{"set.bin": BODY}) as publisher:
        of = remote(publisher.address, digest(kind, BODY))
        fetched = fetch(of, online, lambda *step: seen.append(step))
    sha256 = hashlib.sha256(BODY).hexdigest()
    assert fetched.path.read_bytes() == BODY
    assert fetched.path.is_relative_to(online.home / "downloads")
    assert fetched.sha256 == sha256
    assert (fetched.path.parent / "set.bin.sha256").read_text() == f"{sha256}  set.bin\n"
    assert sha256 in seen[-1][2], "the sha256 is shown at the first fetch"
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    assert seen[-1][0] == len(BODY)
    assert len(seen) > 3
    assert f"its {kind} is the published one" in fetched.note(of)


def test_a_second_fetch_asks_nobody(online: Settings) -> None:
    with published(**{"set.bin": BODY}) as publisher:
        of = remote(publisher.address)
        first = fetch(of, online, lambda *_: None)
        again = fetch(of, replace(online, offline=True), lambda *_: None)
        assert publisher.requests == ["/set.bin"]
    assert again == first
    assert "publisher states no checksum" in first.note(of)


def test_the_default_progress_goes_to_stderr(online: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    with published(**{"set.bin": BODY}) as publisher:
        fetch(remote(publisher.address), online)
    out, err = capsys.readouterr()
    assert out == ""
    assert "The Set: 100 % of" in err


def test_a_wrong_checksum_names_both_and_keeps_nothing(online: Settings) -> None:
    wrong = "md5:" + "0" * 32
    with published(**{"set.bin": BODY}) as publisher:
        error = refusal(remote(publisher.address, wrong), online)
    assert error.code == "checksum"
    assert "0" * 32 in str(error)
    assert hashlib.md5(BODY).hexdigest() in str(error)


@pytest.mark.parametrize("announce_length", [True, False], ids=["announced", "chunked"])
def test_a_truncated_body_is_refused_without_any_checksum(online: Settings, announce_length: bool) -> None:
    with published(**{"set.bin": BODY}) as publisher:
        publisher.sent, publisher.announce_length = len(BODY) // 2, announce_length
        error = refusal(remote(publisher.address), online)
        assert error.code == "broken-off"
        publisher.sent = None
        assert fetch(remote(publisher.address), online, lambda *_: None).path.read_bytes() == BODY


def test_a_missing_file_says_what_the_server_answered(online: Settings) -> None:
    with published() as publisher:
        error = refusal(remote(publisher.address), online)
    assert error.code == "not-found"
    assert "404" in str(error)


def test_an_unreachable_publisher_is_told_apart(online: Settings) -> None:
    with published() as publisher:
        gone = remote(publisher.address)
    assert refusal(gone, online).code == "no-network"


def test_offline_never_asks(settings: Settings) -> None:
    with published(**{"set.bin": BODY}) as publisher:
        error = refusal(remote(publisher.address), replace(settings, offline=True))
        assert publisher.requests == []
    assert error.code == "offline"
    assert "PENUMBRA_OFFLINE" in str(error)


def test_an_endless_body_is_cut_at_the_limit(online: Settings) -> None:
    with published(**{"set.bin": bytes(70 << 20)}) as publisher:
        assert refusal(remote(publisher.address, size=1000), online).code == "too-long"


def test_a_full_disk_is_noticed_before_the_download(online: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 1000, 1000))
    with published(**{"set.bin": BODY}) as publisher:
        error = refusal(remote(publisher.address), online)
        assert publisher.requests == []
    assert error.code == "disk-full"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("body", [BODY, b"short"], ids=["while writing", "at the end"])
def test_a_disk_that_fills_up_on_the_way_is_no_network_error(
    online: Settings, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    gone = online.home / "downloads" / "set" / "gone.part"
    monkeypatch.setattr(_fetch.tempfile, "mkstemp", lambda **_: (os.open("/dev/full", os.O_WRONLY), str(gone)))
    with published(**{"set.bin": body}) as publisher:
        assert refusal(remote(publisher.address), online).code == "disk-full"


def test_a_home_that_cannot_be_written_is_named_by_its_variable(online: Settings) -> None:
    online.home.parent.mkdir(parents=True, exist_ok=True)
    online.home.write_text("a file where the folder should be")
    with published(**{"set.bin": BODY}) as publisher, pytest.raises(DataError, match="PENUMBRA_HOME") as caught:
        fetch(remote(publisher.address), online, lambda *_: None)
    assert caught.value.code == "not-writable"


def test_a_server_that_likes_to_compress_is_asked_not_to(online: Settings) -> None:
    inner = gzip.compress(BODY, mtime=0)  # a .tar.gz that such a server would declare as packed for transport
    with published(**{"set.bin": inner}) as publisher:
        publisher.compresses = True
        of = remote(publisher.address, digest("md5", inner))
        assert fetch(of, online, lambda *_: None).path.read_bytes() == inner
        assert publisher.accepted == ["identity"]


def test_a_killed_download_leaves_nothing_that_looks_finished(online: Settings) -> None:
    code = (
        "import sys; from pathlib import Path; from core.data._fetch import Remote, fetch; "
        "from core.settings import Settings; of = Remote('set', 'The Set', sys.argv[1], 'set.bin', 512000, None, ()); "
        "fetch(of, Settings(Path(sys.argv[2])))"
    )
    folder = online.home / "downloads" / "set"
    with published(**{"set.bin": BODY}) as publisher:
        publisher.sent, publisher.stay_open = len(BODY) // 2, threading.Event()
        child = subprocess.Popen(
            [sys.executable, "-c", code, f"{publisher.address}/set.bin", str(online.home)],
            cwd=ROOT, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert publisher.reached.wait(60)
        assert child.stderr is not None
        child.stderr.readline()  # the first progress line: bytes are on the disk
        child.send_signal(signal.SIGKILL)
        child.wait(30)
        child.stderr.close()
        (left,) = folder.iterdir()
        assert left.suffix == ".part"
        publisher.stay_open.set()
        publisher.sent = publisher.stay_open = None
        os.utime(left, (0, 0))  # long ago, so nobody is writing it any more
        assert fetch(remote(publisher.address), online, lambda *_: None).path.read_bytes() == BODY
    assert sorted(path.name for path in folder.iterdir()) == ["set.bin", "set.bin.sha256"]
