"""What PEP 249 asks of the module, connections, cursors and exceptions."""

from __future__ import annotations

import inspect
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

import mynode
from mynode import dbapi
from mynode.base.errors import InvariantViolation
from mynode.client.client import Client, open_client
from mynode.client.options import ClientOptions
from mynode.dbapi.connection import Connection, open_connection
from mynode.session.api import StatementRequest
from mynode.testing.fake_nodes import FakeCluster

OPTIONS = ClientOptions(timeout=20)


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster(2)


@pytest.fixture
def connection(cluster: FakeCluster) -> Iterator[Connection]:
    with connect(cluster) as connection:
        yield connection


def connect(cluster: FakeCluster, *, autocommit: bool = True) -> Connection:
    return open_connection(lambda: open_client(cluster.nodes, OPTIONS), autocommit=autocommit)


# --- the module ------------------------------------------------------------------------------------------------------


def test_module_globals() -> None:
    for module in (dbapi, mynode):
        assert module.apilevel == "2.0"
        assert module.threadsafety == 2
        assert module.paramstyle == "qmark"
        assert callable(module.connect)
        assert module.Error is dbapi.Error


def test_importing_mynode_is_quick() -> None:
    code = "import sys, mynode; assert not {'trio', 'asyncio', 'grpclib', 'mynode.dbapi'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_exception_hierarchy() -> None:
    assert issubclass(dbapi.Warning, Exception)
    assert issubclass(dbapi.Error, Exception)
    assert issubclass(dbapi.InterfaceError, dbapi.Error)
    assert issubclass(dbapi.DatabaseError, dbapi.Error)
    for name in ("Data", "Operational", "Integrity", "Internal", "Programming", "NotSupported"):
        cls = getattr(dbapi, f"{name}Error")
        assert issubclass(cls, dbapi.DatabaseError)
        assert getattr(Connection, f"{name}Error") is cls


def test_type_objects() -> None:
    assert dbapi.NUMBER == "INTEGER"
    assert dbapi.NUMBER != "TEXT"
    assert dbapi.STRING == "TEXT"
    assert len({dbapi.NUMBER, dbapi.STRING, dbapi.BINARY, dbapi.DATETIME, dbapi.ROWID}) == 5
    assert dbapi.Binary(b"x") == b"x"


@pytest.mark.parametrize("method", ["close", "commit", "rollback", "cursor"])
def test_connection_has(method: str) -> None:
    assert inspect.isfunction(getattr(Connection, method))


# --- cursors ---------------------------------------------------------------------------------------------------------


def test_a_new_cursor_has_no_result(connection: Connection) -> None:
    cursor = connection.cursor()
    assert (cursor.description, cursor.rowcount, cursor.arraysize) == (None, -1, 1)
    assert cursor.connection is connection
    with pytest.raises(dbapi.ProgrammingError):
        cursor.fetchone()


def test_select_describes_its_columns_and_returns_rows(connection: Connection) -> None:
    cursor = connection.cursor()
    assert cursor.execute("SELECT 5") is cursor
    assert cursor.description == (("n", "INTEGER", None, None, None, None, None),)
    assert cursor.description[0][1] == dbapi.NUMBER
    assert cursor.rowcount == 5
    assert cursor.fetchone() == (1,)
    assert cursor.fetchmany() == [(2,)]
    assert cursor.fetchmany(2) == [(3,), (4,)]
    assert cursor.fetchall() == [(5,)]
    assert cursor.fetchone() is None
    assert cursor.fetchmany(3) == cursor.fetchall() == []


