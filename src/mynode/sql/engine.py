"""The SQL engine of a node: from text to prepared statements, with caches of syntax trees, catalogs and plans."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeAlias, TypeVar

from mynode.base.errors import InvariantViolation
from mynode.base.invariant import invariant
from mynode.base.limits import LONG_STATEMENT_CHARS, PLAN_CACHE_CHARS, PLAN_CACHE_ENTRIES
from mynode.base.sql_errors import AmbiguousFunctionError, SqlError, StatementTooComplexError, UndefinedColumnError
from mynode.mvcc.keyspace import CATALOG
from mynode.mvcc.transaction import Transaction
from mynode.mvcc.view import ReadView
from mynode.relation.catalog import Catalog, CatalogVersion, changes_catalog
from mynode.relation.catalog_codec import encode_view
from mynode.relation.counters import NumberPool
from mynode.relation.keys import CATALOG_END, table_record_key
from mynode.relation.rows import TableRows
from mynode.relation.schema import Table
from mynode.sql import ast, plan
from mynode.sql.ast import SessionControl, TransactionControl
from mynode.sql.executor.build import Builder
from mynode.sql.executor.context import Execute, Execution
from mynode.sql.executor.context import ExecutionContext as ExecutionContext
from mynode.sql.expressions import PlanColumn
from mynode.sql.long_work import LongWork, done
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
from mynode.sql.table_sizes import TableSizes, row_counter
from mynode.storage.tree import Tree
from mynode.values.types import Row, SqlType, python_types

Key = TypeVar("Key")
Entry = TypeVar("Entry")
DeclaredTypes: TypeAlias = dict[int, SqlType]
_PreparedKey: TypeAlias = tuple[str, CatalogVersion, ValueTypes]
_PlannedKey: TypeAlias = tuple[str, CatalogVersion, tuple[tuple[int, SqlType], ...]]

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
    sizes: TableSizes
    execute: Execute


class PreparedStatement:
    """A statement that is ready to run any number of times, while the catalog stays as it is.

    Attributes:
        columns: of the rows that it returns; empty for statements that return none.
        sizes: of the tables, for which its plan was chosen.
    """

    __slots__ = ("_convert", "_execute", "_tables", "_views", "columns", "is_read_only", "sizes")

    def __init__(self, planned: _Planned, convert: Convert | None, *, is_read_only: bool) -> None:
        self.columns = planned.columns
        self.is_read_only = is_read_only
        self.sizes = planned.sizes
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


_PlanOf: TypeAlias = Callable[[ParsedStatement, Catalog, DeclaredTypes], _Planned]


def is_long(parsed: ParsedStatement, catalog: Catalog) -> bool:
    """Whether planning takes long: by the text, or by that of a view, if there is such a one; it may use it."""
    longest = max((len(view.query) for view in catalog.views.values()), default=0)
    return max(len(parsed.text), longest) > LONG_STATEMENT_CHARS


class SqlEngine:
    """One a node. Not for several threads at once, but that the work on long texts may be done by another one: it
    touches nothing but the text, the catalog and what it makes.

    Statements that differ only in the values of their parameters share a syntax tree and, as long as the catalog stays
    as it is, their tables have about as many rows, and the values are of the same Python types, a plan.

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
        return done(self.parsing(text))

    def parsing(self, text: str) -> ParsedStatement | LongWork[ParsedStatement]:
        """What `parse` returns, or the work of it if it takes long."""
        found = self._parsed.get(text)
        if found is not None:
            return found
        if len(text) > LONG_STATEMENT_CHARS:
            return LongWork(lambda: _parsed(text), keep=lambda parsed: self._parsed.put(text, len(text), parsed))
        parsed = _parsed(text)
        self._parsed.put(text, len(text), parsed)
        return parsed

    def called(self, call: ParsedStatement, prepare: ParsedStatement) -> ParsedStatement:
        """The statement that an EXECUTE runs: that of a PREPARE."""
        tree = prepare.ast
        if not isinstance(tree, ast.Prepare) or not isinstance(call.ast, ast.Execute):
            raise InvariantViolation("EXECUTE runs what PREPARE has prepared")
        statement: ast.DataStatement | ast.Explain = tree.statement
        text, analyze = prepare.text, call.ast.explained
        if analyze is not None:
            statement = ast.Explain(tree.statement, analyze, call.ast.position)
            text += "\0explained" if analyze is False else "\0analyzed"  # of its own in the cache of plans
        is_read_only = _is_read_only(statement)
        prepared = ParsedStatement(text, statement, is_read_only, None)
        text = f"{prepare.text}\0{call.text}"
        return ParsedStatement(text, statement, is_read_only, None, ParsedCall(call.ast, tree, prepared))

    def parse_again(self, text: str) -> ParsedStatement:
        """The statement of which this is the `ParsedStatement.text`, on whichever node it came by it."""
        first, is_call, call = text.partition("\0")
        return self.called(self.parse(call), self.parse(first)) if is_call else self.parse(text)

    def checking(self, parsed: ParsedStatement, source: ReadView | Transaction) -> LongWork[None]:
        """The work of finding the `SqlError` of a PREPARE whose statement could not run now."""
        if not isinstance(parsed.ast, ast.Prepare):
            raise InvariantViolation("only PREPARE prepares")
        prepared = ParsedStatement(parsed.text, parsed.ast.statement, is_read_only=False, control=None)
        declared, catalog, plan_of = declared_types(parsed.ast), self.catalog(source), self._planner_beside(source)

        def check() -> None:
            plan_of(prepared, catalog, declared)

        return LongWork(check, failed=lambda: _read_catalog(source))

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
        return done(self.preparing(parsed, source, parameters))

    def preparing(
        self, parsed: ParsedStatement, source: ReadView | Transaction, parameters: Row = ()
    ) -> PreparedStatement | LongWork[PreparedStatement]:
        """What `prepare` returns, or the work of it if it takes long."""
        catalog = self.catalog(source)
        value_types = python_types(parameters)
        tree = source.tree if isinstance(source, ReadView) else source.view.tree
        key = (parsed.text, catalog.version, value_types)
        found = self._prepared.get(key)
        if found is not None and found.sizes.hold(tree):
            return found
        if is_long(parsed, catalog):
            plan_of = self._planner_beside(source)
            return LongWork(
                lambda: _prepare(parsed, catalog, value_types, plan_of),
                keep=lambda prepared: self._prepared.put(key, len(parsed.text), prepared),
                failed=lambda: _read_catalog(source),
            )
        try:
            prepared = _prepare(parsed, catalog, value_types, lambda p, c, d: self._plan(p, c, d, tree))
        except SqlError:
            _read_catalog(source)
            raise
        self._prepared.put(key, len(parsed.text), prepared)
        return prepared

    def _planner_beside(self, source: ReadView | Transaction) -> _PlanOf:
        """Plans without a cache. Rows are counted in advance: that loads pages, which only the loop's thread may do."""
        if not self._counts_rows:
            return lambda parsed, catalog, declared: _plan(parsed, catalog, declared, None, self._without_rule)
        count_rows = row_counter(_tree_of(source))
        counted = {table.id: count_rows(table) for table in self.catalog(source).tables.values()}

        def count_again(table: Table) -> float:
            return counted[table.id]

        return lambda parsed, catalog, declared: _plan(parsed, catalog, declared, count_again, self._without_rule)

    def _plan(self, parsed: ParsedStatement, catalog: Catalog, declared: DeclaredTypes, tree: Tree) -> _Planned:
        key = (parsed.text, catalog.version, tuple(declared.items()))
        found = self._planned.get(key)
        if found is None or not found.sizes.hold(tree):
            count_rows = row_counter(tree) if self._counts_rows else None
            found = _plan(parsed, catalog, declared, count_rows, self._without_rule)
            self._planned.put(key, len(parsed.text), found)
        return found


