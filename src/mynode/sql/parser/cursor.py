"""The place in the statement that the parser has reached."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Final, Protocol

from mynode.base.limits import MAX_NESTING, MAX_PARAMETERS
from mynode.base.sql_errors import (
    FeatureNotSupportedError,
    ProgramLimitExceededError,
    SqlSyntaxError,
    StatementTooComplexError,
    UndefinedParameterError,
)
from mynode.sql import ast
from mynode.sql.keywords import SYMBOLS, TABLE_OR_COLUMN_NAMES
from mynode.sql.other_databases import hint_for_syntax
from mynode.sql.tokens import END, IDENTIFIER, Token, tokenize
from mynode.values.types import TYPE_NAMES

_NAMES: Final = TABLE_OR_COLUMN_NAMES | {IDENTIFIER}
_LONGEST_WORD_SHOWN: Final = 40
_MOST_WORDS_SHOWN: Final = 6
"""Beside a word that is taken for what was meant."""
_SHORTEST_SLIP: Final = 3
_LIKENESS: Final = 0.65
"""How like a keyword a word must be (difflib's ratio) to be taken for a slip of it: STE of SET is."""


class QueryParser(Protocol):
    """What parses a query. `left` is one that has been parsed, in its parentheses, and that a set operation or the
    like goes on with.
    """

    def __call__(self, cursor: Cursor, left: ast.Query | None = None) -> ast.Query: ...


class ExpressionParser(Protocol):
    """What parses the longest expression whose operators bind tighter than `power`."""

    def __call__(self, cursor: Cursor, power: int = 0) -> ast.Expression: ...


class Cursor:
    """The current token, one of look-ahead, and what was expected in vain at the current one.

    Attributes:
        token: the current token; END at the end, which `advance` never leaves.
        symbol: `token.symbol`, an attribute of its own because the parser looks at it all the time.
        following: the token after `token`.
        depth: levels open around the current token: one an expression, several a query; at most MAX_NESTING.
        height: of the tallest tree parsed since the innermost open level began. Both together bound the tree:
            `depth` what nests to the right and in parentheses, `height` what leans to the left (`1 + 1 + 1 ...`).
        as_of: the time that the statement reads, by an AS OF SYSTEM TIME so far.
        query_parser: expressions hold queries and queries expressions; this breaks the circle of their modules.
        expression_parser: the same for what calls and ORDER BY hold.
    """

    __slots__ = (
        "_expected",
        "_parameter_style",
        "_parameters",
        "_parameters_allowed",
        "_previous",
        "_text",
        "_tokens",
        "as_of",
        "depth",
        "expression_parser",
        "following",
        "height",
        "query_parser",
        "symbol",
        "token",
    )

    def __init__(self, text: str, query_parser: QueryParser, expression_parser: ExpressionParser) -> None:
        self._tokens = tokenize(text)
        self.token: Token = next(self._tokens)
        self.symbol: str = self.token.symbol
        self.following: Token = next(self._tokens, self.token)
        self._previous: Token = self.token
        self._expected: list[str] = []
        self._text = text
        self._parameter_style = ""
        self._parameters = 0
        self._parameters_allowed = True
        self.query_parser = query_parser
        self.expression_parser = expression_parser
        self.as_of: ast.IntegerLiteral | ast.StringLiteral | None = None
        self.depth = 0
        self.height = 0

    # --- moving -----------------------------------------------------------------------------------------------------

    def advance(self) -> Token:
        """Take the current token."""
        self._previous = taken = self.token
        self.token = following = self.following
        self.symbol = following.symbol
        self.following = next(self._tokens, following)
        if self._expected:
            self._expected.clear()
        return taken

    def accept(self, symbol: str) -> bool:
        """Take the current token if it is `symbol`, and say whether it was."""
        if self.symbol == symbol:
            self.advance()
            return True
        self._expected.append(symbol)
        return False

    def expect(self, symbol: str) -> Token:
        """Take the current token, which must be `symbol`."""
        if self.symbol != symbol:
            raise self.error(symbol)
        return self.advance()

    def accept_words(self, first: str, *rest: str) -> bool:
        """Take `first` and the words that must come with it, as ORDER BY, if `first` is here."""
        if self.symbol != first:
            self._expected.append(" ".join((first, *rest)))
            return False
        self.advance()
        for word in rest:
            self.expect(word)
        return True

    def hint(self, *words: str) -> None:
        """Words that could stand here, for which nobody has asked by `accept`."""
        self._expected += words

    def at_name(self) -> bool:
        """Whether the current token can name a table, a column or an alias."""
        return self.symbol in _NAMES

    def name(self, what: str) -> Token:
        """Take the name of a table, a column or an alias. `what` names it in an error, as `a table name`."""
        if self.symbol not in _NAMES:
            reserved = self.symbol in SYMBOLS.values()
            quoted = f'expected {what}; {self.symbol} is reserved: as a name it needs quotes, "{self.token.value}"'
            raise self.error(what, hint=quoted if reserved else None)
        return self.advance()

    def parameter(self) -> int:
        """Take a parameter and give its number, from 1."""
        token = self.advance()
        style = token.text[0]
        if style != (self._parameter_style or style):
            raise SqlSyntaxError("a statement cannot mix ? and $1 parameters", position=token.position)
        self._parameter_style = style
        self._parameters += 1
        digits = token.value.lstrip("0")
        if not self._parameters_allowed or (style == "$" and not digits):
            raise UndefinedParameterError(f"there is no parameter {token.text[:10]}", position=token.position)
        number = self._parameters if style == "?" else int(digits[:6])
        if number > MAX_PARAMETERS:
            raise ProgramLimitExceededError(
                f"a statement can have at most {MAX_PARAMETERS:,} parameters", position=token.position
            )
        return number

    @contextmanager
    def without_parameters(self) -> Iterator[None]:
        """Refuse parameters in the meantime: in what the schema keeps they would have no values."""
        self._parameters_allowed = False
        yield
        self._parameters_allowed = True

    def text_since(self, position: int) -> str:
        """The text from `position` to the end of the last token taken."""
        return self._text[position - 1 : self._previous.position + len(self._previous.text) - 1]

    # --- nesting ----------------------------------------------------------------------------------------------------

    def open(self, levels: int) -> int:
        """Begin something that counts as so many levels; `close` wants the answer. (Expressions do it themselves.)"""
        self.depth += levels
        if self.depth > MAX_NESTING:
            raise self.too_complex()
        tallest_before, self.height = self.height, 0
        return tallest_before

    def grow(self) -> None:
        """All that was parsed since `open` goes below a new node."""
        self.height += 1
        if self.height + self.depth > MAX_NESTING:
            raise self.too_complex()

    def close(self, levels: int, tallest_before: int) -> None:
        self.depth -= levels
        self.height = max(tallest_before, self.height + levels)

    # --- errors -----------------------------------------------------------------------------------------------------

    def error(self, *expected: str, hint: str | None = None) -> SqlSyntaxError:
        """The current token cannot stand here; `expected` or what was tried in vain could."""
        token = self.token
        wanted = list(dict.fromkeys((*self._expected, *expected)))
        elsewhere = hint_for_syntax(_word(self._previous), _word(token), _word(self.following), wanted)
        if elsewhere is not None:
            hint = elsewhere
        elif hint is None and wanted:
            hint = f"expected {_join(wanted)}"
            meant = self._meant(wanted)
            if meant:
                hint = (
                    f"did you mean {meant}? {hint}"
                    if 1 < len(wanted) <= _MOST_WORDS_SHOWN
                    else f"did you mean {meant}?"
                )
        shown = token.text if len(token.text) <= _LONGEST_WORD_SHOWN else token.text[:_LONGEST_WORD_SHOWN] + "..."
        near = "at end of input" if token.symbol == END else f'at or near "{shown}"'
        return SqlSyntaxError(f"syntax error {near}", position=token.position, hint=hint)

    def _meant(self, wanted: list[str]) -> str | None:
        """The wanted keyword that the current word, or the one before (taken for an alias), is a slip of."""
        keywords = [phrase.split()[0] for phrase in wanted if phrase.isupper()]
        for token in (self.token, self._previous):
            word = _word(token)
            is_type = token is self._previous and word in TYPE_NAMES
            if token.symbol == IDENTIFIER and len(word) >= _SHORTEST_SLIP and not is_type:
                for match in get_close_matches(word, keywords, n=1, cutoff=_LIKENESS):
                    return match
        return None

    def unsupported(self, what: str) -> FeatureNotSupportedError:
        """The current token begins something that is SQL but not built yet; `what` ends with `is` or `are`."""
        return FeatureNotSupportedError(f"{what} not supported yet", position=self.token.position)

    def too_complex(self) -> StatementTooComplexError:
        """The expression at the current token is one too deep."""
        return StatementTooComplexError(
            f"the statement is nested more than {MAX_NESTING} deep", position=self.token.position
        )


def _word(token: Token) -> str:
    """The symbol, the number, or the word in upper case; nothing of what is quoted."""
    return "" if token.text[:1] in ('"', "'") else token.text.upper()


def _join(wanted: list[str]) -> str:
    shown = [f'"{symbol}"' if not symbol[0].isalpha() else symbol for symbol in wanted]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"