def test_arraysize_and_iteration(connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.arraysize = 3
        cursor.execute("SELECT 5")
        assert len(cursor.fetchmany()) == 3
        assert list(cursor) == [(4,), (5,)]
        cursor.execute("SELECT 0")
        assert cursor.description is not None
        assert cursor.fetchall() == []
    with pytest.raises(dbapi.InterfaceError):
        cursor.execute("SELECT 1")


def test_changes_count_rows_and_return_none(connection: Connection, cluster: FakeCluster) -> None:
    cursor = connection.cursor()
    cursor.execute("SELECT 1")
    cursor.execute("INSERT ?", (1,))
    assert (cursor.rowcount, cursor.description) == (1, None)
    with pytest.raises(dbapi.ProgrammingError):
        cursor.fetchall()
    assert cluster.nodes[0].requests[-1].parameters == (1,)


def test_executemany_sums(connection: Connection, cluster: FakeCluster) -> None:
    cursor = connection.cursor()
    cursor.executemany("INSERT ?", ((n,) for n in range(4)))
    assert cursor.rowcount == len(cluster.applied) == 4
    cursor.executemany("INSERT ?", [])
    assert cursor.rowcount == 0
    with pytest.raises(dbapi.ProgrammingError):
        cursor.executemany("SELECT 1", [()])


def test_input_sizes_do_nothing(connection: Connection) -> None:
    cursor = connection.cursor()
    cursor.setinputsizes([10])
    cursor.setoutputsize(10)
    cursor.setoutputsize(10, 0)


@pytest.mark.parametrize("parameters", ["a", b"a", {"a": 1}, 5])
def test_parameters_are_a_sequence(connection: Connection, parameters: Any) -> None:
    with pytest.raises(dbapi.ProgrammingError, match="sequence"):
        connection.cursor().execute("INSERT ?", parameters)


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sqlstate", "expected"),
    [
        ("23505", dbapi.IntegrityError),
        ("22012", dbapi.DataError),
        ("07001", dbapi.ProgrammingError),
        ("42P01", dbapi.ProgrammingError),
        ("57014", dbapi.OperationalError),
        ("0A000", dbapi.NotSupportedError),
        ("XX000", dbapi.InternalError),
        ("54000", dbapi.OperationalError),
        ("2201W", dbapi.DataError),
        ("99999", dbapi.DatabaseError),
    ],
)
def test_sqlstate_chooses_the_exception(connection: Connection, sqlstate: str, expected: type[dbapi.Error]) -> None:
    with pytest.raises(dbapi.Error) as caught:
        connection.cursor().execute(f"FAIL {sqlstate}")
    assert type(caught.value) is expected
    assert caught.value.sqlstate == sqlstate
    assert caught.value.hint == "a hint"


def test_an_error_has_its_position(connection: Connection) -> None:
    with pytest.raises(connection.ProgrammingError) as caught:
        connection.cursor().execute("nonsense")
    assert (caught.value.sqlstate, caught.value.position) == ("42601", 1)


def test_a_bad_parameter(connection: Connection) -> None:
    with pytest.raises(dbapi.ProgrammingError, match="parameter 1 is a object"):
        connection.cursor().execute("INSERT ?", (object(),))
    with pytest.raises(dbapi.DataError):
        connection.cursor().execute("INSERT ?", (2**63,))


def test_no_node_is_an_operational_error(cluster: FakeCluster) -> None:
    for node in cluster.nodes:
        node.stop()
    with pytest.raises(dbapi.OperationalError, match="no node can be reached") as caught:
        connect(cluster)
    assert caught.value.sqlstate == "08001"


def test_a_mistake_of_ours_is_an_internal_error_with_its_cause() -> None:
    def make_client() -> AbstractAsyncContextManager[Client]:
        raise ZeroDivisionError("a mistake")

    with pytest.raises(dbapi.InternalError, match="a mistake") as caught:
        open_connection(make_client)
    assert isinstance(caught.value.__cause__, InvariantViolation)
    assert isinstance(caught.value.__cause__.__cause__, ZeroDivisionError)


# --- connections -----------------------------------------------------------------------------------------------------


def test_a_closed_connection_refuses_everything(cluster: FakeCluster) -> None:
    connection = connect(cluster)
    cursor = connection.cursor()
    connection.close()
    connection.close()
    for use in (connection.cursor, connection.commit, connection.rollback, connection.__enter__):
        with pytest.raises(dbapi.InterfaceError):
            use()
    with pytest.raises(dbapi.InterfaceError):
        cursor.execute("SELECT 1")
    assert all(node.open_streams == 0 for node in cluster.nodes)


