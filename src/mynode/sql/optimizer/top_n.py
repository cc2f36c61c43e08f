"""Sorts only as many rows as a LIMIT wants: the sort below it keeps no more than the first ones at a time."""

from __future__ import annotations

from dataclasses import replace

from mynode.sql import plan


def top_n(node: plan.QueryNode) -> plan.QueryNode:
    match node:
        case plan.Limit(input=plan.Sort() as sort, limit=limit, offset=offset) if limit is not None:
            return replace(node, input=replace(sort, first=(limit, offset)))
    return node
