"""Finds the data directories that a person means."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from mynode.base.errors import DataDirectoryError
from mynode.storage.data_directory import IDENTITY_FILE, DataDirectory


def data_directories(path: Path) -> Iterator[DataDirectory]:
    """The data directory at `path`, or all that lie directly in it (as a launcher's do), each open for its turn.

    Raises:
        DataDirectoryError: there is none, or one is in use.
        CorruptionError: an identity file is damaged.
    """
    inside = sorted(found.parent for found in path.glob(f"*/{IDENTITY_FILE}"))
    if not inside and not (path / IDENTITY_FILE).is_file():
        raise DataDirectoryError(f"there is no data directory at {path} or in it")
    for found in [path] if (path / IDENTITY_FILE).is_file() else inside:
        with closing(DataDirectory.look(found)) as directory:
            yield directory
