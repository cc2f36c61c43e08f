"""The one error taxonomy.

Every error a user, client or operator can meet is a `MyNodeError`. Each class says three things:

- `sqlstate`: the five-character code that clients see (PostgreSQL's table of codes where it has one).
- `retryable`: the same request may succeed later, unchanged, and trying it again is safe.
- `deterministic`: every node reaches this error from the same replicated state, so during apply it is the
  transaction's result; a non-deterministic error during apply stops the node.

What a statement's text, types and data cause is in `sql_errors`; `remote_errors` gives a client the same class that the
node raised.
"""

from __future__ import annotations


class MyNodeError(Exception):
    """Base of all typed errors.

    Args:
        message: one sentence, lower case first letter as PostgreSQL does, that says what is wrong.
        position: 1-based character offset in the SQL text, or None.
        hint: what to do about it, or None.
        detail: the values concerned, or None.
    """

    sqlstate: str = "XX000"
    retryable: bool = False
    deterministic: bool = True

    def __init__(
        self, message: str, *, position: int | None = None, hint: str | None = None, detail: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.hint = hint
        self.detail = detail

    def __str__(self) -> str:
        return self.message


# --- our own mistakes ------------------------------------------------------------------------------------------------


class InvariantViolation(MyNodeError):
    """A mistake of ours: the node stops rather than go on with a state it does not understand."""

    deterministic = False


# --- start-up and configuration -------------------------------------------------------------------------------------


class ConfigError(MyNodeError):
    """A setting or an argument is missing or wrong."""

    sqlstate = "F0000"


class DataDirectoryError(MyNodeError):
    """The data directory cannot be used: not writable, locked by another process, or of another node."""

    sqlstate = "F0001"
    deterministic = False


class AddressInUseError(MyNodeError):
    """The listening address is taken."""

    sqlstate = "58000"
    deterministic = False


# --- storage --------------------------------------------------------------------------------------------------------


class DiskError(MyNodeError):
    """The disk failed (an I/O error, a failed fsync). The node that sees it stops."""

    sqlstate = "58030"
    deterministic = False


class DiskFullError(DiskError):
    """No space left on the device. Writes stop; reads go on; it recovers when there is room."""

    sqlstate = "53100"
    retryable = True


class CorruptionError(MyNodeError):
    """A checksum or a format rule does not hold.

    Args:
        file: the file's name inside the data directory, or its path.
        offset: bytes from the file's beginning; None where a whole file is meant.
    """

    sqlstate = "XX001"
    deterministic = False

    def __init__(self, message: str, *, file: str, offset: int | None, hint: str | None = None) -> None:
        where = file if offset is None else f"{file} at byte {offset}"
        super().__init__(f"{where}: {message}", hint=hint)
        self.file = file
        self.offset = offset
        self._problem = message

    def inside(self, directory: str) -> CorruptionError:
        """The same with the file's path, and what to do about it."""
        hint = f"The choices: mynode repair {directory}"
        return CorruptionError(self._problem, file=f"{directory}/{self.file}", offset=self.offset, hint=hint)


# --- cluster --------------------------------------------------------------------------------------------------------


class NoQuorumError(MyNodeError):
    """No leader with a quorum could be reached before the deadline; the statement was certainly not executed."""

    sqlstate = "57P03"
    retryable = True
    deterministic = False


class OutcomeUnknownError(MyNodeError):
    """The write was proposed and its outcome did not arrive in time; it may still be applied.

    Retryable only with the same session and sequence number: the replicated outcome table then answers.
    """

    sqlstate = "40003"
    deterministic = False


class NotLeaderError(MyNodeError):
    """Only the leader does what an operator asked for, and this node does not lead. PostgreSQL has no code for it."""

    sqlstate = "MN001"
    deterministic = False


class NotYetError(MyNodeError):
    """What an operator asked for has to wait for something that comes by itself; nothing was done."""

    sqlstate = "55006"
    retryable = True
    deterministic = False


class RemovedError(MyNodeError):
    """This node is no member of the cluster any more, and never will be again. PostgreSQL has no code for it."""

    sqlstate = "MN002"
    deterministic = False


class WrongIncarnationError(MyNodeError):
    """A node comes with another data directory than the one that the cluster knows of it."""

    sqlstate = "MN003"
    deterministic = False


class OperationRefusedError(MyNodeError):
    """The cluster is not in a state in which it does what an operator asked for; nothing was done."""

    sqlstate = "55000"
    deterministic = False


class SessionForgottenError(MyNodeError):
    """The session was idle for so long that the outcome table has forgotten it; nothing was executed.

    Sent again with a floor that is the version of this very answer, the statement goes through.
    """

    sqlstate = "57P05"
    retryable = True
    deterministic = False


class ShuttingDownError(MyNodeError):
    """The node is stopping; another node can serve the request."""

    sqlstate = "57P01"
    retryable = True
    deterministic = False

    @classmethod
    def of_node(cls) -> ShuttingDownError:
        """What every part of a node that stops answers."""
        return cls("the node is stopping", hint="Another node can serve the request.")


class NodeBusyError(MyNodeError):
    """A bound of the node (sessions, queue) is reached; nothing was executed."""

    sqlstate = "53300"
    retryable = True
    deterministic = False


class ConnectionFailedError(MyNodeError):
    """A client could not reach any node."""

    sqlstate = "08001"
    retryable = True
    deterministic = False


class ClientClosedError(MyNodeError):
    """The client or connection was closed by its owner, before the call or while it waited."""

    sqlstate = "08003"
    deterministic = False


class ProtocolViolationError(MyNodeError):
    """A peer or a client sent what the wire format does not allow."""

    sqlstate = "08P01"
    deterministic = False


# --- cancellation -----------------------------------------------------------------------------------------------------


class QueryCanceledError(MyNodeError):
    """Cancelled by the client, or over its deadline before anything was proposed. No result of the statement itself."""

    sqlstate = "57014"
    deterministic = False
