"""Golden scripts of isolation: the statements of several sessions, interleaved, and what each is answered.

A script is a text of blocks with a blank line between: lines `session: statement`, a line `----`, and what they print.
A block that begins with `#` is a comment. A session begins with its first statement. Rows print as `1, 10; 2, 20`.
"""

from __future__ import annotations

from mynode.sql.expression_text import literal
from mynode.testing.sql_sessions import LocalSession, SessionDatabase, StatementAnswer


def run_isolation_script(script: str) -> str:
    """The script with its outputs as they are now."""
    database = SessionDatabase()
    sessions: dict[str, LocalSession] = {}
    blocks: list[str] = []
    for block in script.strip("\n").split("\n\n"):
        commands = block.partition("\n----")[0]
        if not commands.startswith("#"):
            answers = [_run(line, sessions, database) for line in commands.splitlines()]
            commands = "\n".join([commands, "----", *answers])
        blocks.append(commands)
    return "\n\n".join(blocks) + "\n"


def _run(line: str, sessions: dict[str, LocalSession], database: SessionDatabase) -> str:
    name, _, sql = line.partition(": ")
    if name not in sessions:
        sessions[name] = database.session()
    return f"{name}: {_shown(sessions[name].answer(sql))}"


def _shown(answer: StatementAnswer) -> str:
    if answer.error is not None:
        return f"ERROR {answer.error.sqlstate}: {answer.error}"
    if answer.columns:
        return "; ".join(", ".join(map(literal, row)) for row in answer.rows) or "no rows"
    return answer.tag
