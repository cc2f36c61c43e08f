"""The key codec against the comparison of values, and text forms that read back."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from mynode.values.compare import compare, float_equal, float_less, float_less_or_equal, order_key
from mynode.values.key_codec import column_encoder, decode_key, encode_key, encode_value
from mynode.values.text import format_text, parse_text
from mynode.values.types import BOOLEAN, FLOAT, INTEGER, MAX_INTEGER, MIN_INTEGER, TEXT, Value

INTEGERS = st.one_of(st.integers(MIN_INTEGER, MAX_INTEGER), st.integers(-300, 300))
FLOATS = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, float("nan"), float("inf"), float("-inf"), 5e-324]))
TEXTS = st.one_of(st.text(), st.text(alphabet="\0\x01aÿ\uffff😀", max_size=4))
TYPES = [st.none() | st.booleans(), st.none() | INTEGERS, st.none() | FLOATS, st.none() | TEXTS]

PAIRS = st.one_of([st.tuples(values, values) for values in TYPES])
KEYS = st.lists(st.sampled_from(TYPES), min_size=1, max_size=4).flatmap(
    lambda columns: st.tuples(st.tuples(*columns), st.tuples(*columns))
)


def same(left: Value, right: Value) -> bool:
    return order_key(left) == order_key(right)


@given(PAIRS)
def test_bytes_are_ordered_as_values(pair: tuple[Value, Value]) -> None:
    left, right = pair
    assert (encode_value(left) < encode_value(right)) == (order_key(left) < order_key(right))
    assert (encode_value(left) == encode_value(right)) == same(left, right)
    order = compare(left, right)
    if order is not None:
        assert (encode_value(left) > encode_value(right)) - (encode_value(left) < encode_value(right)) == order


@given(KEYS)
def test_keys_of_several_values_are_ordered_by_the_first_that_differs(keys: tuple[tuple[Value, ...], ...]) -> None:
    left, right = keys
    order = ([order_key(value) for value in left] > [order_key(value) for value in right]) - (
        [order_key(value) for value in left] < [order_key(value) for value in right]
    )
    assert (encode_key(left) > encode_key(right)) - (encode_key(left) < encode_key(right)) == order


@given(KEYS)
def test_a_prefix_of_the_values_bounds_all_keys_that_begin_with_it(keys: tuple[tuple[Value, ...], ...]) -> None:
    left, right = keys
    for length in range(len(left) + 1):
        prefix = encode_key(left[:length])
        inside = prefix <= encode_key(right) < prefix + b"\xff"
        assert inside == all(map(same, left[:length], right[:length]))


@given(KEYS, st.lists(st.tuples(st.booleans(), st.booleans()), min_size=4, max_size=4))
def test_columns_of_an_index_are_ordered_as_they_say(
    keys: tuple[tuple[Value, ...], ...], orders: list[tuple[bool, bool]]
) -> None:
    def order_of(values: tuple[Value, ...]) -> list[object]:
        """What sorts ascending as the columns say."""
        made: list[object] = []
        for value, (descending, nulls_first) in zip(values, orders, strict=False):
            if value is None:
                made.append((-1 if nulls_first else 1,))
            else:
                made.append((0, Reversed(order_key(value)) if descending else order_key(value)))
        return made

    def encode(values: tuple[Value, ...]) -> bytes:
        return b"".join(
            column_encoder(descending=descending, nulls_first=nulls_first)(value)
            for value, (descending, nulls_first) in zip(values, orders, strict=False)
        )

    left, right = keys
    assert (encode(left) < encode(right)) == (order_of(left) < order_of(right))
    assert (encode(left) == encode(right)) == all(map(same, left, right))
    for length in range(len(left) + 1):
        prefix = encode(left[:length])
        inside = prefix <= encode(right) < prefix + b"\xff"
        assert inside == all(map(same, left[:length], right[:length]))


@dataclass(frozen=True)
class Reversed:
    """Sorts the other way round."""

    key: tuple[object, ...]

    def __lt__(self, other: Reversed) -> bool:
        return other.key < self.key


@given(KEYS)
def test_keys_read_back(keys: tuple[tuple[Value, ...], ...]) -> None:
    values = decode_key(encode_key(keys[0]))
    assert len(values) == len(keys[0])
    assert all(map(same, values, keys[0]))
    assert [type(value) for value in values] == [type(value) for value in keys[0]]
    assert decode_key(b"any prefix" + encode_key(keys[0]), 10) == values or any(value != value for value in values)


@given(FLOATS, FLOATS)
def test_comparisons_of_floats_agree_with_their_order(left: float, right: float) -> None:
    order = compare(left, right)
    assert float_equal(left, right) == (order == 0)
    assert float_less(left, right) == (order == -1)
    assert float_less_or_equal(left, right) == (order != 1)


@given(FLOATS)
def test_text_forms_of_floats_read_back(value: float) -> None:
    found = parse_text(format_text(value), FLOAT)
    assert isinstance(found, float)
    assert float_equal(found, value)
    assert repr(found) == repr(value) or value != value


@given(INTEGERS, st.booleans(), st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_other_text_forms_read_back(number: int, truth: bool, text: str) -> None:
    assert parse_text(format_text(number), INTEGER) == number
    assert parse_text(format_text(truth), BOOLEAN) is truth
    assert parse_text(format_text(text), TEXT) == text
