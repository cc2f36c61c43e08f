"""The shell without its input: runs statements and commands, one at a time, and shows what they return."""

from __future__ import annotations

from typing import Final

import trio
from trio_util import wait_any

from mynode.base.errors import ConnectionFailedError, MyNodeError, OutcomeUnknownError, QueryCanceledError
from mynode.client.client import Client
from mynode.client.result import Result
from mynode.shell.commands import run_command
from mynode.shell.printer import Printer
from mynode.sql.tokens import split_statements

CANCEL_TIMEOUT_S: Final = 2.0
"""How long the shell waits for what a cancelled statement came to."""


class Shell:
    """One SQL session and how it is shown.

    Attributes:
        is_done: nothing more is run: `\\q` was read, or the script interrupted.
        shows_timing: say after each statement how long it took.
        failure: the last error shown, or None.
        last_tag: the last statement's command tag.
    """

    def __init__(self, client: Client, printer: Printer) -> None:
        self.client = client
        self.session = client.session()
        self.printer = printer
        self.is_done = False
        self.shows_timing = False
        self.failure: MyNodeError | None = None
        self.last_tag = ""
        self._running: trio.CancelScope | None = None
        self._is_cancelling = False
        self._has_contact = False

    def cancel(self) -> bool:
        """Have the statement that runs stopped; asked again, wait no longer for what its node says.

        Returns False if none runs and none is being shown.
        """
        if self._running is None:
            return False
        if not self._is_cancelling and self.session.cancel():
            self._is_cancelling = True
            self._running.deadline = trio.current_time() + CANCEL_TIMEOUT_S
        else:
            self._running.cancel()
        return True

    async def run(self, text: str, *, keeps_going: bool = False) -> bool:
        """Run a command, or the statements in `text`; whether all went well. The first failure ends it, unless told."""
        if text.lstrip().startswith("\\"):
            return await self._guarded(text, command=True)
        went_well = True
        for sql in split_statements(text):
            went_well &= await self._guarded(sql, command=False)
            if self.is_done or not (went_well or keeps_going):
                break
        return went_well

    async def _guarded(self, text: str, *, command: bool) -> bool:
        """Run one command or statement and show its result or its error."""
        started = trio.current_time()
        self._is_cancelling = False
        with trio.CancelScope() as scope:
            self._running = scope
            try:
                if command:
                    await run_command(self, text)
                else:
                    result = await self._execute(text)
                    self.last_tag = result.tag
                    await self.printer.result(result)
            except MyNodeError as error:
                return self._failed(error, "" if command else text)
            finally:
                self._running = None
            if self.shows_timing and not command:
                self.printer.note(f"Time: {1000 * (trio.current_time() - started):.3f} ms")
            return True
        if self._is_cancelling:
            return self._failed(
                OutcomeUnknownError("the node was told to stop; the statement may have been executed"), ""
            )
        return self._failed(QueryCanceledError("canceling statement due to user request"), "")

    def _failed(self, error: MyNodeError, sql: str) -> bool:
        self.failure = error
        self.printer.error(error, sql)
        return False

    async def _execute(self, sql: str) -> Result:
        """Run one statement. Until a first answer came, find out beside it whether any node is there at all.

        The client patiently tries all nodes until the statement's deadline, which is right for a cluster that just
        lost a node and wrong for an address that was mistyped.
        """
        if self._has_contact:
            return await self.session.execute(sql)
        outcomes: list[Result | MyNodeError] = []

        async def run() -> None:
            try:
                outcomes.append(await self.session.execute(sql))
            except MyNodeError as error:
                outcomes.append(error)

        async def look_for_nodes() -> None:
            try:
                await self.require_contact()
            except ConnectionFailedError as error:
                outcomes.append(error)
            else:
                await trio.sleep_forever()

        await wait_any(run, look_for_nodes)
        if isinstance(outcomes[0], MyNodeError):
            raise outcomes[0]
        self._has_contact = True
        return outcomes[0]

    async def require_contact(self) -> int:
        """Ask every node for its status; how many answer. Raises `ConnectionFailedError` if none does."""
        reports = await self.client.status()
        answering = sum(report.status is not None for report in reports)
        if not answering:
            raise ConnectionFailedError(f"no node answers at {', '.join(report.address for report in reports)}")
        self._has_contact = True
        return answering
