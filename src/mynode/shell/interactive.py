"""The shell with a person: a prompt with highlighting, completion and history.

prompt_toolkit runs its own asyncio loop, so the prompt waits in a worker thread while Trio's tasks go on. The terminal
is in raw mode meanwhile, and Ctrl-C is a key that clears the line; while a statement runs, it is a signal that stops
the statement.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import trio
from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import PygmentsLexer
from pygments.lexers.sql import PostgresLexer

from mynode import __version__
from mynode.base.errors import MyNodeError
from mynode.session.api import TransactionStatus
from mynode.shell.catalog import Names, load_names
from mynode.shell.completion import SqlCompleter
from mynode.shell.shell import Shell
from mynode.sql.tokens import is_complete

_PROMPTS = {
    TransactionStatus.IDLE: "mynode> ",
    TransactionStatus.OPEN: "mynode*> ",
    TransactionStatus.FAILED: "mynode!> ",
}
"""A star stands for an open transaction, an exclamation mark for one that only ROLLBACK gets out of."""
_CONTINUATION = "   ...> "
_NAMES_AGE_S = 5.0
"""Names for completion are asked for again when the prompt opens and they are older than this."""
_SCHEMA_TAGS = ("CREATE", "DROP", "ALTER")


async def run_interactive(shell: Shell) -> None:
    """Read and run until `\\q` or Ctrl-D. Raises `ConnectionFailedError` when no node answers at the start."""
    answering = await shell.require_contact()
    nodes = len(shell.client.addresses)
    shell.printer.note(f"MyNode {__version__}, {answering} of {nodes} nodes answer. \\? for help, \\q to leave.")
    prompt = Prompt()
    async with trio.open_nursery() as nursery:
        await nursery.start(_cancel_on_interrupt, shell)
        while not shell.is_done:
            prompt.forget_old_names(shell.last_tag)
            nursery.start_soon(prompt.refresh_names, shell)
            text = await trio.to_thread.run_sync(prompt.read, shell.session.transaction_status)
            if text is None:
                break
            if text.strip():
                await shell.run(text)
        nursery.cancel_scope.cancel()


async def _cancel_on_interrupt(shell: Shell, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    with trio.open_signal_receiver(signal.SIGINT) as interrupts:
        task_status.started()
        async for _ in interrupts:
            shell.cancel()


class Prompt:
    """Reads one piece of input after another. `read` runs in a worker thread, all else in Trio's."""

    def __init__(self) -> None:
        self._names = Names()
        self._names_until = 0.0
        self._session: PromptSession[str] = PromptSession(
            _PROMPTS[TransactionStatus.IDLE],
            prompt_continuation=_CONTINUATION,
            multiline=True,
            lexer=PygmentsLexer(PostgresLexer),
            completer=SqlCompleter(lambda: self._names),
            complete_while_typing=True,
            history=_history(),
            auto_suggest=AutoSuggestFromHistory(),
            enable_history_search=False,
            key_bindings=_key_bindings(),
        )

    def read(self, status: TransactionStatus = TransactionStatus.IDLE) -> str | None:
        """The next complete input; None at its end (Ctrl-D); empty when Ctrl-C cleared it."""
        try:
            return self._session.prompt(_PROMPTS[status])
        except KeyboardInterrupt:
            return ""
        except EOFError:
            return None

    def forget_old_names(self, last_tag: str) -> None:
        """Ask for names anew if the last statement may have changed them."""
        if last_tag.startswith(_SCHEMA_TAGS):
            self._names_until = 0.0

    async def refresh_names(self, shell: Shell) -> None:
        """Load the names for completion in the background, if they are old; without them, it offers keywords."""
        if time.monotonic() < self._names_until:
            return
        self._names_until = time.monotonic() + _NAMES_AGE_S
        try:
            async with shell.client.session() as session:
                self._names = await load_names(session)
        except MyNodeError:
            self._names = Names()


def _key_bindings() -> KeyBindings:
    """Enter sends complete input and begins a new line otherwise; Meta-Enter always sends."""
    bindings = KeyBindings()

    @Condition
    def is_ready() -> bool:
        text = get_app().current_buffer.text
        return text.lstrip().startswith("\\") or is_complete(text)

    @bindings.add("enter", filter=is_ready)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    return bindings


def _history() -> History:
    """`$XDG_STATE_HOME/mynode/history`, by default below ~/.local/state; in memory where that cannot be written."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "mynode"
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        (state / "history").touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(state / "history"))
