"""The statements about the session's state: PREPARE, DEALLOCATE, SET, RESET, SHOW, and ALTER SYSTEM."""

from __future__ import annotations

from typing import assert_never

from mynode.base.errors import InvariantViolation
from mynode.base.sql_errors import ActiveTransactionError
from mynode.session.api import Completion, StatementRequest
from mynode.session.autocommit import Autocommit
from mynode.session.preparation import check_prepared
from mynode.session.runner import Runner
from mynode.session.settings import Settings, shown, shows_system
from mynode.session.steps import Steps, WriteResult
from mynode.session.system_settings import system_settings
from mynode.sql import ast
from mynode.sql.engine import ParsedStatement, SqlEngine


class StateControl:
    """What SET changes is undone with the transaction; what PREPARE prepares stays."""

    __slots__ = ("_autocommit", "_engine", "_runner", "_standing")

    def __init__(self, runner: Runner, autocommit: Autocommit, engine: SqlEngine) -> None:
        self._runner = runner
        self._autocommit = autocommit
        self._engine = engine
        self._standing = runner.standing

    def run(self, request: StatementRequest, parsed: ParsedStatement, control: ast.SessionControl) -> Steps[None]:
        self._standing.check_usable()
        match control:
            case ast.Prepare(name=name):
                state = self._standing.state.with_prepared(name, parsed.text)
                source = yield from self._runner.source()
                yield from check_prepared(self._engine, parsed, source)
                self._standing.state = state
                yield self._runner.done(request, WriteResult(Completion("PREPARE", -1)), request.floor)
            case ast.Execute():
                raise InvariantViolation("EXECUTE was resolved to its statement")
            case ast.Deallocate(name=name):
                self._standing.state = self._standing.state.without_prepared(name)
                tag = "DEALLOCATE ALL" if name is None else "DEALLOCATE"
                yield self._runner.done(request, WriteResult(Completion(tag, -1)), request.floor)
            case ast.SetVariable():
                self._set(control)
                yield self._runner.done(
                    request, WriteResult(Completion("RESET" if control.values is None else "SET", -1)), request.floor
                )
            case ast.AlterSystem():
                if self._standing.block is not None:
                    raise ActiveTransactionError("ALTER SYSTEM cannot run inside a transaction block")
                yield from self._autocommit.write(request, parsed)
            case ast.Show():
                is_read_only = self._standing.block is not None and self._standing.block.is_read_only
                system = system_settings((yield from self._runner.source())) if shows_system(control) else {}
                columns, rows = shown(control, self._standing.state.settings, system, is_read_only=is_read_only)
                yield self._runner.done(
                    request, WriteResult(Completion("SHOW", len(rows)), columns, rows), request.floor
                )
            case _:
                assert_never(control)

    def _set(self, control: ast.SetVariable) -> None:
        if control.local:
            self._standing.block_for("SET LOCAL")
        if control.name is None:
            self._standing.use(Settings())
        else:
            settings = self._standing.state.settings
            self._standing.use(
                settings.set(control.name, control.values, local=control.local, position=control.position)
            )
