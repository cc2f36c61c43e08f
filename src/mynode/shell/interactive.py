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
from prompt_toolkit.buffer import Buffer, CompletionState
from prompt_toolkit.completion import CompleteEvent, get_common_complete_suffix
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
from mynode.shell.script import ScriptCutter, ends_with_command
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
        unfinished = ""
        while not shell.is_done:
            prompt.forget_old_names(shell.last_tag)
            nursery.start_soon(prompt.refresh_names, shell)
            text = await trio.to_thread.run_sync(prompt.read, shell.session.transaction_status, unfinished)
            if text is None:
                break
            unfinished = await _run_input(shell, text)
        nursery.cancel_scope.cancel()


async def _run_input(shell: Shell, text: str) -> str:
    """Run what was typed, commands amid a statement before it; what the next prompt begins with."""
    cutter = ScriptCutter()
    for piece in cutter.feed(f"{text}\n"):
        await shell.run(piece)
    if ends_with_command(text):
        return cutter.unfinished.lstrip()
    for piece in cutter.rest():
        await shell.run(piece)
    return ""


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

    def read(self, status: TransactionStatus = TransactionStatus.IDLE, unfinished: str = "") -> str | None:
        """The next complete input; None at its end (Ctrl-D); empty when Ctrl-C cleared it.

        `unfinished` stands at the prompt already, to be edited.
        """
        try:
            return self._session.prompt(_PROMPTS[status], default=unfinished)
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
        return ends_with_command(text) or is_complete(text)

    @bindings.add("enter", filter=is_ready)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @bindings.add("tab")
    def _(event: KeyPressEvent) -> None:
        complete(event.current_buffer)

    return bindings


def complete(buffer: Buffer) -> None:
    """The key Tab: complete the word; with several ways to go on, what they share, then one after the other.

    It does not wait for the menu that opens while typing, which may be on its way still.
    """
    state = buffer.complete_state
    if state is not None and state.current_completion is not None:
        buffer.go_to_completion(((state.complete_index or 0) + 1) % len(state.completions))
        return
    completions = list(buffer.completer.get_completions(buffer.document, CompleteEvent(completion_requested=True)))
    shared = get_common_complete_suffix(buffer.document, completions)
    if len(completions) == 1:
        buffer.apply_completion(completions[0])
    elif shared:
        buffer.insert_text(shared)
    elif completions:
        buffer.complete_state = CompletionState(buffer.document, completions)
        buffer.go_to_completion(0)


def _history() -> History:
    """`$XDG_STATE_HOME/mynode/history`, by default below ~/.local/state; in memory where that cannot be written."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "mynode"
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        (state / "history").touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(state / "history"))
