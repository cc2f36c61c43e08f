"""What operators ask of raft, from the ask to its one answer; a part of the raft actor."""

from __future__ import annotations

from mynode.actors.mailbox import Reply
from mynode.actors.protocol import ChangeAsk, TransferAsk
from mynode.base.errors import MyNodeError, NotLeaderError, NotYetError, OperationRefusedError
from mynode.base.ids import NodeId, ProposalId
from mynode.raft import events
from mynode.raft.effects import Effects, LeaderChange, TransferRefusal, TransferRefused
from mynode.raft.membership import ChangeRefusal, Membership, decode_membership


class OperatorAsks:
    """The asks that wait for the core's answer, or for another leader.

    Invariant: each ask is answered once: by a refusal, by what came of it, or by `refuse_all`.
    """

    def __init__(self, node_id: NodeId) -> None:
        self._node_id = node_id
        self._transfers: list[TransferAsk] = []
        self._changes: dict[ProposalId, Reply[Membership]] = {}

    def take(self, ask: TransferAsk | ChangeAsk) -> events.Event:
        """The ask as an event of the core."""
        if isinstance(ask, ChangeAsk):
            return self._change(ask)
        self._transfers = [each for each in self._transfers if not each.reply.abandoned]
        self._transfers.append(ask)
        return events.TransferLeadership(ask.to)

    def _change(self, ask: ChangeAsk) -> events.Event:
        self._changes = {id_: reply for id_, reply in self._changes.items() if not reply.abandoned}
        self._changes[ask.id] = ask.reply
        return events.ChangeMembership(ask.id, ask.change)

    def carry_out(self, effects: Effects) -> None:
        """Answer what this step of the core settled."""
        if self._changes:
            for entry in effects.committed:
                if entry.proposal_id in self._changes:
                    self._changes.pop(entry.proposal_id).answer(decode_membership(entry.payload))
        for change in effects.changes_refused:
            if change.id in self._changes:
                self._changes.pop(change.id).answer(self._refusal(change.reason))
        for refused in effects.transfers_refused:
            self._refuse_transfer(refused)
        if effects.leader_change is not None:
            self._leader_changed(effects.leader_change)

    def refuse_all(self, error: MyNodeError) -> None:
        """The node stops."""
        for ask in self._transfers:
            ask.reply.answer(error)
        for reply in self._changes.values():
            reply.answer(error)
        self._transfers.clear()
        self._changes.clear()

    def _leader_changed(self, change: LeaderChange) -> None:
        if change.leader not in (None, self._node_id):
            for ask in self._take_transfers():
                ask.reply.answer(change.leader)

    def _refuse_transfer(self, refused: TransferRefused) -> None:
        for ask in self._take_transfers(refused.to):
            match refused.reason:
                case TransferRefusal.LEADS_ALREADY:
                    ask.reply.answer(self._node_id)
                case TransferRefusal.NOT_LEADER:
                    ask.reply.answer(self._not_leader())
                case reason:
                    who = "" if refused.to is None else f" to node {refused.to}"
                    ask.reply.answer(OperationRefusedError(f"leadership was not handed over{who}: {reason.value}"))

    def _refusal(self, reason: ChangeRefusal) -> MyNodeError:
        if reason in (ChangeRefusal.NOT_LEADER, ChangeRefusal.OVERTAKEN):
            return self._not_leader()
        if reason in (ChangeRefusal.CHANGE_RUNNING, ChangeRefusal.NOT_CAUGHT_UP):
            return NotYetError(f"the members cannot be changed yet: {reason.value}")
        return OperationRefusedError(f"the members were not changed: {reason.value}")

    def _not_leader(self) -> NotLeaderError:
        return NotLeaderError(f"node {self._node_id} does not lead", hint="Ask the leader; `mynode status` names it.")

    def _take_transfers(self, *to: NodeId | None) -> list[TransferAsk]:
        """Those to these nodes; all, if none is named."""
        taken = [ask for ask in self._transfers if not to or ask.to in to]
        self._transfers = [ask for ask in self._transfers if ask not in taken]
        return taken
