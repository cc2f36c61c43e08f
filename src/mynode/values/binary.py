"""The text form of BYTEA: `\\x` and hexadecimal digits; older texts with escapes are read, too."""

from __future__ import annotations

import re
from typing import Final

from mynode.base.sql_errors import InvalidParameterValueError

_WHITE: Final = re.compile(r"\s+", re.ASCII)
_NOT_HEXADECIMAL: Final = re.compile(r"[^0-9a-fA-F]")
_ESCAPED: Final = re.compile(rb"\\(\\|[0-3][0-7]{2})?")


def parse_bytes(text: str) -> bytes | None:
    """The bytes that the text means, None if a backslash in it means nothing.

    Raises `InvalidParameterValueError` for what is wrong after `\\x`.
    """
    return from_hexadecimal(text[2:]) if text.startswith("\\x") else from_escaped(text)


def format_bytes(value: bytes) -> str:
    return f"\\x{value.hex()}"


def from_hexadecimal(text: str) -> bytes:
    """The bytes of pairs of digits, with white space between them. Raises `InvalidParameterValueError`."""
    digits = _WHITE.sub("", text)
    wrong = _NOT_HEXADECIMAL.search(digits)
    if wrong is not None:
        raise InvalidParameterValueError(f'invalid hexadecimal digit: "{wrong.group()}"')
    if len(digits) % 2:
        raise InvalidParameterValueError("invalid hexadecimal data: odd number of digits")
    return bytes.fromhex(digits)


def from_escaped(text: str) -> bytes | None:
    """The bytes of a text in which `\\\\` is a backslash and `\\ooo` the byte of that octal number, else None."""
    encoded = text.encode()
    if any(found.group(1) is None for found in _ESCAPED.finditer(encoded)):
        return None
    return _ESCAPED.sub(lambda found: b"\\" if found[1] == b"\\" else bytes((int(found[1], 8),)), encoded)


def escaped(value: bytes) -> str:
    """The inverse of `from_escaped`: ASCII, NUL and what is not ASCII as octal numbers."""
    return "".join("\\\\" if byte == 0x5C else chr(byte) if 0 < byte < 0x80 else f"\\{byte:03o}" for byte in value)
