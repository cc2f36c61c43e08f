"""CREATE TABLE and DROP TABLE: changes of catalog records in the transaction."""

from __future__ import annotations

from mynode.base.errors import DuplicateTableError
from mynode.relation.catalog import create_table as create_in_catalog
from mynode.relation.catalog import drop_table as drop_from_catalog
from mynode.relation.catalog import table_exists
from mynode.sql import plan
from mynode.sql.executor.context import Execute, Execution, ExecutionContext
from mynode.sql.result import Completion


def create_table(node: plan.CreateTable) -> Execute:
    """The execution raises `DuplicateTableError`."""

    def run(context: ExecutionContext) -> Execution:
        yield from ()
        try:
            create_in_catalog(context.transaction, node.table)
        except DuplicateTableError:
            if not node.if_not_exists:
                raise
        return Completion("CREATE TABLE", -1)

    return run


def drop_tables(node: plan.DropTable) -> Execute:
    def run(context: ExecutionContext) -> Execution:
        yield from ()
        for table in node.tables:
            drop_from_catalog(context.transaction, table)
        for name in node.missing:
            table_exists(context.transaction, name)  # the answer rests on it, so it belongs in the read set
        return Completion("DROP TABLE", -1)

    return run
