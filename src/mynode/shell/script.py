"""The shell without a person: statements from `-c`, a file or standard input, up to their end and not beyond."""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from io import RawIOBase

import trio

from mynode.shell.shell import Shell
from mynode.sql.tokens import is_complete

_CHUNK_BYTES = 64 * 1024


async def run_script(shell: Shell, chunks: AsyncIterable[str], *, keeps_going: bool = False) -> bool:
    """Run the statements and backslash commands in a text that comes in chunks; whether all went well.

    Each runs as soon as it is complete. The first that fails ends the script, unless it `keeps_going`. What stands last
    needs no semicolon.
    """
    went_well = True
    async for piece in _pieces(chunks):
        went_well &= await shell.run(piece, keeps_going=keeps_going)
        if shell.is_done or not (went_well or keeps_going):
            break
    return went_well


async def read_chunks(file: RawIOBase) -> AsyncIterator[str]:
    """The text of an unbuffered file or pipe, as it comes. A thread waits for it, so that Trio's tasks go on."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while chunk := await trio.to_thread.run_sync(file.read, _CHUNK_BYTES, abandon_on_cancel=True):
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


async def _pieces(chunks: AsyncIterable[str]) -> AsyncIterator[str]:
    cutter = ScriptCutter()
    async for chunk in chunks:
        for piece in cutter.feed(chunk):
            yield piece
    if rest := cutter.rest():
        yield rest


class ScriptCutter:
    """Cuts a text where a statement ends with its line, so that a long script runs as it is read."""

    def __init__(self) -> None:
        self._line = ""
        self._piece = ""

    def feed(self, text: str) -> Iterator[str]:
        """Take more text; the commands and groups of whole statements that it completes."""
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            is_command = not self._piece.strip() and line.lstrip().startswith("\\")
            self._piece += line + "\n"
            if is_command or (";" in line and is_complete(self._piece)):
                yield self._piece
                self._piece = ""

    def rest(self) -> str:
        """What stands after the last whole statement; empty if that is nothing but space."""
        rest = self._piece + self._line
        return rest if rest.strip() else ""
