"""SQL text to tokens: the only module that sees sqlparse.

sqlparse's `Lexer` is an engine that walks a text with a list of patterns. Its own list serves formatters, not parsers:
it fuses signs with numbers (`a-1`) and keywords with each other (`NOT NULL`, `LEFT OUTER JOIN`), reads a backslash in
`'...'` as an escape, takes `type` for a keyword, and knows comments of many dialects. So the engine runs here on
PostgreSQL's lexical rules (`_PATTERNS`). What it lacks is added around it: offsets, values, nested comments (which it
cannot match, so they are blanked beforehand), and an error with a position for every text that is no token.

What repeats in a pattern is possessive, and the first text that is no token ends the walk: time is linear.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final, NamedTuple

from sqlparse import tokens as kinds
from sqlparse.lexer import Lexer

from mynode.base.invariant import invariant
from mynode.base.limits import MAX_IDENTIFIER_BYTES
from mynode.base.sql_errors import (
    FeatureNotSupportedError,
    InvalidTextRepresentationError,
    NameTooLongError,
    SqlError,
    SqlSyntaxError,
)
from mynode.sql.escapes import unescape, unescape_unicode
from mynode.sql.keywords import SYMBOLS

IDENTIFIER: Final = "identifier"
INTEGER: Final = "integer"
DECIMAL: Final = "decimal"
STRING: Final = "string"
BYTES: Final = "bytes"
PARAMETER: Final = "parameter"
END: Final = "end of statement"


class Token(NamedTuple):
    """One token. A NamedTuple, because a statement may have a million.

    Attributes:
        symbol: what the grammar sees: a keyword in upper case, an operator or punctuation as it is (`!=` as `<>`), or
            one of the names above, which are in lower case. A quoted identifier is always an IDENTIFIER.
        text: the characters as they stand in the statement; empty at END.
        value: the folded or unquoted name (of keywords too), the resolved string, the hexadecimal digits of BYTES, the
            number of a parameter (empty for `?`), a number's decimal digits without underscores; else as `symbol`.
        position: the 1-based character offset of `text`.
    """

    symbol: str
    text: str
    value: str
    position: int


class UnterminatedError(SqlSyntaxError):
    """A quote, dollar quote or comment that the text does not close: more text may complete it."""


# --- the patterns ---------------------------------------------------------------------------------------------------

_ESCAPE_STRING: Final = r"[eE]'(?:[^'\\]++|\\(?s:.)|'')*+"
_PLAIN_STRING: Final = r"'(?:[^']++|'')*+"
_CONTINUATION: Final = r"'[ \t\f\v]*+[\r\n][ \t\n\r\f\v]*+'"
"""Between two parts of a string on different lines, which are one, as standard SQL has it."""
_UNICODE_TAIL: Final = r"(?:\s++[uU][eE][sS][cC][aA][pP][eE]\s*+'[^']')?"
_QUOTED_NAME: Final = r'"(?:[^"]++|"")*+'
_DOLLAR_STRING: Final = r"(?P<tag>\$(?:[^\W\d]\w*+)?\$)(?s:.*?)"
_LINE_COMMENT: Final = r"--[^\r\n]*+"
_WORD: Final = r"[^\W\d][\w$]*+"

_SPACE_KIND: Final = kinds.Whitespace
_PUNCTUATION_KIND: Final = kinds.Punctuation
_WORD_KIND: Final = kinds.Name
_QUOTED_NAME_KIND: Final = kinds.Name.Quoted
_PARAMETER_KIND: Final = kinds.Name.Placeholder
_INTEGER_KIND: Final = kinds.Number.Integer
_OTHER_NUMBER_KIND: Final = kinds.Number
_PLAIN_STRING_KIND: Final = kinds.String.Single
_ESCAPE_STRING_KIND: Final = kinds.String.Escape
_BYTES_KIND: Final = kinds.String.Hexadecimal
_UNICODE_STRING_KIND: Final = kinds.String.Other
_UNICODE_NAME_KIND: Final = kinds.Name.Other
_DOLLAR_STRING_KIND: Final = kinds.Literal
_OPERATOR_KIND: Final = kinds.Operator
_COMMENT_KIND: Final = kinds.Comment

_PATTERNS: Final = [
    (r"[ \t\n\r\f\v]++", _SPACE_KIND),
    (r"[,()]", _PUNCTUATION_KIND),
    (rf"{_ESCAPE_STRING}'", _ESCAPE_STRING_KIND),
    (r"[xX]'[^']*+'", _BYTES_KIND),
    (r"[bBeExX]'", kinds.Error),
    (rf"[uU]&{_PLAIN_STRING}'{_UNICODE_TAIL}", _UNICODE_STRING_KIND),
    (rf'[uU]&{_QUOTED_NAME}"{_UNICODE_TAIL}', _UNICODE_NAME_KIND),
    (r"[uU]&['\"]", kinds.Error),
    (_WORD, _WORD_KIND),
    (r"[0-9]++(?![\w.])", _INTEGER_KIND),
    (rf"{_PLAIN_STRING}(?:{_CONTINUATION}(?:[^']++|'')*+)*+'", _PLAIN_STRING_KIND),
    (r"0[xXoObB]\w*+|(?:[0-9]\w*+(?:\.\w*+)?|\.[0-9]\w*+)(?:(?<=[eE])[+-]\w++)?", _OTHER_NUMBER_KIND),
    (_LINE_COMMENT, _COMMENT_KIND),
    (r"::|<=|>=|<>|!=|<<|>>|\|\|/|\|\||\|/|[-+*/%^<>=;.\[\]&|#~@]", _OPERATOR_KIND),
    (r"\?|\$[0-9]\w*+", _PARAMETER_KIND),
    (rf'{_QUOTED_NAME}"', _QUOTED_NAME_KIND),
    (rf"{_DOLLAR_STRING}(?-i:(?P=tag))", _DOLLAR_STRING_KIND),
]
"""The frequent ones first, as far as the meaning allows. Where none matches, sqlparse yields one character of kind
Error. A number's pattern takes all that could be meant as one; `_number` then judges it. sqlparse compiles them all to
ignore case, which the tag of a dollar string must not."""


def _make_lexer() -> Lexer:
    lexer = Lexer()
    lexer.clear()
    lexer.set_SQL_REGEX(_PATTERNS)
    return lexer


_LEXER: Final = _make_lexer()


# --- tokens ---------------------------------------------------------------------------------------------------------


def tokenize(text: str) -> Iterator[Token]:
    """The tokens of `text` in their order, without whitespace and comments; the last is END.

    Lazy: an error is raised once the tokens before it have been taken.

    Raises:
        UnterminatedError, SqlSyntaxError, NameTooLongError, FeatureNotSupportedError: with the position.
    """
    _refuse_bad_characters(text)
    position = 1
    for kind, found in _LEXER.get_tokens(_blank_block_comments(text)):
        if kind is _WORD_KIND:
            value = found.lower() if found.isascii() else _fold(found)
            if len(found) * 4 > MAX_IDENTIFIER_BYTES:
                _check_length(value, position)
            yield Token(SYMBOLS.get(value, IDENTIFIER), found, value, position)
        elif kind is _PUNCTUATION_KIND:
            yield Token(found, found, found, position)
        elif kind is _INTEGER_KIND:
            yield Token(INTEGER, found, found, position)
        elif kind is _PLAIN_STRING_KIND:
            yield Token(STRING, found, _plain_string(found), position)
        elif kind is _OPERATOR_KIND:
            symbol = "<>" if found == "!=" else found
            yield Token(symbol, found, symbol, position)
        elif kind is not _SPACE_KIND and kind is not _COMMENT_KIND:
            yield _rarer_token(kind, text, found, position)
        position += len(found)
    invariant(position == len(text) + 1, "sqlparse's lexer yields every character")
    yield Token(END, "", "", position)


def _rarer_token(kind: object, text: str, found: str, position: int) -> Token:
    if kind is _PARAMETER_KIND:
        return Token(PARAMETER, found, _parameter_number(found, position), position)
    if kind is _OTHER_NUMBER_KIND:
        return _number(found, position)
    if kind is _QUOTED_NAME_KIND:
        return Token(IDENTIFIER, found, _quoted_name(found, position), position)
    if kind is _ESCAPE_STRING_KIND:
        return Token(STRING, found, unescape(found[2:-1], position + 2), position)
    if kind is _UNICODE_STRING_KIND:
        return Token(STRING, found, _unicode_text(found, "'", position), position)
    if kind is _UNICODE_NAME_KIND:
        name = _unicode_text(found, '"', position)
        return Token(IDENTIFIER, found, _checked_name(name, position), position)
    if kind is _BYTES_KIND:
        return Token(BYTES, found, _hexadecimal_digits(found[2:-1], position + 2), position)
    if kind is _DOLLAR_STRING_KIND:
        tag_length = found.index("$", 1) + 1
        return Token(STRING, found, found[tag_length:-tag_length], position)
    raise _no_token(text, position)


def _fold(word: str) -> str:
    """Only ASCII letters have a lower case here, as in PostgreSQL's UTF-8 databases."""
    return word.encode().lower().decode()


