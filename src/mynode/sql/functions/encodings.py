"""Functions on BYTEA, and those between texts, characters' numbers and bytes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import unicodedata
from collections.abc import Callable
from typing import Final

from mynode.base.limits import MAX_ROW_BYTES
from mynode.base.sql_errors import (
    CharacterNotInRepertoireError,
    InvalidParameterValueError,
    ProgramLimitExceededError,
    SubstringError,
    UntranslatableCharacterError,
)
from mynode.sql.escapes import unescape_unicode
from mynode.sql.functions.function import Function
from mynode.sql.functions.strings import text_too_long
from mynode.values.binary import escaped, from_escaped, from_hexadecimal
from mynode.values.text import check_text
from mynode.values.types import BYTEA, INTEGER, TEXT

_BASE64_LINE: Final = 76
_WHITE: Final = re.compile(r"\s+", re.ASCII)
_MAX_CODE_POINT: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)


def encode(value: bytes, form: str) -> str:
    """Bytes as text: `hex`, `base64` in lines of 76 characters, or `escape`."""
    match form.lower():
        case "hex":
            return value.hex()
        case "base64":
            text = base64.b64encode(value).decode("ascii")
            return "\n".join(text[start : start + _BASE64_LINE] for start in range(0, len(text), _BASE64_LINE))
        case "escape":
            return escaped(value)
    raise _unknown_form(form)


def decode(text: str, form: str) -> bytes:
    """The inverse of `encode`."""
    match form.lower():
        case "hex":
            return from_hexadecimal(text)
        case "base64":
            try:
                return base64.b64decode(_WHITE.sub("", text), validate=True)
            except (binascii.Error, ValueError):
                raise InvalidParameterValueError("invalid base64 end sequence or symbol") from None
        case "escape":
            found = from_escaped(text)
            if found is None:
                raise InvalidParameterValueError("invalid escape sequence for bytea")
            return found
    raise _unknown_form(form)


def _unknown_form(form: str) -> InvalidParameterValueError:
    return InvalidParameterValueError(f'unrecognized encoding: "{form}"')


def character(number: int) -> str:
    if number == 0:
        raise ProgramLimitExceededError("null character not permitted")
    if number < 0:
        raise InvalidParameterValueError("character number must be positive")
    if number > _MAX_CODE_POINT or number in _SURROGATES:
        raise ProgramLimitExceededError(f"requested character too large for encoding: {number}")
    return chr(number)


def to_hexadecimal(number: int) -> str:
    """The 64 bits of a negative number are those of its two's complement."""
    return f"{number % 2**64:x}"


def substring(value: bytes, start: int, length: int | None = None) -> bytes:
    if length is None:
        return value[max(start - 1, 0) :]
    if length < 0:
        raise SubstringError("negative substring length not allowed")
    return value[max(start - 1, 0) : max(start - 1 + length, 0)]


def concatenate(left: bytes, right: bytes) -> bytes:
    if len(left) + len(right) > MAX_ROW_BYTES:
        text_too_long()
    return left + right


# --- encodings of texts ---------------------------------------------------------------------------------------------

_CODECS: Final = {
    **dict.fromkeys(("UTF8", "UNICODE"), "utf-8"),
    **dict.fromkeys(("LATIN1", "ISO88591"), "latin-1"),
    **dict.fromkeys(("LATIN9", "ISO885915"), "iso8859-15"),
    "WIN1252": "cp1252",
    "SQLASCII": "ascii",
}
"""Of Python, by the names of PostgreSQL without what is neither letter nor digit."""


def _codec(name: str) -> str:
    plain = "".join(filter(str.isalnum, name)).upper()
    codec = _CODECS.get(plain)
    if codec is None:
        raise InvalidParameterValueError(f'invalid encoding name "{name}"')
    return codec


def convert_from(value: bytes, encoding: str) -> str:
    """The text that the bytes are in an encoding."""
    try:
        text = value.decode(_codec(encoding))
    except UnicodeDecodeError as error:
        wrong = " ".join(f"0x{byte:02x}" for byte in value[error.start : error.end])
        raise CharacterNotInRepertoireError(f'invalid byte sequence for encoding "{encoding}": {wrong}') from None
    return check_text(text)


def convert_to(text: str, encoding: str) -> bytes:
    """The inverse of `convert_from`."""
    try:
        return text.encode(_codec(encoding))
    except UnicodeEncodeError as error:
        raise UntranslatableCharacterError(
            f'character U+{ord(text[error.start]):04X} has no equivalent in encoding "{encoding}"'
        ) from None


def normalized(text: str, form: str = "NFC") -> str:
    """A normal form of Unicode."""
    match form.upper():
        case "NFC" | "NFD" | "NFKC" | "NFKD" as known:
            return unicodedata.normalize(known, text)
    raise InvalidParameterValueError(f"invalid normalization form: {form}")


def unescaped(text: str) -> str:
    """With `\\XXXX`, `\\uXXXX`, `\\+XXXXXX` and `\\UXXXXXXXX` resolved."""
    return check_text(unescape_unicode(text, "\\", None, letters=True))


def _digest(name: str) -> Callable[[bytes], bytes]:
    return lambda value: hashlib.new(name, value, usedforsecurity=False).digest()


ENCODINGS: Final = (
    Function("||", (BYTEA, BYTEA), BYTEA, concatenate, is_operator=True),
    Function("length", (BYTEA,), INTEGER, len, "len({0})"),
    Function("octet_length", (BYTEA,), INTEGER, len, "len({0})"),
    Function("bit_length", (BYTEA,), INTEGER, lambda value: 8 * len(value)),
    *(
        Function(name, types, BYTEA, substring)
        for name in ("substr", "substring")
        for types in ((BYTEA, INTEGER), (BYTEA, INTEGER, INTEGER))
    ),
    Function("position", (BYTEA, BYTEA), INTEGER, lambda value, part: value.find(part) + 1),
    Function("encode", (BYTEA, TEXT), TEXT, encode),
    Function("decode", (TEXT, TEXT), BYTEA, decode),
    Function("convert_from", (BYTEA, TEXT), TEXT, convert_from),
    Function("convert_to", (TEXT, TEXT), BYTEA, convert_to),
    Function("normalize", (TEXT,), TEXT, normalized),
    Function("normalize", (TEXT, TEXT), TEXT, normalized),
    Function("unistr", (TEXT,), TEXT, unescaped),
    Function("md5", (TEXT,), TEXT, lambda text: _digest("md5")(text.encode()).hex()),
    Function("md5", (BYTEA,), TEXT, lambda value: _digest("md5")(value).hex()),
    *(Function(name, (BYTEA,), BYTEA, _digest(name)) for name in ("sha224", "sha256", "sha384", "sha512")),
    Function("ascii", (TEXT,), INTEGER, lambda text: ord(text[0]) if text else 0),
    Function("chr", (INTEGER,), TEXT, character),
    Function("to_hex", (INTEGER,), TEXT, to_hexadecimal),
)
