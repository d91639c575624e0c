"""Published weights over real http from this machine, from pip and from a copy: whole, checked, resumed, or refused."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from core.backbones import efficientnet_lite
from core.checkpoints import _known, weights
from core.checkpoints._known import Known, Wheel
from core.errors import UserFacingError
from core.settings import Settings

BODY = bytes(range(256)) * 4000  # a megabyte
SHA = hashlib.sha256(BODY).hexdigest()


@dataclass
class Publisher:
    """A server that can break off after some bytes and go on from any, as Zenodo's does."""

    body: bytes = BODY
    etag: str | None = '"one"'
    breaks_after: int | None = None
    status: int = 200
    ranges: list[str | None] = field(default_factory=list)
    address: str = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers.get("Range")
        self.ranges.append(asked)
        if self.status != 200:
            handler.send_error(self.status)
            return
        same = handler.headers.get("If-Range") in (None, self.etag)  # without the header, any version goes on
        if asked == f"bytes={len(self.body)}-":
            handler.send_error(416)
            return
        begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked and same else 0
        handler.send_response(206 if begin else 200)
        part = self.body[begin:]
        handler.send_header("Content-Length", str(len(part)))
        if self.etag:
            handler.send_header("ETag", self.etag)
        handler.end_headers()
        handler.wfile.write(part if self.breaks_after is None else part[: self.breaks_after])


@contextmanager
def publisher(**options: Any) -> Iterator[Publisher]:
    served = Publisher(**options)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self)

        def log_message(self, *_: object) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.address = f"http://127.0.0.1:{server.server_address[1]}/x.pth"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture
