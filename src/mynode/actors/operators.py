"""What operators ask of raft, from the ask to its one answer; a part of the raft actor."""

from __future__ import annotations

from mynode.actors.mailbox import Reply
from mynode.actors.protocol import TransferAsk
from mynode.base.errors import MyNodeError, NotLeaderError, OperationRefusedError
from mynode.base.ids import NodeId
from mynode.raft import events
from mynode.raft.effects import Effects, LeaderChange, TransferRefusal, TransferRefused


class OperatorAsks:
    """The asks that wait for the core's answer, or for another leader.

    Invariant: each ask is answered once: by a refusal, by what came of it, or by `refuse_all`.
    """

    def __init__(self, node_id: NodeId) -> None:
        self._node_id = node_id
        self._transfers: list[TransferAsk] = []

    def transfer(self, ask: TransferAsk) -> events.Event:
        self._transfers = [each for each in self._transfers if not each.reply.abandoned]
        self._transfers.append(ask)
        return events.TransferLeadership(ask.to)

    def carry_out(self, effects: Effects) -> None:
        """Answer what this step of the core settled."""
        for refused in effects.transfers_refused:
            self._refuse_transfer(refused)
        if effects.leader_change is not None:
            self._leader_changed(effects.leader_change)

    def refuse_all(self, error: MyNodeError) -> None:
        """The node stops."""
        for ask in self._transfers:
            ask.reply.answer(error)
        self._transfers.clear()

    def _leader_changed(self, change: LeaderChange) -> None:
        if change.leader not in (None, self._node_id):
            for ask in self._take_transfers():
                ask.reply.answer(change.leader)

    def _refuse_transfer(self, refused: TransferRefused) -> None:
        for ask in self._take_transfers(refused.to):
            _answer_refused(ask.reply, refused, self._node_id)

    def _take_transfers(self, *to: NodeId | None) -> list[TransferAsk]:
        """Those to these nodes; all, if none is named."""
        taken = [ask for ask in self._transfers if not to or ask.to in to]
        self._transfers = [ask for ask in self._transfers if ask not in taken]
        return taken


def _answer_refused(reply: Reply[NodeId], refused: TransferRefused, node_id: NodeId) -> None:
    who = "" if refused.to is None else f" to node {refused.to}"
    match refused.reason:
        case TransferRefusal.LEADS_ALREADY:
            reply.answer(node_id)
        case TransferRefusal.NOT_LEADER:
            reply.answer(
                NotLeaderError(f"node {node_id} does not lead", hint="Ask the leader; `mynode status` names it.")
            )
        case reason:
            reply.answer(OperationRefusedError(f"leadership was not handed over{who}: {reason.value}"))
