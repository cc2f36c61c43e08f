"""`mynode check` and `mynode dump` on the files of a node that wrote two tables' worth of entries and stopped."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from mynode import cli
from mynode.inspect.check import check_disk
from mynode.machine.commands import RetainCommand, TransactionCommand, encode_command
from mynode.machine.machine import Machine
from mynode.mvcc.readset import ReadSet
from mynode.mvcc.transaction import Transaction
from mynode.raft.effects import HardState, Persist
from mynode.raft.messages import Entry, EntryKind
from mynode.relation.catalog import Catalog, create_table
from mynode.relation.rows import TableRows
from mynode.relation.schema import Column, PrimaryKey, new_table
from mynode.storage.data_directory import DataDirectory
from mynode.storage.pages import PageEngine
from mynode.storage.pages.format import FILE_NAME, PAGE_BYTES
from mynode.storage.raft_log import RaftLog
from mynode.testing.raft_log import make_entries, persist
from mynode.testing.sql_sessions import SessionDatabase
from mynode.values.types import INTEGER, TEXT

Mynode = Callable[..., tuple[int, str, str]]

ROWS = 150


@pytest.fixture
def mynode(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mynode:
    """Runs `mynode` with arguments in this process: its exit code, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mynode", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


def write_node(path: Path, *, entries_in_log: int | None = None) -> None:
    """A node's files: a table, one row an entry, checkpoints after entries 101 and 151, two entries after that."""
    with (
        closing(DataDirectory.open(path, 1, "test")) as directory,
        closing(RaftLog.open(directory.disk)) as log,
        closing(PageEngine.open(directory.disk)) as engine,
    ):
        machine = Machine(engine)
        log.append([Persist(1, HardState(2, 3), ())])
        for index in range(1, ROWS + 4):
            transaction = Transaction(machine.view())
            if index == 1:
                columns = (Column("id", INTEGER, True, slot=0), Column("name", TEXT, False, slot=1))
                table = create_table(transaction, new_table("fruits", columns, PrimaryKey("fruits_pkey", (0,))))
            elif index < ROWS + 3:
                TableRows(table).insert(transaction, (index, f"fruit {index}"))
            command = TransactionCommand(
                bytes(16), index, 0, machine.applied, transaction.reads, tuple(transaction.writes.in_order()), b"done"
            )
            entry = Entry(2, index, EntryKind.COMMAND, b"i" * 12, encode_command(command))
            if index == ROWS + 3:
                entry = Entry(2, index, EntryKind.NOOP, b"", b"")
            if entries_in_log is None or index <= entries_in_log:
                log.append([Persist(1, None, (entry,))])
            machine.apply([entry])
            if index in (101, ROWS + 1):
                engine.checkpoint()


def test_check_finds_a_sound_node_sound_and_says_its_sizes(tmp_path: Path, mynode: Mynode) -> None:
    write_node(tmp_path / "node-1")
    code, out, err = mynode("check", str(tmp_path))
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"{tmp_path}/node-1: node 1 of cluster test"
    assert lines[1].startswith("  raft log: entries 1 to 153, term 2, voted for 3, 2")
    assert lines[2].startswith(
        "  checkpoint 2: the tree after entry 151, 154 records (0 tombstones, 0 long values), 2 le"
    )
    assert lines[4].startswith("  checkpoint 1: the tree after entry 101, ")
    assert lines[-1] == "  sound"
    assert mynode("check", str(tmp_path / "node-1"))[:2] == (0, out)


def test_check_finds_indexes_that_do_not_fit_their_tables(tmp_path: Path, mynode: Mynode) -> None:
    with (
        closing(DataDirectory.open(tmp_path, 1, "test")) as directory,
        closing(RaftLog.open(directory.disk)) as log,
        closing(PageEngine.open(directory.disk)) as engine,
    ):
        database = SessionDatabase(machine=Machine(engine))
        session = database.session()
        session.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER UNIQUE)")
        session.execute("INSERT INTO t VALUES (1, 10), (2, 20), (3, NULL)")
        engine.checkpoint()
        log.append([persist(make_entries(1, 3, 1), term=1)])
        assert check_disk(directory.disk).problems == []
        view = database.machine.view()
        rows = TableRows(Catalog.load(view).tables["t"])
        entries, key = rows.indexes[0], rows.key_of((1, None))
        wrong = ((entries.key((1, 11), key), key), (entries.key((2, 20), key), None))
        database.apply(TransactionCommand(b"w" * 16, 1, 0, view.version, ReadSet(), wrong, b""))
        engine.checkpoint()
    code, out, _ = mynode("check", str(tmp_path))
    assert code == 1
    assert out.splitlines()[-2:] == [
        f'  problem: index "t_a_key" of table "t": the row at {rows.key_of((2, None)).hex()} has no entry',
        f'  problem: index "t_a_key" of table "t": the entry {wrong[0][0].hex()} leads to the row at {key.hex()}, '
        "which has other values",
    ]


