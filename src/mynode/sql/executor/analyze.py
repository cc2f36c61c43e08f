"""EXPLAIN ANALYZE: a statement run for what its operators do, each of them measured."""

from __future__ import annotations

from collections.abc import Iterator

from mynode.sql import plan
from mynode.sql.executor.context import Batches, Execute, Execution, ExecutionContext
from mynode.sql.explain import Measure, explain
from mynode.sql.result import Completion
from mynode.values.types import Row


def measured(source: Batches, node: plan.QueryNode) -> Batches:
    """The same rows, counted for the plan's node."""

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        measure = context.measures.setdefault(id(node), Measure())
        measure.loops += 1
        stopwatch = context.stopwatch
        batches = source(context)
        while True:
            started_s = stopwatch()
            batch = next(batches, None)
            measure.seconds += stopwatch() - started_s
            if batch is None:
                return
            measure.rows += len(batch)
            yield batch

    return run


def analyzed(execute: Execute, node: plan.DataPlan | plan.SchemaPlan) -> Execute:
    """Runs the statement to its end, and gives out the plan with what was measured. What it writes is written."""

    def run(context: ExecutionContext) -> Execution:
        transaction = context.transaction
        recorded_before = transaction.record_reads
        transaction.record_reads = True
        try:
            keys, ranges = _read_set_size(context)
            started_s = context.stopwatch()
            completion = yield from _to_the_end(execute(context))
            seconds = context.stopwatch() - started_s
            new_keys, new_ranges = _read_set_size(context)
        finally:
            transaction.record_reads = recorded_before
        if not isinstance(node, plan.Select):
            context.measures[id(node)] = Measure(max(0, completion.rows_affected), 1, seconds)
        lines = [
            *explain(node, context.measures),
            f"Read Set: {_counted(new_keys - keys, 'key')}, {_counted(new_ranges - ranges, 'range')}",
            f"Execution Time: {seconds * 1000:.3f} ms",
        ]
        yield [(line,) for line in lines]
        return Completion("EXPLAIN", completion.rows_affected)

    return run


def _to_the_end(execution: Execution) -> Execution:
    """A pause for each batch of the execution."""
    while True:
        try:
            next(execution)
        except StopIteration as ended:
            completion: Completion = ended.value
            return completion
        yield []


def _read_set_size(context: ExecutionContext) -> tuple[int, int]:
    reads = context.transaction.reads
    return len(reads.keys) + len(reads.present), len(reads.ranges)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