def online(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return replace(settings, offline=False)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> list[Known]:
    """The table of known weights, for a test to fill."""
    entries: list[Known] = []
    monkeypatch.setattr(weights, "KNOWN", entries)
    return entries


def entry(address: str | None = None, **changes: Any) -> Known:
    told = Known("x", "the X weights", "timm", "x.pth", len(BODY), "MIT", sha256=SHA, url=address)
    return replace(told, **changes)


def kept(settings: Settings) -> set[str]:
    return {path.name for path in (settings.home / "weights" / "published").iterdir()}


def test_a_download_is_whole_checked_recorded_and_asked_for_once(online: Settings, table: list[Known]) -> None:
    with publisher() as served:
        table.append(entry(served.address))
        steps: list[tuple[int, int]] = []
        found = weights.fetch("x", online, progress=lambda done, total, _: steps.append((done, total)))
        again = weights.fetch("x", replace(online, offline=True))
        assert served.ranges == [None]
    assert found == again
    assert found.original is not None
    assert found.original.read_bytes() == BODY
    assert found.sha256 == SHA
    assert kept(online) == {"x.pth", "x.pth.sha256"}
    assert steps[-1] == (len(BODY), len(BODY))
    assert weights.verify(online) == ((found, "ok"),)


def test_a_download_goes_on_where_it_broke_off(online: Settings, table: list[Known]) -> None:
    with publisher(breaks_after=300_000) as served:
        table.append(entry(served.address))
        with pytest.raises(UserFacingError, match="broke off after 300,000 bytes; the same command goes on"):
            weights.fetch("x", online)
        assert weights.known(online)[0].original is None
        served.breaks_after = None
        found = weights.fetch("x", online)
        assert served.ranges == [None, "bytes=300000-"]
    assert found.original is not None
    assert found.original.read_bytes() == BODY
    assert kept(online) == {"x.pth", "x.pth.sha256"}


@pytest.mark.parametrize("etag", ['"two"', None, 'W/"one"'])
def test_what_changed_in_between_is_fetched_anew(online: Settings, table: list[Known], etag: str | None) -> None:
    with publisher(body=BODY[::-1], breaks_after=300_000, etag=etag and '"one"') as served:
        table.append(entry(served.address))
        with pytest.raises(UserFacingError, match="broke off"):
            weights.fetch("x", online)
        served.body, served.etag, served.breaks_after = BODY, etag, None
        assert weights.fetch("x", online).sha256 == SHA


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_a_wrong_checksum_leaves_nothing(online: Settings, table: list[Known], kind: str) -> None:
    with publisher() as served:
        table.append(entry(served.address, **{"sha256": None, kind: "0" * (64 if kind == "sha256" else 32)}))
        with pytest.raises(UserFacingError, match=f"arrived with {kind}") as caught:
            weights.fetch("x", online)
    assert caught.value.code == "checksum"
    assert kept(online) == set()


def test_without_a_published_checksum_the_sha256_is_recorded_and_held_to(online: Settings, table: list[Known]) -> None:
    with publisher() as served:
        table.append(entry(served.address, sha256=None))
        found = weights.fetch("x", online)
    assert found.sha256 == SHA
    assert found.original is not None
    found.original.write_bytes(BODY[:-1] + b"x")
    assert "was expected" in weights.verify(online)[0][1]


def test_a_body_without_end_is_cut(online: Settings, table: list[Known]) -> None:
    with publisher(body=bytes(70 << 20)) as served:
        table.append(entry(served.address, size=1000))
        with pytest.raises(UserFacingError, match="nothing was kept"):
            weights.fetch("x", online)
    assert sum(path.stat().st_size for path in (online.home / "weights" / "published").iterdir()) < 1000


@pytest.mark.parametrize(("status", "code"), [(404, "not-found"), (503, "not-found")])
def test_a_server_that_says_no_is_quoted(online: Settings, table: list[Known], status: int, code: str) -> None:
    with publisher(status=status) as served:
        table.append(entry(served.address))
        with pytest.raises(UserFacingError, match=str(status)) as caught:
            weights.fetch("x", online)
    assert caught.value.code == code


def test_offline_nothing_is_asked(settings: Settings, table: list[Known]) -> None:
    table += [entry("http://127.0.0.1:9/x"), entry(key="w", wheel=Wheel("x==1", "0" * 64, "x"))]
    for key in ("x", "w", "timm:resnet18.a1_in1k"):
        with pytest.raises(UserFacingError, match="PENUMBRA_OFFLINE") as caught:
            weights.fetch(key, settings)
        assert caught.value.code == "offline"
    with pytest.raises(UserFacingError, match="cannot be reached"):
        weights.fetch("x", replace(settings, offline=False))


def test_a_part_that_was_whole_is_fetched_anew(online: Settings, table: list[Known]) -> None:
    """Killed between the last byte and the checks: a server has nothing to send from there on."""
    with publisher() as served:
        table.append(entry(served.address))
        folder = online.home / "weights" / "published"
        folder.mkdir(parents=True)
        (folder / "x.pth.part").write_bytes(BODY)
        (folder / "x.pth.part.etag").write_text('"one"')
        assert weights.fetch("x", online).sha256 == SHA
        assert served.ranges == [f"bytes={len(BODY)}-", None]
    assert kept(online) == {"x.pth", "x.pth.sha256"}


def test_what_has_no_address_is_fetched_by_hand_and_checked(
    online: Settings, table: list[Known], tmp_path: Path
) -> None:
    table.append(entry(page="the authors' page"))
    with pytest.raises(UserFacingError, match=r"the authors' page.*--from FILE"):
        weights.fetch("x", online)
    (copy := tmp_path / "copy.bin").write_bytes(BODY)
    assert weights.fetch("x", online, copy).sha256 == SHA
    copy.write_bytes(BODY + b"x")
    with pytest.raises(UserFacingError, match=r"copy\.bin is not the X weights"):
        weights.fetch("x", online, copy)
    assert weights.verify(online)[0][1] == "ok", "the good copy stays"
    with pytest.raises(UserFacingError, match="could not be read"):
        weights.fetch("x", online, tmp_path / "absent.bin")


def test_every_entry_of_the_table_says_how_it_is_got_and_checked() -> None:
    keys = [known.key for known in _known.KNOWN]
    assert len(set(keys)) == len(keys)
    for known in _known.KNOWN:
        assert (known.url is not None) + (known.wheel is not None) + (known.page is not None) + known.installed == 1, (
            known.key
        )
        assert known.url is None or known.url.startswith("https://")
        assert known.checksum is not None or known.page is not None, known.key
        assert all(len(found) in (32, 64) for found in (known.sha256, known.md5) if found is not None)


def test_what_comes_with_a_package_is_here_and_verified(settings: Settings) -> None:
    found = weights.fetch("efficientnet-lite0", settings)
    assert found.original is not None
    assert [(entry.known.key, verdict) for entry, verdict in weights.verify(settings)] == [("efficientnet-lite0", "ok")]
    assert found.sha256 == efficientnet_lite.SHA256
    assert found.original.stat().st_size == found.known.size
    assert not settings.home.exists()
