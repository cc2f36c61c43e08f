"""From a statement's text to what can run: long texts in a thread beside the loop, short ones at once."""

from __future__ import annotations

from typing import TypeVar

from mynode.mvcc.transaction import Transaction
from mynode.mvcc.view import ReadView
from mynode.session.api import Row
from mynode.session.effects import DoBeside
from mynode.session.steps import Steps
from mynode.sql.engine import ParsedStatement, PreparedStatement, SqlEngine, is_long
from mynode.sql.long_work import LongWork

T = TypeVar("T")


def parse_text(engine: SqlEngine, text: str) -> Steps[ParsedStatement]:
    return (yield from _made(engine.parsing(text)))


def resolve_call(engine: SqlEngine, execute: ParsedStatement, prepare: str) -> Steps[ParsedStatement]:
    """The statement that an EXECUTE runs; `prepare` is the text of its PREPARE."""
    return engine.called(execute, (yield from parse_text(engine, prepare)))


def prepare_statement(
    engine: SqlEngine, parsed: ParsedStatement, source: ReadView | Transaction, parameters: Row
) -> Steps[PreparedStatement]:
    """Raises what `SqlEngine.prepare` does."""
    return (yield from _made(engine.preparing(parsed, source, parameters)))


def check_prepared(engine: SqlEngine, parsed: ParsedStatement, source: ReadView | Transaction) -> Steps[None]:
    """Raises the `SqlError` of a PREPARE whose statement could not run now."""
    work = engine.checking(parsed, source)
    if is_long(parsed, engine.catalog(source)):
        yield DoBeside(work)
    else:
        work()
    work.finish()


def _made(made: T | LongWork[T]) -> Steps[T]:
    if isinstance(made, LongWork):
        yield DoBeside(made)
        return made.finish()
    return made
