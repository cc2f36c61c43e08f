"""`mynode status` marks what an operator has to look at."""

from __future__ import annotations

import io
import json
from dataclasses import replace

from mynode.base.errors import ConnectionFailedError
from mynode.client.status import StatusReport
from mynode.cluster.report import status_json, status_table
from mynode.shell.tables import make_console
from mynode.testing.ports import STATUS

REPORTS = [
    StatusReport("127.0.0.1:9601", None, ConnectionFailedError("refused")),
    StatusReport("127.0.0.1:9602", STATUS, None),
    StatusReport("127.0.0.1:9603", replace(STATUS, node_id=3, disk_full=True), None),
]


def test_a_full_disk_and_a_silent_node_are_marked() -> None:
    screen = io.StringIO()
    make_console(screen).print(status_table(REPORTS))
    silent, healthy, full = screen.getvalue().splitlines()[-3:]
    assert "unreachable" in silent
    assert "12 KiB" in healthy
    assert "disk full" not in healthy
    assert "12 KiB, disk full" in full


def test_json_says_it_too() -> None:
    silent, healthy, full = json.loads(status_json(REPORTS))
    assert silent["error"] == "refused"
    assert healthy["disk_full"] is False
    assert full["disk_full"] is True
