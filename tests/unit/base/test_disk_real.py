"""RealDisk does what MemoryDisk does, on a real directory, and maps what the operating system says to typed errors."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mynode.base.disk import Disk, read_fully, write_fully
from mynode.base.disk_memory import MemoryDisk
from mynode.base.disk_real import RealDisk
from mynode.base.errors import DiskError, DiskFullError


@pytest.fixture(params=["real", "memory"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    return RealDisk(tmp_path) if request.param == "real" else MemoryDisk()


def test_files_of_both_disks_behave_alike(disk: Disk) -> None:
    file = disk.create("b")
    assert (file.name, file.size()) == ("b", 0)
    file.write(2, b"xyz")
    file.sync()
    assert file.read(0, 10) == b"\0\0xyz"
    file.truncate(3)
    file.truncate(4)
    assert file.read(0, 10) == b"\0\0x\0"
    file.close()
    file.close()
    with pytest.raises(DiskError, match="closed"):
        file.read(0, 1)


def test_names_of_both_disks_behave_alike(disk: Disk) -> None:
    for name, data in (("b", b"1"), ("a", b"2")):
        file = disk.create(name)
        file.write(0, data)
        file.close()
    assert disk.list() == ["a", "b"]
    disk.rename("a", "b")
    disk.sync_directory()
    assert disk.list() == ["b"]
    assert disk.open("b").read(0, 5) == b"2"
    assert disk.create("b").size() == 0
    disk.delete("b")
    assert disk.list() == []
    with pytest.raises(DiskError, match="No such file"):
        disk.open("b")
    with pytest.raises(DiskError, match="No such file"):
        disk.rename("b", "c")


@pytest.mark.parametrize(
    ("number", "expected"), [(errno.ENOSPC, DiskFullError), (errno.EDQUOT, DiskFullError), (errno.EIO, DiskError)]
)
def test_errors_are_typed(
    number: int, expected: type[DiskError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = RealDisk(tmp_path).create("a")

    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    for function, call in (
        ("pwrite", lambda: file.write(0, b"x")),
        ("fdatasync", file.sync),
        ("pread", lambda: file.read(0, 1)),
        ("ftruncate", lambda: file.truncate(0)),
    ):
        monkeypatch.setattr(os, function, fail)
        with pytest.raises(DiskError) as caught:
            call()
        assert type(caught.value) is expected


def test_short_transfers_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_write: Callable[[int, memoryview, int], int] = os.pwrite
    real_read: Callable[[int, int, int], bytes] = os.pread
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: real_write(fd, data[:3], at))
    monkeypatch.setattr(os, "pread", lambda fd, count, at: real_read(fd, min(count, 4), at))
    file = RealDisk(tmp_path).create("a")
    file.write(0, b"0123456789")
    assert file.read(0, 10) == b"0123456789"
    assert file.read(5, 10) == b"56789"


def test_a_write_of_nothing_is_no_endless_loop() -> None:
    with pytest.raises(OSError, match="nothing was written"):
        write_fully(lambda _offset, _data: 0, 0, b"x")
    assert read_fully(lambda _offset, _length: b"", 0, 5) == b""


def test_directories_are_not_listed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert RealDisk(tmp_path).list() == []
