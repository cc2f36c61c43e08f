"""The SQL engine of a node: from text to prepared statements, with caches of syntax trees, catalogs and plans."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeAlias, TypeVar

from mynode.base.errors import InvariantViolation
from mynode.base.invariant import invariant
from mynode.base.limits import PLAN_CACHE_ENTRIES
from mynode.base.sql_errors import AmbiguousFunctionError, SqlError, StatementTooComplexError
from mynode.mvcc.keyspace import CATALOG
from mynode.mvcc.transaction import Transaction
from mynode.mvcc.view import ReadView
from mynode.relation.catalog import Catalog, CatalogVersion, changes_catalog
from mynode.relation.catalog_codec import encode_view
from mynode.relation.counters import NumberPool
from mynode.relation.keys import ABOVE, CATALOG_END, row_prefix, table_record_key
from mynode.relation.rows import TableRows
from mynode.relation.schema import Table
from mynode.sql import ast, plan
from mynode.sql.ast import SessionControl, TransactionControl
from mynode.sql.executor.build import Builder
from mynode.sql.executor.context import Execute, Execution
from mynode.sql.executor.context import ExecutionContext as ExecutionContext
from mynode.sql.expressions import PlanColumn
from mynode.sql.names import TableNames
from mynode.sql.optimizer.count_tables import CountRows
from mynode.sql.optimizer.optimizer import optimize
from mynode.sql.optimizer.rewriting import Rule
from mynode.sql.parameters import (
    Convert,
    ParameterTypes,
    ValueTypes,
    check_count,
    converter,
    known_value_types,
    types_by_value,
)
from mynode.sql.parser import parse
from mynode.sql.planner import Planner
from mynode.sql.prepared import called_with, declared_types
from mynode.sql.result import ColumnInfo
from mynode.storage.tree import Tree
from mynode.values.types import Row, SqlType, python_types

Key = TypeVar("Key")
Entry = TypeVar("Entry")
DeclaredTypes: TypeAlias = dict[int, SqlType]
_Magnitude: TypeAlias = int
_PreparedKey: TypeAlias = tuple[str, CatalogVersion, _Magnitude, ValueTypes]
_PlannedKey: TypeAlias = tuple[str, CatalogVersion, _Magnitude, tuple[tuple[int, SqlType], ...]]

_READ_ONLY: Final = (ast.Query, ast.Explain, ast.ShowTables, ast.ShowColumns, ast.ShowIndexes)


@dataclass(frozen=True, slots=True)
class ParsedStatement:
    """A statement's text and syntax tree.

    Attributes:
        control: the tree, if the statement is about transactions or the session and has no plan.
        call: the EXECUTE that runs this statement, whose parameters it gives; `text` then tells the two apart from all
            others.
    """

    text: str
    ast: ast.Statement
    is_read_only: bool
    control: TransactionControl | SessionControl | None
    call: ParsedCall | None = None


@dataclass(frozen=True, slots=True)
class ParsedCall:
    execute: ast.Execute
    prepare: ast.Prepare
    prepared: ParsedStatement


@dataclass(frozen=True, slots=True)
class _Planned:
    """A plan made ready to run, with the types its parameters have in it.

    Attributes:
        views: the keys and catalog records of the views that it uses.
    """

    columns: tuple[ColumnInfo, ...]
    parameter_types: tuple[SqlType, ...]
    tables: tuple[TableRows, ...]
    views: tuple[tuple[bytes, bytes], ...]
    execute: Execute


class PreparedStatement:
    """A statement that is ready to run any number of times, while the catalog stays as it is.

    Attributes:
        columns: of the rows that it returns; empty for statements that return none.
    """

    __slots__ = ("_convert", "_execute", "_tables", "_views", "columns", "is_read_only")

    def __init__(self, planned: _Planned, convert: Convert | None, *, is_read_only: bool) -> None:
        self.columns = planned.columns
        self.is_read_only = is_read_only
        self._execute = planned.execute
        self._tables = planned.tables
        self._views = planned.views
        self._convert = convert

    def run(self, context: ExecutionContext) -> Execution:
        """Starts an execution. The execution, or this call, raises the `SqlError`s of values and data.

        After an error the transaction can hold some of the statement's writes: drop it.
        """
        transaction = context.transaction
        if transaction.record_reads:
            for rows in self._tables:
                invariant(rows.is_current(transaction), f'"{rows.table.name}" is not what the plan was made for')
            for key, record in self._views:
                invariant(transaction.get(key) == record, "a view is not what the plan was made for")
        if self._convert is not None:
            context.parameters = self._convert(context.parameters)
        return self._execute(context)


class SqlEngine:
    """One a node. Not for several threads at once.

    Statements that differ only in the values of their parameters share a syntax tree and, as long as the catalog stays
    as it is, the database does not grow or shrink by half, and the values are of the same Python types, a plan.

    Args:
        counts_rows: plans rest on how many rows the tables have.
        without_rule: of the optimizer, left out to see what it does.

    Attributes:
        numbers: what the node has drawn for columns that count by themselves.
    """

    def __init__(
        self,
        plan_cache_entries: int = PLAN_CACHE_ENTRIES,
        *,
        counts_rows: bool = True,
        without_rule: Rule | None = None,
    ) -> None:
        self._counts_rows = counts_rows
        self._without_rule = without_rule
        self._parsed: _Cache[str, ParsedStatement] = _Cache(plan_cache_entries)
        self._prepared: _Cache[_PreparedKey, PreparedStatement] = _Cache(plan_cache_entries)
        self._planned: _Cache[_PlannedKey, _Planned] = _Cache(plan_cache_entries)
        self._catalog = Catalog(0, {})
        self.numbers = NumberPool()

    def parse(self, text: str) -> ParsedStatement:
        """The syntax tree of one statement. Raises `SqlSyntaxError`, with position, and the errors of limits."""
        found = self._parsed.get(text)
        if found is None:
            tree = parse(text)
            control = tree if isinstance(tree, TransactionControl | SessionControl) else None
            found = ParsedStatement(text, tree, _is_read_only(tree), control)
            self._parsed.put(text, found)
        return found

    def called(self, call: ParsedStatement, prepare: str) -> ParsedStatement:
        """The statement that an EXECUTE runs: that of `prepare`, a PREPARE's text."""
        tree = self.parse(prepare).ast
        if not isinstance(tree, ast.Prepare) or not isinstance(call.ast, ast.Execute):
            raise InvariantViolation("EXECUTE runs what PREPARE has prepared")
        is_read_only = isinstance(tree.statement, _READ_ONLY)
        prepared = ParsedStatement(prepare, tree.statement, is_read_only, None)
        text = f"{prepare}\0{call.text}"
        return ParsedStatement(text, tree.statement, is_read_only, None, ParsedCall(call.ast, tree, prepared))

    def parse_again(self, text: str) -> ParsedStatement:
        """The statement of which this is the `ParsedStatement.text`, on whichever node it came by it."""
        first, is_call, call = text.partition("\0")
        return self.called(self.parse(call), first) if is_call else self.parse(text)

    def check_prepared(self, parsed: ParsedStatement, source: ReadView | Transaction) -> None:
        """Raises the `SqlError` of a PREPARE whose statement could not run now."""
        if not isinstance(parsed.ast, ast.Prepare):
            raise InvariantViolation("only PREPARE prepares")
        prepared = ParsedStatement(parsed.text, parsed.ast.statement, is_read_only=False, control=None)
        tree = source.tree if isinstance(source, ReadView) else source.view.tree
        try:
            self._plan(prepared, self.catalog(source), tree, declared_types(parsed.ast))
        except SqlError:
            if isinstance(source, Transaction):
                source.reads.add_range(CATALOG, CATALOG_END)
            raise

    def catalog(self, source: ReadView | Transaction) -> Catalog:
        """The catalog as `source` sees it."""
        if isinstance(source, Transaction):
            if changes_catalog(source):
                return Catalog.load(source)
            source = source.view
        if self._may_differ(source) and source.newest_in(CATALOG, CATALOG_END) != self._catalog.version:
            self._catalog = Catalog.load(source)
        return self._catalog

    def _may_differ(self, view: ReadView) -> bool:
        """Whether the view may hold another catalog than the last one: a quick look that mostly settles it."""
        version = self._catalog.version
        return view.version < version or view.newest_exceeds(CATALOG, CATALOG_END, version)

    def prepare(
        self, parsed: ParsedStatement, source: ReadView | Transaction, parameters: Row = ()
    ) -> PreparedStatement:
        """The statement made ready to run on `source`, with parameters of these values' types.

        Raises the `SqlError` of what it gets wrong. Such an error rests on the whole catalog, so it then enters the
        read set of a transaction; the success of a statement rests on the tables it uses, which enter when it runs.
        """
        catalog = self.catalog(source)
        value_types = python_types(parameters)
        tree = source.tree if isinstance(source, ReadView) else source.view.tree
        key = (parsed.text, catalog.version, tree.count.bit_length(), value_types)
        found = self._prepared.get(key)
        if found is None:
            try:
                found = self._prepare(parsed, catalog, tree, value_types)
            except SqlError:
                if isinstance(source, Transaction):
                    source.reads.add_range(CATALOG, CATALOG_END)
                raise
            self._prepared.put(key, found)
        return found

    def _prepare(
        self, parsed: ParsedStatement, catalog: Catalog, tree: Tree, value_types: ValueTypes
    ) -> PreparedStatement:
        """Types of parameters come from their places in the text first, from their values where these do not fit."""
        if parsed.call is not None:
            return self._prepare_call(parsed.call, catalog, tree, value_types)
        try:
            planned = self._plan(parsed, catalog, tree, {})
            check_count(len(planned.parameter_types), len(value_types))
            declared = types_by_value(planned.parameter_types, value_types)
        except AmbiguousFunctionError:
            declared = known_value_types(value_types)
            if not declared:
                raise
        if declared:
            planned = self._plan(parsed, catalog, tree, declared)
            check_count(len(planned.parameter_types), len(value_types))
        convert = converter(planned.parameter_types, value_types)
        return PreparedStatement(planned, convert, is_read_only=parsed.is_read_only)

    def _prepare_call(
        self, call: ParsedCall, catalog: Catalog, tree: Tree, value_types: ValueTypes
    ) -> PreparedStatement:
        declared = declared_types(call.prepare)
        try:
            planned = self._plan(call.prepared, catalog, tree, declared)
        except SqlError as error:
            error.position = None  # It is one in the text of PREPARE.
            raise
        arguments = called_with(call.execute, _parameter_types(planned, declared), value_types)

        def execute(context: ExecutionContext) -> Execution:
            context.parameters = arguments(context)
            return planned.execute(context)

        return PreparedStatement(replace(planned, execute=execute), None, is_read_only=call.prepared.is_read_only)

    def _plan(self, parsed: ParsedStatement, catalog: Catalog, tree: Tree, declared: DeclaredTypes) -> _Planned:
        key = (parsed.text, catalog.version, tree.count.bit_length(), tuple(declared.items()))
        found = self._planned.get(key)
        if found is None:
            try:
                found = self._plan_anew(parsed.ast, catalog, tree, declared)
            except RecursionError:
                raise StatementTooComplexError("the statement is nested too deeply") from None
            self._planned.put(key, found)
        return found

    def _plan_anew(self, statement: ast.Statement, catalog: Catalog, tree: Tree, declared: DeclaredTypes) -> _Planned:
        parameters = ParameterTypes(declared)
        tables = TableNames(catalog)
        count_rows = _row_counter(tree) if self._counts_rows else None
        node = optimize(Planner(tables, parameters).statement(statement), count_rows, self._without_rule)
        builder = Builder(tables.used.values())
        execute = builder.statement(node)
        views = tuple((table_record_key(view.name), encode_view(view)) for view in tables.used_views.values())
        return _Planned(_result_columns(node), parameters.types(), tuple(builder.tables.values()), views, execute)


