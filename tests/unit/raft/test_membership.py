"""Configurations: their changes, their encoding, and which one counts."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mynode.base.errors import ProtocolViolationError
from mynode.raft.membership import (
    ChangeKind,
    ChangeRefusal,
    Membership,
    MembershipChange,
    Memberships,
    decode_membership,
    encode_membership,
)
from mynode.raft.messages import Entry, EntryKind

THREE = Membership({1: "a", 2: "b", 3: "c"})
GONE = Membership({1: "a", 2: "b", 3: "c"}, removed=frozenset({4}))
NINE = Membership({number: f"n{number}" for number in range(1, 10)})
WITH_LEARNER = Membership({1: "a", 2: "b", 3: "c"}, {4: "d"})


def config(index: int, membership: Membership) -> Entry:
    return Entry(1, index, EntryKind.CONFIG, b"", encode_membership(membership))


def test_a_learner_is_added_promoted_and_removed() -> None:
    added = THREE.after(MembershipChange(ChangeKind.ADD_LEARNER, 4, "d"))
    assert added == WITH_LEARNER
    promoted = WITH_LEARNER.after(MembershipChange(ChangeKind.PROMOTE, 4))
    assert promoted == Membership({1: "a", 2: "b", 3: "c", 4: "d"})
    assert isinstance(promoted, Membership)
    gone = Membership(THREE.voters, removed=frozenset({4}))
    assert promoted.after(MembershipChange(ChangeKind.REMOVE, 4)) == gone
    assert WITH_LEARNER.after(MembershipChange(ChangeKind.REMOVE, 4)) == gone


@pytest.mark.parametrize(
    ("membership", "change", "refusal"),
    [
        (THREE, MembershipChange(ChangeKind.ADD_LEARNER, 3, "x"), ChangeRefusal.MEMBER_ALREADY),
        (WITH_LEARNER, MembershipChange(ChangeKind.ADD_LEARNER, 4, "d"), ChangeRefusal.MEMBER_ALREADY),
        (THREE, MembershipChange(ChangeKind.ADD_LEARNER, 4, "c"), ChangeRefusal.ADDRESS_TAKEN),
        (GONE, MembershipChange(ChangeKind.ADD_LEARNER, 4, "d"), ChangeRefusal.REMOVED_BEFORE),
        (NINE, MembershipChange(ChangeKind.ADD_LEARNER, 10, "x"), ChangeRefusal.TOO_MANY),
        (THREE, MembershipChange(ChangeKind.PROMOTE, 4), ChangeRefusal.NOT_MEMBER),
        (THREE, MembershipChange(ChangeKind.PROMOTE, 3), ChangeRefusal.NOT_LEARNER),
        (THREE, MembershipChange(ChangeKind.REMOVE, 4), ChangeRefusal.NOT_MEMBER),
        (Membership({1: "a"}, {2: "b"}), MembershipChange(ChangeKind.REMOVE, 1), ChangeRefusal.LAST_VOTER),
    ],
)
def test_impossible_changes(membership: Membership, change: MembershipChange, refusal: ChangeRefusal) -> None:
    assert membership.after(change) is refusal


@pytest.mark.parametrize(("voters", "quorum"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (7, 4)])
def test_a_quorum_is_a_majority_of_the_voters(voters: int, quorum: int) -> None:
    assert Membership(dict.fromkeys(range(1, voters + 1), ""), {99: ""}).quorum == quorum


def test_a_configuration_is_read_as_written() -> None:
    for membership in (WITH_LEARNER, GONE):
        assert decode_membership(encode_membership(membership)) == membership


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        msgpack.packb([]),
        msgpack.packb([[], [], []]),
        msgpack.packb([[[1, "a"]], [[1, "a"]], []]),
        msgpack.packb([[[1, "a"], [1, "b"]], [], []]),
        msgpack.packb([[[0, "a"]], [], []]),
        msgpack.packb([[[1, 2]], [], []]),
        msgpack.packb([[7], [], []]),
        msgpack.packb([[[1, "a"]], [], ["x"]]),
        msgpack.packb([[[1, "a"]], [], [1]]),
        msgpack.packb([[[1, "a"]], []]),
        msgpack.packb({1: 2}),
    ],
)
def test_what_is_no_configuration_is_refused(payload: bytes) -> None:
    with pytest.raises(ProtocolViolationError):
        decode_membership(payload)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_configuration_or_refused(payload: bytes) -> None:
    try:
        membership = decode_membership(payload)
    except ProtocolViolationError:
        return
    assert membership.voters


def test_the_newest_counts_until_it_is_cut_off() -> None:
    memberships = Memberships(0, THREE)
    assert memberships.appended([config(5, WITH_LEARNER)])
    assert (memberships.newest, memberships.newest_index) == (WITH_LEARNER, 5)
    assert not memberships.truncated(6)
    assert memberships.truncated(5)
    assert (memberships.newest, memberships.newest_index) == (THREE, 0)


def test_the_configuration_as_of_a_snapshot() -> None:
    memberships = Memberships(0, THREE)
    memberships.appended([config(5, WITH_LEARNER), config(9, THREE)])
    assert memberships.at(4) == THREE
    assert memberships.at(8) == WITH_LEARNER
    memberships.forget_before(7)
    assert memberships.at(8) == WITH_LEARNER
    assert memberships.counting(8) == [WITH_LEARNER, THREE]
    assert memberships.counting(9) == [THREE]
