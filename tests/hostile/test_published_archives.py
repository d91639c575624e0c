"""Archives that claim to be a published set: only named regular members come out, within the budget, or nothing."""

from __future__ import annotations

import gzip
import io
import tarfile
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from core.data import _unpack
from core.data._fetch import Remote
from core.data._unpack import unpacked
from core.errors import ArchiveError
from core.settings import Settings
from tests.contract.published import tarred, zipped

REMOTE = Remote(
    key="set", title="The Set", url="", file="set.tar.gz", size=1000, checksum=None,
    marks=("a.bin",), layout=r"top/((?:[a-c]|[./]+x)\.bin)",
)  # fmt: skip


def unpack(raw: bytes, settings: Settings, tmp_path: Path, remote: Remote = REMOTE) -> Path:
    archive = tmp_path / "given"
    archive.write_bytes(raw)
    return unpacked(archive, "0" * 64, remote, settings)


def refusal(raw: bytes, settings: Settings, tmp_path: Path, remote: Remote = REMOTE) -> str:
    with pytest.raises(ArchiveError) as caught:
        unpack(raw, settings, tmp_path, remote)
    assert list((settings.home / "downloads" / "set").iterdir()) == [], "half an archive stayed"
    assert not list(tmp_path.rglob("x.bin")), "a member escaped"
    return str(caught.value)


def link(name: str, to: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, to
    return member


def test_only_named_members_are_written(settings: Settings, tmp_path: Path) -> None:
    folder = unpack(tarred("top", {"a.bin": b"A", "z.bin": b"Z", "deep/a.bin": b"D"}), settings, tmp_path)
    assert {path.name: path.read_bytes() for path in folder.rglob("*")} == {"a.bin": b"A"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_links_and_devices_with_a_wanted_name_are_left_out(settings: Settings, tmp_path: Path, kind: bytes) -> None:
    folder = unpack(tarred("top", {"a.bin": b"A"}, link("top/b.bin", "/etc/passwd", kind)), settings, tmp_path)
    assert [path.name for path in folder.iterdir()] == ["a.bin"]


@pytest.mark.parametrize("pack", [tarred, zipped])
@pytest.mark.parametrize("name", ["../x.bin", "../../x.bin", "./x.bin", "/x.bin", "..//x.bin"])
def test_a_path_out_of_the_folder_is_refused(settings: Settings, tmp_path: Path, pack: object, name: str) -> None:
    raw = pack("top", {"a.bin": b"A", name: b"X"})  # type: ignore[operator]
    assert "no plain path" in refusal(raw, settings, tmp_path)


def test_a_member_that_comes_twice_is_refused(settings: Settings, tmp_path: Path) -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        archive.writestr("top/a.bin", b"first")
        archive.writestr("top/a.bin", b"second")
    assert "twice" in refusal(raw.getvalue(), settings, tmp_path)


@pytest.mark.parametrize("pack", [tarred, zipped])
@pytest.mark.parametrize("name", ["a.bin", "unnamed.bin"])
def test_a_bomb_stops_at_the_budget(settings: Settings, tmp_path: Path, pack: object, name: str) -> None:
    zeros = bytes(REMOTE.limit + 1)
    raw = pack("top", {name: zeros, "b.bin": b"B"})  # type: ignore[operator]
    assert len(raw) < 200_000
    if pack is zipped and name == "unnamed.bin":  # never inflated, so it costs nothing
        assert [path.name for path in unpack(raw, settings, tmp_path).iterdir()] == ["b.bin"]
    else:
        assert "more than 67 MB" in refusal(raw, settings, tmp_path)


def test_a_sparse_member_of_a_terabyte_stops_at_the_budget(settings: Settings, tmp_path: Path) -> None:
    head = tarfile.TarInfo("top/a.bin")
    head.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.size": str(1 << 40),
        "GNU.sparse.map": f"{(1 << 40) - 1},1",
    }
    head.size = 1
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(head, io.BytesIO(b"x"))
    assert "more than 67 MB" in refusal(raw.getvalue(), settings, tmp_path)


@pytest.mark.parametrize("pack", [tarred, zipped])
def test_an_archive_cut_anywhere_is_refused(settings: Settings, tmp_path: Path, pack: object) -> None:
    raw = pack("top", {"a.bin": bytes(range(256)) * 40, "b.bin": b"B" * 3000})  # type: ignore[operator]
    for end in range(0, len(raw) - 1, max(1, len(raw) // 40)):
        refusal(raw[:end], settings, tmp_path)


@pytest.mark.parametrize("pack", [tarred, zipped])
def test_a_flipped_bit_is_never_a_silently_wrong_file(settings: Settings, tmp_path: Path, pack: object) -> None:
    content = {"a.bin": bytes(range(256)) * 8, "b.bin": b"B" * 300}
    raw = pack("top", content)  # type: ignore[operator]
    refused = 0
    for at in range(0, len(raw), max(1, len(raw) // 60)):
        flipped = raw[:at] + bytes([raw[at] ^ 0x10]) + raw[at + 1 :]
        (tmp_path / "given").write_bytes(flipped)
        try:
            folder = unpacked(tmp_path / "given", f"{at:064d}"[::-1], REMOTE, settings)
        except ArchiveError:
            refused += 1
        else:
            assert all(path.read_bytes() == content[path.name] for path in folder.iterdir())
    assert refused > 15


@pytest.mark.parametrize(
    "raw",
    [b"", b"RIFF", gzip.compress(b"no tar"), b"PK\x03\x04nothing", tarred("top", {})],
    ids=["empty", "riff", "gzip of no tar", "broken zip", "empty tar"],
)
def test_something_else_is_refused(settings: Settings, tmp_path: Path, raw: bytes) -> None:
    assert refusal(raw, settings, tmp_path).startswith("This archive is not The Set as published")


def test_unpacking_again_reads_the_finished_folder(settings: Settings, tmp_path: Path) -> None:
    first = unpack(tarred("top", {"a.bin": b"A"}), settings, tmp_path)
    assert unpack(b"no archive any more", settings, tmp_path, replace(REMOTE, title="Again")) == first


def test_the_second_of_two_processes_takes_the_folder_of_the_first(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = _unpack._unpack

    def overtaken(archive: Path, remote: Remote, part: Path) -> None:
        alone(archive, remote, part)
        target = part.parent / f"unpacked-{'0' * 16}"
        target.mkdir()
        (target / "a.bin").write_bytes(b"A")

    monkeypatch.setattr(_unpack, "_unpack", overtaken)
    folder = unpack(tarred("top", {"a.bin": b"A"}), settings, tmp_path)
    assert (folder / "a.bin").read_bytes() == b"A"
    assert list(folder.parent.iterdir()) == [folder], "the second copy stayed"
