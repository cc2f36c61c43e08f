"""`connect` and `Connection` of PEP 249."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import ClassVar

from mynode.base.limits import DEFAULT_STATEMENT_TIMEOUT_S
from mynode.client.background import BackgroundSession
from mynode.client.client import Client
from mynode.client.result import Result
from mynode.dbapi import errors
from mynode.dbapi.cursor import Cursor
from mynode.session.api import TransactionStatus


def connect(target: str, *, timeout: float = DEFAULT_STATEMENT_TIMEOUT_S, autocommit: bool = False) -> Connection:
    """Connect to a cluster, or open a node inside this process.

    Args:
        target: `host:port,host:port` of the nodes, or `file:DIR` for a node of its own with its data in DIR.
        timeout: seconds for a statement, with all attempts on all nodes.
        autocommit: see `Connection.autocommit`.

    Raises:
        OperationalError: no node can be reached, or DIR cannot be used.
    """
    from mynode import trio as mynode_trio  # brings in gRPC: only who connects pays for it

    return open_connection(lambda: mynode_trio.connect(target, timeout=timeout), autocommit=autocommit)


def open_connection(
    make_client: Callable[[], AbstractAsyncContextManager[Client]], *, autocommit: bool = False
) -> Connection:
    """A connection over the client that `make_client` opens, in the connection's own thread."""
    with errors.translated_errors():
        return Connection(BackgroundSession(make_client), autocommit=autocommit)


class Connection:
    """One SQL session. Threads may share it (`threadsafety` 2): their statements run one after the other, and in one
    transaction.

    As a context manager it closes at the end, after `commit`, or `rollback` if the block raised.

    The exceptions are attributes, too (`connection.IntegrityError`), as PEP 249 suggests.
    """

    Warning: ClassVar = errors.Warning
    Error: ClassVar = errors.Error
    InterfaceError: ClassVar = errors.InterfaceError
    DatabaseError: ClassVar = errors.DatabaseError
    DataError: ClassVar = errors.DataError
    OperationalError: ClassVar = errors.OperationalError
    IntegrityError: ClassVar = errors.IntegrityError
    InternalError: ClassVar = errors.InternalError
    ProgrammingError: ClassVar = errors.ProgrammingError
    NotSupportedError: ClassVar = errors.NotSupportedError

    def __init__(self, session: BackgroundSession, *, autocommit: bool) -> None:
        self._session = session
        self._autocommit = autocommit
        self._is_closed = False
        self._stop_if_forgotten = weakref.finalize(self, session.stop)
        self._stop_if_forgotten.atexit = False

    @property
    def autocommit(self) -> bool:
        """True: each statement commits by itself. False, at first: the first statement begins a transaction, which
        `commit` or `rollback` ends. It can be set while no transaction is open."""
        return self._autocommit

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        self.check_open()
        if self.in_transaction:
            raise errors.ProgrammingError(
                "autocommit cannot be set inside a transaction", sqlstate="25001", hint="Commit or roll back first."
            )
        self._autocommit = bool(value)

    @property
    def in_transaction(self) -> bool:
        """A transaction is open, or has failed and waits for `rollback`."""
        return self._session.transaction_status is not TransactionStatus.IDLE

    def cursor(self) -> Cursor:
        """A new cursor."""
        self.check_open()
        return Cursor(self)

    def commit(self) -> None:
        """Commit the transaction, if one is open.

        Raises:
            OperationalError: with `sqlstate` 40001 it is rolled back, and may succeed when all of it is run again;
                with 40003 nobody knows.
            ProgrammingError: a statement of it had failed, so it is rolled back.
        """
        self.check_open()
        with errors.translated_errors():
            self._session.commit()

    def rollback(self) -> None:
        """Roll the transaction back, if one is open."""
        self.check_open()
        with errors.translated_errors():
            self._session.rollback()

    def close(self) -> None:
        """End the session, and the node if it is inside the process. An open transaction is rolled back.

        Closing twice is fine.
        """
        self._is_closed = True
        self._stop_if_forgotten.detach()
        self._session.close()

    def __enter__(self) -> Connection:
        self.check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_closed:
            return
        try:
            if error is None:
                self.commit()
            else:
                self.rollback()
        finally:
            self.close()

    def run(self, sql: str, parameters: Sequence[object]) -> Result:
        """One statement's whole result; what `Cursor.execute` stands on."""
        self.check_open()
        with errors.translated_errors():
            return self._session.execute(sql, parameters, begins=not self._autocommit)

    def check_open(self) -> None:
        """Raises `InterfaceError` when the connection is closed."""
        if self._is_closed:
            raise errors.InterfaceError("the connection is closed", sqlstate="08003")
