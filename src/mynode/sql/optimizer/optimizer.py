"""The rules and their order."""

from __future__ import annotations

from mynode.sql import plan


def optimize(node: plan.Plan) -> plan.Plan:
    return node