def _tree_of(source: ReadView | Transaction) -> Tree:
    return source.tree if isinstance(source, ReadView) else source.view.tree


def _read_catalog(source: ReadView | Transaction) -> None:
    """What a statement gets wrong rests on all of the catalog."""
    if isinstance(source, Transaction):
        source.reads.add_range(CATALOG, CATALOG_END)


# --- what any thread may do ------------------------------------------------------------------------------------------


def _parsed(text: str) -> ParsedStatement:
    tree = parse(text)
    control = tree if isinstance(tree, TransactionControl | SessionControl) else None
    return ParsedStatement(text, tree, _is_read_only(tree), control)


def _prepare(parsed: ParsedStatement, catalog: Catalog, value_types: ValueTypes, plan_of: _PlanOf) -> PreparedStatement:
    """Types of parameters come from their places in the text first, from their values where these do not fit."""
    if parsed.call is not None:
        return _prepare_call(parsed.call, catalog, value_types, plan_of)
    try:
        planned = plan_of(parsed, catalog, {})
        check_count(len(planned.parameter_types), len(value_types))
        declared = types_by_value(planned.parameter_types, value_types)
    except AmbiguousFunctionError:
        declared = known_value_types(value_types)
        if not declared:
            raise
    if declared:
        planned = plan_of(parsed, catalog, declared)
        check_count(len(planned.parameter_types), len(value_types))
    convert = converter(planned.parameter_types, value_types)
    return PreparedStatement(planned, convert, is_read_only=parsed.is_read_only)


