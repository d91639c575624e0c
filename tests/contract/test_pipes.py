"""Bytes between processes: all of them, or who failed to send or to read them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest

from core.pipes import Gone, Silent, read, write


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    ours, theirs = os.pipe()
    yield ours, theirs
    for handle in (ours, theirs):
        try:
            os.close(handle)
        except OSError:  # the test closed it
            continue


def soon(seconds: float = 0.05) -> float:
    return time.monotonic() + seconds


@pytest.mark.parametrize("deadline", [None, 60.0])
def test_a_slow_writer_is_read_to_the_end_and_no_further(ends: tuple[int, int], deadline: float | None) -> None:
    ours, theirs = ends
    sent = bytes(range(256)) * 1200  # more than a pipe holds

    def slowly() -> None:
        for at in range(0, len(sent), 70_001):
            time.sleep(0.002)
            write(theirs, sent[at : at + 70_001])
        write(theirs, b"the next message")

    writer = threading.Thread(target=slowly)
    writer.start()
    assert read(ours, len(sent), None if deadline is None else soon(deadline)) == sent
    assert read(ours, 8) == b"the next"
    writer.join()


def test_a_writer_that_died_is_gone_even_in_the_middle_of_a_message(ends: tuple[int, int]) -> None:
    ours, theirs = ends
    write(theirs, b"abc")
    os.close(theirs)
    assert read(ours, 2) == b"ab"
    for deadline in (None, soon(60)):
        with pytest.raises(Gone):
            read(ours, 2, deadline)


def test_a_writer_that_stopped_in_the_middle_is_silent(ends: tuple[int, int]) -> None:
    ours, theirs = ends
    with pytest.raises(Silent):
        read(ours, 1, soon())
    write(theirs, b"abc")
    with pytest.raises(Silent):
        read(ours, 4, soon())


def test_a_reader_that_stopped_is_silent_and_one_that_died_is_gone(ends: tuple[int, int]) -> None:
    ours, theirs = ends
    os.set_blocking(theirs, False)
    with pytest.raises(Silent):
        write(theirs, bytes(10**6), soon())
    os.close(ours)
    with pytest.raises(Gone):
        write(theirs, b"x", soon(60))


def test_many_open_files_do_not_matter(ends: tuple[int, int]) -> None:
    """select() could not watch a handle beyond 1,024."""
    import resource

    ours, theirs = ends
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit[1] < 1200:
        pytest.skip("this machine allows no process 1,200 open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limit[0], 1200), limit[1]))
    high = os.dup2(ours, 1100)
    try:
        write(theirs, b"here")
        assert read(high, 4, soon(60)) == b"here"
    finally:
        os.close(high)
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
