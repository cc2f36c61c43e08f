"""Long texts and large transactions stop nobody else: the node's loop goes on meanwhile."""

from __future__ import annotations

from random import Random

import pytest
import trio

from mynode.actors.log_store import BesideLoop
from mynode.base.errors import MyNodeError, QueryCanceledError
from mynode.base.limits import LONG_STATEMENT_CHARS
from mynode.base.sql_errors import SqlSyntaxError, StatementTooComplexError
from mynode.client.client import open_client
from mynode.client.options import ClientOptions
from mynode.testing.in_process import InProcessCluster

ROWS = 20_000


async def test_a_long_statement_is_worked_on_beside_the_others() -> None:
    long_text = "INSERT INTO t VALUES " + ", ".join(f"({number}, {number % 7} + 1)" for number in range(ROWS))
    assert len(long_text) > 10 * LONG_STATEMENT_CHARS
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(1, seed=1, nursery=nursery, run_beside=BesideLoop())
        await cluster.start_all()
        await cluster.leader()
        async with open_client(cluster.transports(), ClientOptions(), random=Random(1)) as client:
            await client.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER)")
            answered = 0

            async def go_on() -> None:
                nonlocal answered
                while True:
                    await client.execute("SELECT x FROM t WHERE id = 1")
                    answered += 1

            async with trio.open_nursery() as others:
                others.start_soon(go_on)
                result = await client.execute(long_text)
                others.cancel_scope.cancel()
            assert result.rows_affected == ROWS
            assert answered > 20, "while the text is parsed alone, hundreds are"
            assert (await client.execute("SELECT count(*) FROM t")).rows == [(ROWS,)]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        (f"SELECT {'1, ' * LONG_STATEMENT_CHARS}", SqlSyntaxError),
        (f"SELECT {'random() * ' * LONG_STATEMENT_CHARS} 1", StatementTooComplexError),
        (f"SELECT {', '.join(['random() > 2'] * 30_000)} IN (1)", MyNodeError),
        (f"SELECT random() IN ({', '.join(['random() + 1'] * 30_000)})", StatementTooComplexError),
    ],
)
async def test_what_a_long_text_gets_wrong_is_told(sql: str, error: type[MyNodeError]) -> None:
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(1, seed=1, nursery=nursery, run_beside=BesideLoop())
        await cluster.start_all()
        await cluster.leader()
        async with open_client(cluster.transports(), ClientOptions(), random=Random(1)) as client:
            with pytest.raises(error):
                await client.execute(sql)
            assert (await client.execute("SELECT 1")).rows == [(1,)]
        nursery.cancel_scope.cancel()


async def test_a_long_statement_can_be_cancelled() -> None:
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(1, seed=1, nursery=nursery, run_beside=BesideLoop())
        await cluster.start_all()
        await cluster.leader()
        async with (
            open_client(cluster.transports(), ClientOptions(), random=Random(1)) as client,
            client.session() as session,
        ):
            await session.execute("SET statement_timeout = 20")
            with pytest.raises(QueryCanceledError):
                await session.execute(f"SELECT {' + '.join(['1'] * 100)} IN ({', '.join(['2'] * 100_000)})")
            await session.execute("RESET statement_timeout")
            long_text = f"SELECT '{'x' * LONG_STATEMENT_CHARS}' > ''"
            assert (await session.execute(long_text)).rows == [(True,)], "the next one has its turn after the abandoned"
            await session.execute(f"PREPARE p AS SELECT $1 + 1 WHERE '{'x' * LONG_STATEMENT_CHARS}' > ''")
            assert (await session.execute("EXECUTE p(2)")).rows == [(3,)]
        nursery.cancel_scope.cancel()
