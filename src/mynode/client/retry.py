"""What is known of one statement over all its attempts, and so whether it may be tried again. Sync, without a clock.

| an attempt ended with                        | it may have been executed | try again |
|----------------------------------------------|---------------------------|-----------|
| no connection                                | no                        | yes       |
| the connection broke, the request not sent   | no                        | yes       |
| the connection broke, the request sent       | yes                       | yes       |
| a node's error that is retryable             | no                        | yes       |
| a node's error 40003, outcome unknown        | yes                       | yes       |
| any other error of a node                    | that is the answer        | no        |

Every further attempt has the same session and sequence number and says that it is a retry: the replicated outcome table
then answers for an earlier attempt that was applied.
"""

from __future__ import annotations

from random import Random
from typing import Final

from mynode.base.errors import (
    ConnectionFailedError,
    MyNodeError,
    NoQuorumError,
    OutcomeUnknownError,
    QueryCanceledError,
)

FIRST_BACKOFF_S: Final = 0.02
MAX_BACKOFF_S: Final = 0.5


class RetryState:
    """
    Attributes:
        is_cancelled: the caller wants no further attempt.
        is_unresolved: an attempt may have been executed and its outcome never came. Never turns back.
    """

    def __init__(self) -> None:
        self.is_cancelled = False
        self.is_unresolved = False
        self._told: MyNodeError | None = None
        self._rounds = 0

    def failed(self, error: MyNodeError, *, was_sent: bool, is_reply: bool) -> None:
        """An attempt ended with `error`, a node's reply or a broken connection.

        Returns if the statement may be tried again; else raises its error.
        """
        self.is_unresolved |= isinstance(error, OutcomeUnknownError) or (was_sent and not is_reply)
        if not self.is_cancelled and (error.retryable or isinstance(error, OutcomeUnknownError)):
            if self._told is None or not isinstance(error, ConnectionFailedError):
                self._told = error
            return
        if isinstance(error, QueryCanceledError) and self.is_unresolved:
            raise self._unknown() from error
        raise error

    def backoff_s(self, random: Random) -> float:
        """How long to wait once every node has failed; longer each time, at random so that clients spread out."""
        full = min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2.0**self._rounds)
        self._rounds = min(self._rounds + 1, 16)
        return full * random.uniform(0.5, 1.0)

    def at_end(self, *, is_waiting: bool) -> MyNodeError:
        """The statement's error when no attempt may follow; `is_waiting`: one was sent and is not answered."""
        self.is_unresolved |= is_waiting
        if self.is_unresolved:
            return self._unknown()
        if self._told is None:
            return ConnectionFailedError("no node could be reached in time")
        return self._told

    def _unknown(self) -> OutcomeUnknownError:
        told = self._told
        if isinstance(told, OutcomeUnknownError):
            return told
        why = "no quorum" if isinstance(told, NoQuorumError) else "no answer came in time"
        return OutcomeUnknownError(
            f"{why}: the statement may have been executed, or may still be",
            detail=told.message if told is not None else None,
        )
