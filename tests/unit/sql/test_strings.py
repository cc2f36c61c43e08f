"""LIKE against a definition by recursion."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mynode.sql.functions.strings import ilike, like


def matches(text: str, pattern: str) -> bool:
    """What LIKE means without an escape."""
    if not pattern:
        return not text
    if pattern[0] == "%":
        return any(matches(text[start:], pattern[1:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] in ("_", text[0]) and matches(text[1:], pattern[1:])


@given(st.text("ab\n", max_size=8), st.text("ab\n%_", max_size=7))
def test_like_means_what_it_says(text: str, pattern: str) -> None:
    assert like(text, pattern, "") == matches(text, pattern)


@given(st.text("aB.*", max_size=6), st.text("Ab.*%_", max_size=6))
def test_ilike_is_like_in_one_case(text: str, pattern: str) -> None:
    assert ilike(text, pattern, "") == like(text.lower(), pattern.lower(), "")


@given(st.text("a%_!", max_size=6))
def test_an_escaped_text_matches_only_itself(text: str) -> None:
    pattern = "".join(f"!{character}" for character in text)
    assert like(text, pattern, "!")
    assert not like(text + "a", pattern, "!")
