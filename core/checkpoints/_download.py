"""One published file over http: goes on where it broke off, and is there only when it is whole and checked."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, BinaryIO

from core.checkpoints._known import Known
from core.contracts import Progress
from core.errors import UserFacingError
from core.fingerprint import sha256_of_file

PART = ".part"
_CHUNK = 1 << 18
_TIMEOUT = 60.0  # seconds without a byte
_STEPS = 20  # progress messages a download


def download(known: Known, target: Path, progress: Progress) -> None:
    """``target`` from the publisher. What arrived of it before is kept and asked for no more."""
    assert known.url is not None
    part = target.with_name(target.name + PART)
    tag = _tag(part)
    if shutil.disk_usage(target.parent).free < known.size:
        raise UserFacingError(
            f"The disk has no room for {known.title} ({known.size / 1e6:,.0f} MB); make room.", code="disk-full"
        )
    begun = part.stat().st_size if part.is_file() and tag.is_file() else 0
    headers = {"Accept-Encoding": "identity"}
    if begun:
        headers |= {"Range": f"bytes={begun}-", "If-Range": tag.read_text()}
    try:
        with _opened(known, headers, part) as answer:
            goes_on = answer.status == http.HTTPStatus.PARTIAL_CONTENT
            if (etag := answer.headers.get("ETag")) and not etag.startswith("W/"):
                tag.write_text(etag)
            else:
                tag.unlink(missing_ok=True)
            with part.open("ab" if goes_on else "wb") as stream:
                _receive(known, answer, stream, begun if goes_on else 0, progress)
    except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
        raise _broken(known, part) from error
    _check(known, part)
    part.replace(target)
    tag.unlink(missing_ok=True)


def _tag(part: Path) -> Path:
    """Where the server's name of the version that ``part`` is of is kept."""
    return part.with_name(part.name + ".etag")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _tag(part).unlink(missing_ok=True)


def _opened(known: Known, headers: dict[str, str], part: Path) -> Any:
    request = urllib.request.Request(known.url or "", headers=headers)
    try:
        return urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and "Range" in headers:
            _forget(part)  # nothing is left to ask for: what is here was whole, or is of another version
            return _opened(known, {"Accept-Encoding": "identity"}, part)
        raise UserFacingError(
            f"The publisher's server answered {error.code} when asked for {known.title}; try again later, or "
            f"give a copy with --from.",
            code="not-found",
        ) from error
    except (urllib.error.URLError, OSError) as error:
        raise UserFacingError(
            f"{known.title} is not on this machine and its publisher cannot be reached; try again with a network, or "
            f"give a copy with --from.",
            code="no-network",
        ) from error


def _receive(known: Known, answer: Any, stream: BinaryIO, done: int, progress: Progress) -> None:
    length = answer.headers.get("Content-Length")
    total = done + int(length) if length else known.size
    limit, step = 2 * known.size + (64 << 20), -1
    while chunk := answer.read(_CHUNK):
        stream.write(chunk)
        done += len(chunk)
        if done > limit:
            stream.truncate(0)
            raise UserFacingError(
                f"{known.title} is about {known.size:,} bytes long and more than {limit:,} arrived; nothing was kept.",
                code="too-long",
            )
        if (now := _STEPS * done // max(total, done)) > step:
            step = now
            progress(done, max(total, done), known.title)
    if length and done < total:
        raise ConnectionError("the body ended early")


def _broken(known: Known, part: Path) -> UserFacingError:
    done = part.stat().st_size if part.is_file() else 0
    return UserFacingError(
        f"The download of {known.title} broke off after {done:,} bytes; the same command goes on from there.",
        code="broken-off",
    )


def _check(known: Known, part: Path) -> None:
    if known.checksum is None:
        return
    kind, expected = known.checksum
    found = sha256_of_file(part) if kind == "sha256" else md5_of_file(part)
    if found != expected:
        _forget(part)
        raise UserFacingError(
            f"{known.title} arrived with {kind} {found} where {expected} is published; the file was removed. "
            "Try again, or give a copy with --from.",
            code="checksum",
        )


def md5_of_file(path: Path) -> str:
    """Publishers' checksum where they state no better one; it tells damage, not malice."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