def _check_length(name: str, position: int) -> None:
    length = len(name.encode())
    if length > MAX_IDENTIFIER_BYTES:
        raise NameTooLongError(
            f'the name "{name[:16]}..." is {length} bytes long; at most {MAX_IDENTIFIER_BYTES} are allowed',
            position=position,
        )


def _plain_string(found: str) -> str:
    body = found[1:-1]
    if "\n" in body or "\r" in body:
        body = _CONTINUATION_FORM.sub(lambda match: match[0] if match[0] == "''" else "", body)
    return body.replace("''", "'")


_CONTINUATION_FORM: Final = re.compile(f"''|{_CONTINUATION}")


def _unicode_text(found: str, quote: str, position: int) -> str:
    """The value of `U&'...'` or `U&"..."`, perhaps with UESCAPE."""
    end = found.rindex(quote) if found.endswith(quote) and quote == '"' else len(found) - 1
    escape = "\\"
    tail = _UNICODE_TAIL_FORM.search(found)
    if tail is not None:
        escape, end = tail[1], tail.start() - 1
    return unescape_unicode(found[3:end].replace(quote * 2, quote), escape, position)


_UNICODE_TAIL_FORM: Final = re.compile(r"\s+UESCAPE\s*'([^'])'\Z", re.IGNORECASE)


