"""Every method of protos/: its route, who streams, and its messages. Server and client share this table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from grpclib.const import Cardinality

from mynode.rpc.generated.mynode.v1 import (
    AddMemberRequest,
    ExecuteRequest,
    ExecuteResponse,
    ListMembersRequest,
    MembersResponse,
    PeerFrame,
    PromoteMemberRequest,
    RemoveMemberRequest,
    SessionFrame,
    StatusRequest,
    StatusResponse,
    StreamResponse,
    TransferLeadershipRequest,
    TransferLeadershipResponse,
)
from mynode.rpc.protobuf import ProtoMessage

Request = TypeVar("Request", bound=ProtoMessage)
Response = TypeVar("Response", bound=ProtoMessage)


@dataclass(frozen=True, slots=True)
class Method(Generic[Request, Response]):
    route: str
    cardinality: Cardinality
    request: type[Request]
    response: type[Response]


EXECUTE: Final = Method("/mynode.v1.SqlService/Execute", Cardinality.UNARY_UNARY, ExecuteRequest, ExecuteResponse)
SESSION: Final = Method("/mynode.v1.SqlService/Session", Cardinality.STREAM_STREAM, SessionFrame, SessionFrame)
STATUS: Final = Method("/mynode.v1.ClusterService/Status", Cardinality.UNARY_UNARY, StatusRequest, StatusResponse)
TRANSFER_LEADERSHIP: Final = Method(
    "/mynode.v1.ClusterService/TransferLeadership",
    Cardinality.UNARY_UNARY,
    TransferLeadershipRequest,
    TransferLeadershipResponse,
)
LIST_MEMBERS: Final = Method(
    "/mynode.v1.ClusterService/ListMembers", Cardinality.UNARY_UNARY, ListMembersRequest, MembersResponse
)
ADD_MEMBER: Final = Method(
    "/mynode.v1.ClusterService/AddMember", Cardinality.UNARY_UNARY, AddMemberRequest, MembersResponse
)
PROMOTE_MEMBER: Final = Method(
    "/mynode.v1.ClusterService/PromoteMember", Cardinality.UNARY_UNARY, PromoteMemberRequest, MembersResponse
)
REMOVE_MEMBER: Final = Method(
    "/mynode.v1.ClusterService/RemoveMember", Cardinality.UNARY_UNARY, RemoveMemberRequest, MembersResponse
)
PEER_STREAM: Final = Method("/mynode.v1.RaftService/Stream", Cardinality.STREAM_UNARY, PeerFrame, StreamResponse)
