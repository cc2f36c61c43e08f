"""`mynode repair` says what is damaged, what is safe and what is not; a damaged node's start names it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from mynode import cli
from mynode.actors.ports import NodeIdentity
from mynode.base.errors import CorruptionError
from mynode.base.exit_codes import EXIT_DAMAGED, exit_code
from mynode.inspect.repair import run_repair
from mynode.node import open_files
from mynode.storage.data_directory import DataDirectory
from mynode.storage.pages import PageEngine
from mynode.storage.raft_log import RaftLog
from mynode.testing.raft_log import make_entries, persist

NODE_3 = NodeIdentity("test", 3)


def write_node(path: Path) -> None:
    """A log of entries 1 to 300 in several segments, a tree as of entry 200."""
    with (
        closing(DataDirectory.open(path, 3, "test")) as directory,
        closing(RaftLog.open(directory.disk, segment_bytes=2_000)) as log,
        closing(PageEngine.open(directory.disk)) as engine,
    ):
        for first in range(1, 300, 30):
            log.append([persist(make_entries(first, 30, 1), term=1, voted_for=3)])
        editor = engine.tree.edit()
        for number in range(200):
            editor.put(b"%d" % number, number + 1, b"value")
        engine.adopt(editor.commit(), 200, 1)
        engine.checkpoint()


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def repair(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = run_repair(path)
    return code, capsys.readouterr().out


def start(path: Path) -> CorruptionError:
    """The error that a start on damaged files ends with."""
    with pytest.raises(CorruptionError) as caught, open_files(path, NODE_3):
        raise AssertionError("it started")
    return caught.value


def test_sound_files_need_no_repair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_node(tmp_path / "node-3")
    expected = f"{tmp_path}/node-3: node 3\n  sound: there is nothing to repair\n"
    assert repair(tmp_path, capsys) == (0, expected)
    assert repair(tmp_path / "node-3", capsys) == (0, expected)


def test_a_damaged_log_is_replaced_by_a_node_with_a_new_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_node(tmp_path)
    flip(tmp_path / "raft-0000000002.log", 100)
    code, out = repair(tmp_path, capsys)
    assert code == 1
    assert "damaged: raft-0000000002.log at byte " in out
    assert "mynode members remove 3" in out
    assert f"mv {tmp_path} {tmp_path}.damaged" in out
    assert "Only the tree is damaged" not in out
    error = start(tmp_path)
    assert str(error).startswith(f"{tmp_path}/raft-0000000002.log at byte ")
    assert error.hint == f"The choices: mynode repair {tmp_path}"
    assert exit_code(error) == EXIT_DAMAGED


def test_a_damaged_tree_beside_a_whole_log_is_made_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_node(tmp_path)
    tree = tmp_path / "tree.pages"
    for page in range(tree.stat().st_size // 4096):
        flip(tree, page * 4096 + 20)
    code, out = repair(tmp_path, capsys)
    assert code == 1
    assert f"mv {tree} {tree}.damaged" in out
    start(tmp_path)
    tree.rename(f"{tree}.damaged")
    with open_files(tmp_path, NODE_3) as files:
        assert (files.raft_log.first_index, files.raft_log.last_index) == (1, 300)
        assert files.engine.applied_index == 0


def test_a_damaged_tree_beside_a_cut_log_cannot_be_made_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_node(tmp_path)
    with closing(DataDirectory.look(tmp_path)) as directory, closing(RaftLog.open(directory.disk)) as log:
        log.truncate_front(150)
    (tmp_path / "tree.pages").unlink()
    code, out = repair(tmp_path, capsys)
    assert code == 1
    assert "damaged: tree.pages is gone, and the raft log begins with " in out
    assert "Only the tree is damaged" not in out
    assert "mynode members remove 3" in out


def test_a_deleted_log_is_not_begun_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_node(tmp_path)
    for path in tmp_path.glob("raft-*"):
        path.unlink()
    assert "no segment of the raft log is left" in str(start(tmp_path))
    code, out = repair(tmp_path, capsys)
    assert code == 1
    assert "damaged: no segment of the raft log is left" in out
    assert not list(tmp_path.glob("raft-*")), "neither made one"


def test_a_damaged_identity_is_explained_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_node(tmp_path)
    flip(tmp_path / "identity", 30)
    code, out = repair(tmp_path, capsys)
    assert code == 1
    assert "damaged: identity" in out
    assert "mynode members remove N" in out


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["mynode", "repair", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "there is no data directory at" in capsys.readouterr().err