def _quoted_name(found: str, position: int) -> str:
    return _checked_name(found[1:-1].replace('""', '"'), position)


def _checked_name(name: str, position: int) -> str:
    if not name:
        raise SqlSyntaxError('zero-length delimited identifier at or near """"', position=position)
    _check_length(name, position)
    return name


def _parameter_number(found: str, position: int) -> str:
    number = found[1:]
    if number and not (number.isascii() and number.isdigit()):
        raise SqlSyntaxError(f'trailing junk after parameter at or near "{_clip(found)}"', position=position)
    return number


_DIGITS: Final = "[0-9]+(?:_[0-9]+)*"
_DECIMAL_INTEGER: Final = re.compile(_DIGITS)
_BASED_INTEGER: Final = re.compile(r"0(?:[xX](?:_?[0-9a-fA-F])+|[oO](?:_?[0-7])+|[bB](?:_?[01])+)")
_DECIMAL: Final = re.compile(rf"(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?")
_MAX_BASED_LENGTH: Final = 64
"""Characters of a hexadecimal, octal or binary number: enough for 64 bits, few enough to convert quickly."""


def _number(found: str, position: int) -> Token:
    if _DECIMAL_INTEGER.fullmatch(found):
        return Token(INTEGER, found, found.replace("_", ""), position)
    if _DECIMAL.fullmatch(found):
        return Token(DECIMAL, found, found.replace("_", ""), position)
    if _BASED_INTEGER.fullmatch(found):
        digits = found.replace("_", "")
        if len(digits) > 2 + _MAX_BASED_LENGTH:
            raise SqlSyntaxError(f'the number "{_clip(found)}" is too long', position=position)
        return Token(INTEGER, found, str(int(digits, 0)), position)
    raise SqlSyntaxError(f'trailing junk after numeric literal at or near "{_clip(found)}"', position=position)


def _hexadecimal_digits(digits: str, position: int) -> str:
    wrong = re.search("[^0-9a-fA-F]", digits)
    if wrong:
        raise InvalidTextRepresentationError(
            f'"{wrong.group()}" is not a valid hexadecimal digit', position=position + wrong.start()
        )
    if len(digits) % 2:
        raise SqlSyntaxError("X'...' needs an even number of hexadecimal digits", position=position)
    return digits


# --- what is no token -----------------------------------------------------------------------------------------------

