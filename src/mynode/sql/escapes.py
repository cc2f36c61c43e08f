r"""The backslash escapes of `E'...'` strings, as PostgreSQL has them (its manual, section 4.1.2.2).

| written | means |
|---|---|
| `\b \f \n \r \t` | the control character |
| `\0` to `\377`, `\x0` to `\xFF` | one byte, octal or hexadecimal; the bytes in a row must be valid UTF-8 |
| `\u0041`, `\U00000041` | one code point; two surrogates in a row make one |
| a backslash and anything else | that character |
"""

from __future__ import annotations

import re
from typing import Final

from mynode.base.sql_errors import SqlSyntaxError

_ESCAPES: Final = re.compile(
    r"""
      (?P<bytes> (?: \\x[0-9a-fA-F]{1,2} | \\[0-7]{1,3} )+ )
    | (?P<code_points> (?: \\u[0-9a-fA-F]{4} | \\U[0-9a-fA-F]{8} )+ )
    | (?P<malformed> \\[uU] )
    | \\(?P<character> . )
    | (?P<quote> '' )
    """,
    re.VERBOSE | re.DOTALL,
)
_CONTROLS: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def unescape(body: str, position: int) -> str:
    """What `body`, the text between the quotes of `E'...'`, stands for.

    Args:
        position: of the body's first character in the statement, for errors.

    Raises:
        SqlSyntaxError: an escape that makes no character.
    """

    def replace(match: re.Match[str]) -> str:
        kind = match.lastgroup
        written = match.group()
        if kind == "quote":
            return "'"
        if kind == "character":
            return _CONTROLS.get(written[1], written[1])
        value = None
        if kind == "bytes":
            value = _from_bytes(written)
        elif kind == "code_points":
            value = _from_code_points(written)
        if value is None or "\0" in value:
            raise SqlSyntaxError(
                f'invalid escape "{written[:40]}" in a string',
                position=position + match.start(),
                hint=r"escapes are \n, \t, \\, \', \xHH and \NNN (bytes of UTF-8), \uXXXX and \UXXXXXXXX",
            )
        return value

    return _ESCAPES.sub(replace, body)


def _from_bytes(written: str) -> str | None:
    codes = [int(part[1:], 16) if part[0] == "x" else int(part, 8) for part in written.split("\\")[1:]]
    try:
        return bytes(codes).decode()
    except ValueError:
        return None


def _from_code_points(written: str) -> str | None:
    codes = [int(part[1:], 16) for part in written.split("\\")[1:]]
    try:
        joined = "".join(map(chr, codes))
        return joined.encode("utf-16", "surrogatepass").decode("utf-16")
    except (ValueError, OverflowError):
        return None
