"""The key codec against the comparison of values, and text forms that read back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal

import msgpack
from hypothesis import given
from hypothesis import strategies as st

from mynode.values.compare import (
    compare,
    float_equal,
    float_less,
    float_less_or_equal,
    numeric_equal,
    numeric_less,
    numeric_less_or_equal,
    order_key,
)
from mynode.values.key_codec import column_encoder, decode_key, encode_key, encode_value
from mynode.values.packing import pack_value, unpack_value
from mynode.values.text import format_text, parse_text
from mynode.values.types import (
    BOOLEAN,
    BYTEA,
    DATE,
    FLOAT,
    INTEGER,
    MAX_INTEGER,
    MIN_INTEGER,
    NUMERIC,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    SqlType,
    Value,
)

INTEGERS = st.one_of(st.integers(MIN_INTEGER, MAX_INTEGER), st.integers(-300, 300))
FLOATS = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, float("nan"), float("inf"), float("-inf"), 5e-324]))
TEXTS = st.one_of(st.text(), st.text(alphabet="\0\x01aÿ\uffff😀", max_size=4))
NUMERICS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-50, max_value=50),
    st.tuples(st.integers(-1_000, 1_000), st.integers(0, 40)).map(lambda pair: Decimal(pair[0]).scaleb(-pair[1])),
    st.integers(-(10**40), 10**40).map(Decimal),
    st.sampled_from([Decimal(text) for text in ("0", "0.00", "1", "1.00", "NaN", "Infinity", "-Infinity", "-1.0")]),
).map(lambda value: value if value else abs(value))
BYTES = st.one_of(st.binary(), st.lists(st.sampled_from([0, 1, 0xFE, 0xFF])).map(bytes))
DATES, UUIDS = st.dates(), st.uuids()
TIMESTAMPS, ZONED = (
    st.datetimes(timezones=st.just(zone)).map(lambda value: value.replace(fold=0)) for zone in (None, UTC)
)
OTHERS: dict[SqlType, st.SearchStrategy[Value]] = {
    NUMERIC: NUMERICS,
    BYTEA: BYTES,
    DATE: DATES,
    TIMESTAMP: TIMESTAMPS,
    TIMESTAMPTZ: ZONED,
    UUID: UUIDS,
}
TYPES = [st.none() | values for values in (st.booleans(), INTEGERS, FLOATS, TEXTS, *OTHERS.values())]

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


@given(NUMERICS, NUMERICS)
def test_comparisons_of_numerics_agree_with_their_order(left: Decimal, right: Decimal) -> None:
    order = compare(left, right)
    assert numeric_equal(left, right) == (order == 0)
    assert numeric_less(left, right) == (order == -1)
    assert numeric_less_or_equal(left, right) == (order != 1)


@given(NUMERICS.filter(Decimal.is_finite), st.integers(0, 20))
def test_a_numeric_has_the_same_key_at_every_scale(value: Decimal, zeros: int) -> None:
    scaled = Decimal(f"{value:f}{'' if '.' in f'{value:f}' else '.'}{'0' * zeros}")
    assert scaled == value
    assert encode_value(scaled) == encode_value(value)


@given(st.sampled_from(list(OTHERS)).flatmap(lambda one: st.tuples(st.just(one), OTHERS[one])))
def test_text_forms_of_the_other_types_read_back(pair: tuple[SqlType, Value]) -> None:
    sql_type, value = pair
    found = parse_text(format_text(value), sql_type)
    assert same(found, value)
    assert repr(found) == repr(value)


@given(st.one_of(TYPES))
def test_values_in_msgpack_read_back(value: Value) -> None:
    packed = msgpack.packb((value,), default=pack_value)
    (found,) = msgpack.unpackb(packed, use_list=False, ext_hook=unpack_value)
    assert repr(found) == repr(value)


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