_DOLLAR_TAG: Final = re.compile(r"\$(?:[^\W\d]\w*+)?\$")
_SHOWN_CHARACTERS: Final = 40


def _clip(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."


def _refuse_bad_characters(text: str) -> None:
    if "\0" in text:
        raise SqlSyntaxError("a statement cannot contain the character U+0000", position=text.index("\0") + 1)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise SqlSyntaxError("a lone surrogate is not a character", position=error.start + 1) from None


_OPERATORS_ELSEWHERE: Final = {
    "!": "NOT, or <> for different values",
    "@": "parameters as ? or $1",
    ":": "parameters as ? or $1",
}


def _no_token(text: str, position: int) -> SqlError:
    """The error for the text at `position`, where no pattern matched."""
    start = position - 1
    character = text[start]
    near = f'at or near "{_clip(text[start:])}"'
    if character in "bB":
        return FeatureNotSupportedError("bit strings are not supported", position=position)
    if character in "eExXuU'":
        return UnterminatedError(f"unterminated quoted string {near}", position=position)
    if character == '"':
        return UnterminatedError(f"unterminated quoted identifier {near}", position=position)
    if character == "$" and _DOLLAR_TAG.match(text, start):
        return UnterminatedError(f"unterminated dollar-quoted string {near}", position=position)
    if character == "`":
        return SqlSyntaxError('syntax error at or near "`"', position=position, hint='write names as "name"')
    if character.isascii() and character.isprintable():
        operator = _OPERATORS_ELSEWHERE.get(character)
        hint = operator and f"write {operator}"
        return SqlSyntaxError(f'syntax error at or near "{character}"', position=position, hint=hint)
    name = unicodedata.name(character, "a control character")
    return SqlSyntaxError(
        f"unexpected character U+{ord(character):04X} ({name})",
        position=position,
        hint='outside of quotes only letters, digits and ASCII signs may stand; write other names as "name"',
    )


# --- comments -------------------------------------------------------------------------------------------------------

_QUOTED_OR_COMMENT: Final = re.compile(
    rf"(?P<block>/\*)|{_ESCAPE_STRING}(?:'|\Z)|{_PLAIN_STRING}(?:'|\Z)|{_QUOTED_NAME}(?:\"|\Z)"
    rf"|{_DOLLAR_STRING}(?:(?P=tag)|\Z)|{_LINE_COMMENT}|{_WORD}"
)
"""What may hide a `/*`, closed or up to the end of the text, and what may hide the start of such a thing (a word)."""
_COMMENT_EDGE: Final = re.compile(r"/\*|\*/")


def _blank_block_comments(text: str) -> str:
    """`text` with every `/* ... */`, nested ones included, replaced by as many spaces."""
    if "/*" not in text:
        return text
    pieces: list[str] = []
    done = place = 0
    while match := _QUOTED_OR_COMMENT.search(text, place):
        place = match.end()
        if match["block"]:
            place = _end_of_comment(text, match.start())
            pieces += (text[done : match.start()], " " * (place - match.start()))
            done = place
    pieces.append(text[done:])
    return "".join(pieces)


def _end_of_comment(text: str, start: int) -> int:
    depth = 0
    for edge in _COMMENT_EDGE.finditer(text, start):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    raise UnterminatedError(f'unterminated /* comment at or near "{_clip(text[start:])}"', position=start + 1)


# --- several statements ---------------------------------------------------------------------------------------------


def split_statements(text: str) -> list[str]:
    """The statements of a script, each from its first to its last token, without the semicolon; empty ones left out.

    Where a text is no token, the rest of the script is one last piece: parsing it gives the error.
    """
    statements: list[str] = []
    first = last = 0
    try:
        for token in tokenize(text):
            if token.symbol not in (";", END):
                first = first or token.position
                last = token.position + len(token.text)
            elif first:
                statements.append(text[first - 1 : last - 1])
                first = 0
    except SqlError as error:
        start = first or error.position or 1
        statements.append(text[start - 1 :].strip())
    return statements


def is_complete(text: str) -> bool:
    """Whether a shell may send `text`: it is empty, or ends with a semicolon outside of quotes and comments."""
    symbol = ";"
    try:
        for token in tokenize(text):
            if token.symbol is not END:
                symbol = token.symbol
    except UnterminatedError:
        return False
    except SqlError:
        return text.rstrip().endswith(";")
    return symbol == ";"