def _parameter_types(planned: _Planned, declared: DeclaredTypes) -> list[SqlType]:
    """Of all parameters, those that are declared and not used too."""
    used = planned.parameter_types
    return [*used, *(declared[number] for number in range(len(used) + 1, len(declared) + 1))]


def _row_counter(tree: Tree) -> CountRows:
    def count_rows(table: Table) -> float:
        low = row_prefix(table.id)
        return tree.estimated_count(low, low + ABOVE)

    return count_rows


def _is_read_only(tree: ast.Statement) -> bool:
    if isinstance(tree, ast.Explain) and tree.analyze:
        return isinstance(tree.statement, ast.Query)
    return isinstance(tree, _READ_ONLY)


def _result_columns(node: plan.Plan) -> tuple[ColumnInfo, ...]:
    match node:
        case plan.Select():
            return _column_infos(node.input.columns)
        case plan.Insert() | plan.Update() | plan.Delete():
            return () if node.returning is None else _column_infos(node.returning.columns)
        case plan.Explain():
            return (ColumnInfo("QUERY PLAN", "TEXT"),)
        case plan.ShowTables():
            return (ColumnInfo("table_name", "TEXT"),)
    return ()


def _column_infos(columns: Iterable[PlanColumn]) -> tuple[ColumnInfo, ...]:
    return tuple(ColumnInfo(column.name, column.type.name) for column in columns)


class _Cache(Generic[Key, Entry]):
    """The entries used last, at most `size`."""

    __slots__ = ("_entries", "_size")

    def __init__(self, size: int) -> None:
        self._entries: OrderedDict[Key, Entry] = OrderedDict()
        self._size = size

    def get(self, key: Key) -> Entry | None:
        found = self._entries.get(key)
        if found is not None:
            self._entries.move_to_end(key)
        return found

    def put(self, key: Key, entry: Entry) -> None:
        self._entries[key] = entry
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)
