"""Where a session stands between two statements: its open transaction, its state, and what its client knows of that."""

from __future__ import annotations

from dataclasses import replace

from mynode.base.errors import ProtocolViolationError
from mynode.base.sql_errors import NoActiveTransactionError
from mynode.session.api import TransactionStatus
from mynode.session.settings import Settings
from mynode.session.state import EMPTY_STATE, SessionState, decode_state
from mynode.session.transaction_block import TransactionBlock


class Standing:
    """
    Attributes:
        block: the open transaction.
        state: settings and prepared statements.
    """

    __slots__ = ("_told_state", "block", "state")

    def __init__(self) -> None:
        self.block: TransactionBlock | None = None
        self.state: SessionState = EMPTY_STATE
        self._told_state: SessionState = EMPTY_STATE

    @property
    def transaction_status(self) -> TransactionStatus:
        return TransactionStatus.IDLE if self.block is None else self.block.status

    # --- the transaction ---------------------------------------------------------------------------------------------

    def block_for(self, command: str) -> TransactionBlock:
        if self.block is None:
            raise NoActiveTransactionError(f"{command} can only be used in transaction blocks")
        return self.block

    def check_usable(self) -> None:
        """Raises what a statement in a failed transaction is told."""
        if self.block is not None:
            self.block.check_usable()

    def end_block(self) -> Settings:
        """No transaction is open; the settings are those from before it. Returns those that a COMMIT keeps."""
        settings = self.state.settings.without_local()
        if self.block is not None:
            self.use(self.block.settings)
            self.block = None
        return settings

    # --- the state ---------------------------------------------------------------------------------------------------

    def use(self, settings: Settings) -> None:
        if settings is not self.state.settings:
            self.state = replace(self.state, settings=settings)

    def restore(self, encoded: bytes) -> None:
        """The client comes from another node, or over another connection."""
        if self.block is not None:
            raise ProtocolViolationError("a session's state came in its transaction")
        self.state = self._told_state = decode_state(encoded)

    def news(self) -> bytes | None:
        """The state as the client shall keep it, if it does not know. What a transaction sets it hears after COMMIT."""
        if self.state is self._told_state:
            return None
        state = self.state if self.block is None else replace(self.state, settings=self.block.settings)
        encoded = state.encoded()
        is_news = encoded != self._told_state.encoded()
        self._told_state = state
        return encoded if is_news else None
