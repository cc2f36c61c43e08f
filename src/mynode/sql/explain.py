"""EXPLAIN: a plan as lines of text."""

from __future__ import annotations

from mynode.sql import plan


def explain(node: plan.DataPlan) -> list[str]:
    return [str(node)]