def test_check_names_what_is_damaged(tmp_path: Path, mynode: Mynode) -> None:
    write_node(tmp_path)
    path = tmp_path / FILE_NAME
    data = bytearray(path.read_bytes())
    leaf = data.index(b"fruit 33") // PAGE_BYTES * PAGE_BYTES
    data[data.index(b"fruit 33")] ^= 1
    path.write_bytes(data)
    code, out, _ = mynode("check", str(tmp_path))
    assert code == 1
    assert f"problem: tree.pages at byte {leaf}: the page's checksum is wrong" in out
    assert "sound" not in out


def test_check_finds_that_the_log_ends_before_the_tree(tmp_path: Path, mynode: Mynode) -> None:
    write_node(tmp_path, entries_in_log=120)
    code, out, _ = mynode("check", str(tmp_path))
    assert code == 1
    assert "problem: checkpoint 2 holds the entries up to 151, but the raft log ends with 120" in out


def test_dump_shows_metas_tables_and_entries(tmp_path: Path, mynode: Mynode) -> None:
    write_node(tmp_path)
    code, out, err = mynode("dump", str(tmp_path), "--rows", "2", "--entries", "3")
    assert (code, err) == (0, "")
    for expected in (
        "meta in page 0: checkpoint 2, applied index 151, its term 2, root in page ",
        "meta in page 1: checkpoint 1, applied index 101, its term 2, root in page ",
        "root: inner in page ",
        "catalog: version 1, 1 tables",
        "table fruits (id 1): id INTEGER, name TEXT; primary key: id",
        "@2: (2, 'fruit 2')\n",
        "@3: (3, 'fruit 3')\n",
        "raft log: entries 1 to 153, term 2, voted for 3",
        "entry 152, term 2, command, session 00000000 #152 on view 151, "
        "keys read 1, present 0, ranges read 0; put 0200000001",
        "entry 153, term 2, noop\n",
    ):
        assert expected in out
    assert "fruit 4" not in out
    assert "entry 150" not in out


def test_dump_shows_a_change_of_the_retention(tmp_path: Path, mynode: Mynode) -> None:
    write_node(tmp_path)
    retain = RetainCommand(bytes(16), ROWS + 4, 0, 5_000, b"done")
    with closing(DataDirectory.open(tmp_path, 1, "test")) as directory, closing(RaftLog.open(directory.disk)) as log:
        entry = Entry(2, ROWS + 4, EntryKind.COMMAND, b"i" * 12, encode_command(retain))
        log.append([Persist(1, None, (entry,))])
    code, out, err = mynode("dump", str(tmp_path), "--entries", "1")
    assert (code, err) == (0, "")
    assert "entry 154, term 2, command, session 00000000 #154 retains 5000 entries\n" in out


def test_what_is_no_data_directory_or_in_use_is_refused(tmp_path: Path, mynode: Mynode) -> None:
    for command in ("check", "dump"):
        assert mynode(command, str(tmp_path)) == (
            2,
            "",
            f"mynode: error: there is no data directory at {tmp_path} or in it\n",
        )
    with closing(DataDirectory.open(tmp_path, 1, "test")):
        code, _, err = mynode("check", str(tmp_path))
    assert (code, err) == (2, f"mynode: error: data directory {tmp_path} is in use by another process\n")


def test_a_node_without_a_checkpoint(tmp_path: Path, mynode: Mynode) -> None:
    DataDirectory.open(tmp_path, 1, "test").close()
    for command in ("check", "dump"):
        code, out, _ = mynode(command, str(tmp_path))
        assert code == 0
        assert "tree: no checkpoint yet" in out