def _prepare_call(call: ParsedCall, catalog: Catalog, value_types: ValueTypes, plan_of: _PlanOf) -> PreparedStatement:
    declared = declared_types(call.prepare)
    try:
        planned = plan_of(call.prepared, catalog, declared)
    except SqlError as error:
        error.position = None  # It is one in the text of PREPARE.
        raise
    arguments = called_with(call.execute, _parameter_types(planned, declared), value_types)

    def execute(context: ExecutionContext) -> Execution:
        context.parameters = arguments(context)
        return planned.execute(context)

    return PreparedStatement(replace(planned, execute=execute), None, is_read_only=call.prepared.is_read_only)


def _plan(
    parsed: ParsedStatement,
    catalog: Catalog,
    declared: DeclaredTypes,
    count_rows: CountRows | None,
    without_rule: Rule | None,
) -> _Planned:
    parameters = ParameterTypes(declared)
    tables = TableNames(catalog)
    try:
        node = optimize(Planner(tables, parameters).statement(parsed.ast), count_rows, without_rule)
        builder = Builder(tables.used.values())
        execute = builder.statement(node)
    except RecursionError:
        raise StatementTooComplexError("the statement is nested too deeply") from None
    except UndefinedColumnError as error:
        if error.hint is None and error.position and parsed.text[error.position - 1] == '"':
            error.hint = "Double quotes are for names; a text stands in single quotes."
        raise
    views = tuple((table_record_key(view.name), encode_view(view)) for view in tables.used_views.values())
    sizes = TableSizes(tables.used.values(), count_rows)
    return _Planned(_result_columns(node), parameters.types(), tuple(builder.tables.values()), views, sizes, execute)


def _parameter_types(planned: _Planned, declared: DeclaredTypes) -> list[SqlType]:
    """Of all parameters, those that are declared and not used too."""
    used = planned.parameter_types
    return [*used, *(declared[number] for number in range(len(used) + 1, len(declared) + 1))]


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
    """The entries used last: at most `size`, whose texts have `limits.PLAN_CACHE_CHARS` together."""

    __slots__ = ("_chars", "_entries", "_size")

    def __init__(self, size: int) -> None:
        self._entries: OrderedDict[Key, tuple[Entry, int]] = OrderedDict()
        self._size = size
        self._chars = 0

    def get(self, key: Key) -> Entry | None:
        found = self._entries.get(key)
        if found is None:
            return None
        self._entries.move_to_end(key)
        return found[0]

    def put(self, key: Key, chars: int, entry: Entry) -> None:
        _, replaced = self._entries.pop(key, (None, 0))
        self._entries[key] = entry, chars
        self._chars += chars - replaced
        while len(self._entries) > self._size or self._chars > PLAN_CACHE_CHARS:
            _, (_, gone) = self._entries.popitem(last=False)
            self._chars -= gone
