"""CREATE and DROP of tables, indexes and views: changes of catalog records in the transaction."""

from __future__ import annotations

from mynode.base.sql_errors import DuplicateTableError
from mynode.relation.catalog import create_table as create_in_catalog
from mynode.relation.catalog import current_table, drop_view, link, put_table, put_view, read_catalog, table_exists
from mynode.relation.catalog import drop_table as drop_from_catalog
from mynode.relation.index_build import create_index as build_index
from mynode.relation.index_build import drop_index
from mynode.relation.rows import TableRows
from mynode.sql import plan
from mynode.sql.executor.changes import microseconds
from mynode.sql.executor.context import Batches, Execute, Execution, ExecutionContext
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


def create_table_as(node: plan.CreateTableAs, source: Batches) -> Execute:
    """The execution raises `DuplicateTableError`, and what the source does."""

    def run(context: ExecutionContext) -> Execution:
        transaction = context.transaction
        try:
            table = create_in_catalog(transaction, node.table)
        except DuplicateTableError:
            if not node.if_not_exists:
                raise
            return Completion("CREATE TABLE AS", -1)
        if not node.with_data:
            return Completion("CREATE TABLE AS", -1)
        rows = TableRows(table)
        row_id = rows.row_ids(transaction, microseconds(context.now))
        count = 0
        for batch in source(context):
            for row in batch:
                rows.insert_at(transaction, row_id(count), row)
                count += 1
            yield []
        return Completion(f"SELECT {count}", count)

    return run


def drop_tables(node: plan.DropTable) -> Execute:
    def run(context: ExecutionContext) -> Execution:
        yield from ()
        for view in node.views:
            drop_view(context.transaction, view)
        for table in node.tables:
            drop_from_catalog(context.transaction, table)
        for name in node.missing:
            table_exists(context.transaction, name)  # the answer rests on it, so it belongs in the read set
        return Completion("DROP TABLE", -1)

    return run


def create_index(node: plan.CreateIndex) -> Execute:
    """The execution raises `UniqueViolationError` or, for a table with many rows, `IndexTooBigError`."""

    def run(context: ExecutionContext) -> Execution:
        read_catalog(context.transaction)
        if node.draft is not None:
            for _ in build_index(context.transaction, node.table, node.draft):
                yield []
        return Completion("CREATE INDEX", -1)

    return run


def drop_indexes(node: plan.DropIndex) -> Execute:
    def run(context: ExecutionContext) -> Execution:
        yield from ()
        read_catalog(context.transaction)
        for altered in node.tables:
            put_table(context.transaction, altered)
        for table_name, index_id in node.indexes:
            table = current_table(context.transaction, table_name)
            for index in table.indexes if table is not None else ():
                if table is not None and index.id == index_id:
                    drop_index(context.transaction, table, index)
        if node.tables:
            for table_name in sorted({table_name for table_name, _ in node.indexes}):
                link(context.transaction, table_name)
        return Completion("DROP INDEX", -1)

    return run


def create_view(node: plan.CreateView) -> Execute:
    """The execution raises `DuplicateTableError`."""

    def run(context: ExecutionContext) -> Execution:
        yield from ()
        put_view(context.transaction, node.view, node.replaced)
        return Completion("CREATE VIEW", -1)

    return run


def drop_views(node: plan.DropView) -> Execute:
    def run(context: ExecutionContext) -> Execution:
        yield from ()
        for view in node.views:
            drop_view(context.transaction, view)
        for name in node.missing:
            table_exists(context.transaction, name)
        return Completion("DROP VIEW", -1)

    return run
