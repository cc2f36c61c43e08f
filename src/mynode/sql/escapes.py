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
import string
from typing import Final

from mynode.base.sql_errors import InvalidEscapeSequenceError, SqlSyntaxError

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
        SqlSyntaxError, InvalidEscapeSequenceError: an escape that makes no character.
    """

    def replace(match: re.Match[str]) -> str:
        kind = match.lastgroup
        written = match.group()
        if kind == "quote":
            return "'"
        if kind == "character":
            return _CONTROLS.get(written[1], written[1])
        if kind == "malformed":
            raise InvalidEscapeSequenceError(
                "invalid Unicode escape",
                position=position + match.start(),
                hint=r"Unicode escapes must be \uXXXX or \UXXXXXXXX.",
            )
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


def unescape_unicode(body: str, escape: str, position: int | None, *, letters: bool = False) -> str:
    r"""What the text of `U&'...'` stands for: `\XXXX` and `\+XXXXXX` are code points, the escape twice is itself.

    Args:
        escape: the character in the place of the backslash.
        position: of the string in the statement, for errors.
        letters: `\uXXXX` and `\UXXXXXXXX` are code points too.

    Raises:
        SqlSyntaxError: a wrong escape character, or an escape that makes no character.
    """
    if escape in "+'\"" or escape in string.hexdigits or escape.isspace():
        raise SqlSyntaxError("invalid Unicode escape character", position=position)
    sign = re.escape(escape)
    more = "|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}" if letters else ""
    form = re.compile(f"{sign}{sign}|(?:{sign}(?:[0-9a-fA-F]{{4}}|\\+[0-9a-fA-F]{{6}}{more}))+|{sign}")

    def replace(match: re.Match[str]) -> str:
        written = match.group()
        if written == escape * 2:
            return escape
        value = _joined([int(part.lstrip("+uU"), 16) for part in written.split(escape)[1:] if part])
        if value is None or not value or "\0" in value:
            raise SqlSyntaxError(
                "invalid Unicode escape",
                position=position,
                hint=f"Unicode escapes must be {escape}XXXX or {escape}+XXXXXX.",
            )
        return value

    return form.sub(replace, body)


def _from_bytes(written: str) -> str | None:
    codes = [int(part[1:], 16) if part[0] == "x" else int(part, 8) for part in written.split("\\")[1:]]
    try:
        return bytes(codes).decode()
    except ValueError:
        return None


def _from_code_points(written: str) -> str | None:
    return _joined([int(part[1:], 16) for part in written.split("\\")[1:]])


def _joined(codes: list[int]) -> str | None:
    """The characters of code points, of which two surrogates in a row make one; None for a surrogate alone."""
    try:
        joined = "".join(map(chr, codes))
        return joined.encode("utf-16", "surrogatepass").decode("utf-16")
    except (ValueError, OverflowError):
        return None
