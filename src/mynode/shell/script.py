"""The shell without a person: statements from `-c`, a file or standard input, up to their end and not beyond."""

from __future__ import annotations

import codecs
from collections.abc import Awaitable, Callable, Iterator
from io import BytesIO, FileIO

import trio

from mynode.shell.shell import Shell
from mynode.sql.tokens import is_complete

_CHUNK_BYTES = 64 * 1024


async def run_script(shell: Shell, read: Callable[[], Awaitable[str]], *, keeps_going: bool = False) -> bool:
    """Run the statements and backslash commands in a text; whether all went well.

    Each runs as soon as it is complete. The first that fails ends the script, unless it `keeps_going`. What stands last
    needs no semicolon.

    Args:
        read: gives the next part of the text, and an empty one at its end.
    """
    cutter = ScriptCutter()
    went_well, is_at_end = True, False
    while not is_at_end:
        text = await read()
        is_at_end = not text
        for piece in cutter.rest() if is_at_end else cutter.feed(text):
            went_well &= await shell.run(piece, keeps_going=keeps_going)
            if shell.is_done or not (went_well or keeps_going):
                return went_well
    return went_well


class TextReader:
    """Reads the text of an unbuffered file or pipe as it comes. A thread waits for it, so that Trio's tasks go on."""

    def __init__(self, file: FileIO | BytesIO) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    async def read(self) -> str:
        """The next part; empty at the end."""
        while chunk := await trio.to_thread.run_sync(self._file.read, _CHUNK_BYTES, abandon_on_cancel=True):
            if text := self._decoder.decode(chunk):
                return text
        text = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return text


def ends_with_command(text: str) -> bool:
    """Whether the last line of `text` is a backslash command, and not a part of a quoted text or a comment."""
    before, _, last = text.rpartition("\n")
    return last.lstrip().startswith("\\") and is_complete(f"{before};")


class ScriptCutter:
    """Cuts a text where a statement ends with its line, so that a long script runs as it is read.

    A backslash command has a line of its own. Amid the lines of a statement it runs first, and the statement goes on.

    Attributes:
        unfinished: the lines of the statement that goes on.
    """

    def __init__(self) -> None:
        self.unfinished = ""
        self._line = ""

    def feed(self, text: str) -> Iterator[str]:
        """Take more text; the commands and groups of whole statements that it completes."""
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            if ends_with_command(self.unfinished + line):
                yield line + "\n"
                continue
            self.unfinished += line + "\n"
            if ";" in line and is_complete(self.unfinished):
                yield self.unfinished
                self.unfinished = ""

    def rest(self) -> Iterator[str]:
        """What stands after the last whole statement, if that is more than space."""
        if ends_with_command(self.unfinished + self._line):
            yield self._line
            self._line = ""
        if (rest := self.unfinished + self._line).strip():
            yield rest