def test_the_block_closes_also_after_an_error(cluster: FakeCluster) -> None:
    with pytest.raises(ValueError), connect(cluster) as connection:  # noqa: PT012
        connection.cursor().execute("SELECT 1")
        raise ValueError
    with pytest.raises(dbapi.InterfaceError):
        connection.commit()


def test_statements_of_a_connection_are_one_session(connection: Connection, cluster: FakeCluster) -> None:
    for _ in range(3):
        connection.cursor().execute("INSERT 1")
    requests = cluster.nodes[0].requests
    assert len({request.session_id for request in requests}) == 1
    assert [request.sequence for request in requests] == [1, 2, 3]


def test_a_node_that_dies_is_left(connection: Connection, cluster: FakeCluster) -> None:
    connection.cursor().execute("INSERT 1")
    cluster.nodes[0].faults.append("drop after")
    connection.cursor().execute("INSERT 2")
    assert cluster.applied == ["INSERT 1", "INSERT 2"]
    assert len(cluster.nodes[1].requests) == 1


# --- threads and the end ---------------------------------------------------------------------------------------------


def test_threads_share_a_connection(connection: Connection, cluster: FakeCluster) -> None:
    def write(first: int) -> None:
        cursor = connection.cursor()
        for number in range(first, first + 25):
            cursor.execute(f"INSERT {number}")
            assert cursor.rowcount == 1

    threads = [threading.Thread(target=write, args=(25 * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(cluster.applied) == sorted(f"INSERT {number}" for number in range(200))


def test_closing_from_another_thread_answers_the_call_that_waits(cluster: FakeCluster) -> None:
    connection = connect(cluster)
    cluster.nodes[0].faults.append("ignore")
    closers: list[threading.Thread] = []

    def close_soon(_: StatementRequest) -> None:
        closers.append(threading.Thread(target=connection.close))
        closers[0].start()

    cluster.on_statement = close_soon
    with pytest.raises(dbapi.InterfaceError, match="closed"):
        connection.cursor().execute("INSERT 1")
    closers[0].join()


@pytest.fixture
def heeded_sigint() -> Iterator[None]:
    """SIGINT as Python has it. A process that a shell started in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded_sigint")
def test_ctrl_c_cancels_the_statement_and_leaves_the_connection_usable(
    connection: Connection, cluster: FakeCluster
) -> None:
    cluster.nodes[0].faults.append("ignore")
    main = threading.main_thread().ident
    assert main is not None
    cluster.on_statement = lambda _: signal.pthread_kill(main, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        connection.cursor().execute("INSERT 1")
    cluster.on_statement = lambda _: None
    connection.cursor().execute("INSERT 2")
    assert cluster.nodes[0].cancels == [(cluster.nodes[0].requests[0].session_id, 1)]
    assert cluster.applied == ["INSERT 2"]


def test_a_forgotten_connection_ends_its_thread(cluster: FakeCluster) -> None:
    connection = connect(cluster)
    threads = [thread for thread in threading.enumerate() if thread.name == "mynode-client"]
    assert threads
    del connection
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.parametrize(("ending", "code"), [("", 0), ("raise SystemExit(3)", 3), ("raise ValueError", 1)])
def test_an_open_connection_does_not_hold_up_the_interpreter(ending: str, code: int) -> None:
    program = f"""
from mynode.base.errors import InvariantViolation
from mynode.client.client import Client, open_client
from mynode.dbapi.connection import open_connection
from mynode.testing.fake_nodes import FakeCluster
connection = open_connection(lambda: open_client(FakeCluster(1).nodes), autocommit=True)
connection.cursor().execute("SELECT 1")
{ending}
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=20, check=False, text=True)
    assert ended.returncode == code, ended.stderr
    assert ("Traceback" in ended.stderr) == ("ValueError" in ending)
