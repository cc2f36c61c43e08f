"""A node's configuration: a TOML file, and every key of it also as `MYNODE_<KEY>` in the environment, which wins.

| key | in the environment | means | default |
|---|---|---|---|
| `node_id` | `MYNODE_NODE_ID` | this node's number in the cluster | required |
| `cluster_id` | `MYNODE_CLUSTER_ID` | the cluster's name; nodes refuse peers of another one | required |
| `listen` | `MYNODE_LISTEN` | `host:port` of the one gRPC port | required |
| `members` | `MYNODE_MEMBERS` | every node's address by its number; as text `1=host:port,2=…` | this node alone |
| `join` | `MYNODE_JOIN` | nodes of a running cluster that this one is to be added to; not with `members` | |
| `advertise` | `MYNODE_ADVERTISE` | where other nodes reach this one | its address in `members`, or `listen` |
| `data_dir` | `MYNODE_DATA_DIR` | a relative path in the file starts at the file's directory | required |
| `tick_ms` | `MYNODE_TICK_MS` | Raft's unit of time | 50 |
| `heartbeat_ticks` | `MYNODE_HEARTBEAT_TICKS` | ticks between a leader's heartbeats | 2 |
| `election_ticks` | `MYNODE_ELECTION_TICKS` | ticks without a leader before an election | 20 |
| `lease_reads` | `MYNODE_LEASE_READS` | the leader answers reads by its lease; see docs/operations.md | false |
| `idle_in_transaction_timeout_s` | `MYNODE_IDLE_IN_TRANSACTION_TIMEOUT_S` | an idle transaction's end | 60 |
| `checkpoint_entries` | `MYNODE_CHECKPOINT_ENTRIES` | entries between checkpoints, and kept behind them | 50000 |
| `log_segment_bytes` | `MYNODE_LOG_SEGMENT_BYTES` | a segment of the raft log is closed at this length | 67108864 |
| `statement_timeout_s` | `MYNODE_STATEMENT_TIMEOUT_S` | a statement's end, if its client allows it more; 0: none | 0 |
| `view_timeout_s` | `MYNODE_VIEW_TIMEOUT_S` | how old a view of the data may become before its end | 300 |
| `log_level` | `MYNODE_LOG_LEVEL` | `debug`, `info`, `warning` or `error` | `info` |
| `log_format` | `MYNODE_LOG_FORMAT` | `console`, `logfmt`, `json`, or `auto` by the terminal | `auto` |
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from mynode.base import limits
from mynode.base.address import Address
from mynode.base.errors import ConfigError
from mynode.base.ids import NodeId

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]
LogFormat: TypeAlias = Literal["auto", "console", "logfmt", "json"]


def _address(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return Address.parse(value)
    except ConfigError as error:
        raise ValueError(error.message) from error


def _members(value: object) -> object:
    """`1=host:port,2=host:port` as a table; a table as it is."""
    if not isinstance(value, str):
        return value
    members: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in value.split(","))):
        number, equals, address = part.partition("=")
        if not equals:
            raise ValueError(f'"{part}" is not NUMBER=HOST:PORT')
        if number.strip() in members:
            raise ValueError(f"node {number.strip()} stands twice")
        members[number.strip()] = address.strip()
    return members


def _addresses(value: object) -> object:
    """`host:port,host:port` as a list; a list as it is."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


_Address: TypeAlias = Annotated[Address, NoDecode, BeforeValidator(_address), PlainSerializer(str)]
_NodeNumber: TypeAlias = Annotated[NodeId, Field(ge=1, le=limits.MAX_NODE_ID)]


class NodeConfig(BaseModel):
    """All that one node is told from outside; immutable. The module's table says what each key means."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    node_id: _NodeNumber
    cluster_id: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    listen: _Address
    members: Annotated[dict[_NodeNumber, _Address], NoDecode, BeforeValidator(_members)] = Field(
        default_factory=dict, validate_default=True
    )
    join: Annotated[tuple[_Address, ...], NoDecode, BeforeValidator(_addresses)] = ()
    advertise: _Address | None = None
    data_dir: Path
    tick_ms: int = Field(default=limits.TICK_MS, ge=1, le=10_000)
    heartbeat_ticks: int = Field(default=limits.HEARTBEAT_TICKS, ge=1, le=1_000)
    election_ticks: int = Field(default=limits.ELECTION_TICKS, ge=3, le=10_000)
    lease_reads: bool = False
    idle_in_transaction_timeout_s: float = Field(default=limits.IDLE_IN_TRANSACTION_TIMEOUT_S, gt=0, le=86_400)
    checkpoint_entries: int = Field(default=limits.CHECKPOINT_ENTRIES, ge=1)
    log_segment_bytes: int = Field(default=limits.SEGMENT_BYTES, ge=4 * limits.KIB, lt=limits.MAX_LOG_BYTES)
    statement_timeout_s: float = Field(default=0, ge=0, le=86_400)
    view_timeout_s: float = Field(default=limits.VIEW_TIMEOUT_S, gt=0, le=86_400)
    log_level: LogLevel = "info"
    log_format: LogFormat = "auto"

    @field_validator("members")
    @classmethod
    def _bounded(cls, members: dict[NodeId, Address]) -> dict[NodeId, Address]:
        if len(members) > limits.MAX_PEERS + 1:
            raise ValueError(f"{len(members)} nodes, {limits.MAX_PEERS + 1} is the most")
        if len(set(members.values())) < len(members):
            raise ValueError("two nodes have the same address")
        return members

    @model_validator(mode="after")
    def _consistent(self) -> NodeConfig:
        if self.members and self.node_id not in self.members:
            raise ValueError(f"members does not name this node, {self.node_id}")
        if self.members and self.join:
            raise ValueError("members and join exclude each other: a cluster begins with members, others join it")
        if 2 * self.heartbeat_ticks >= self.election_ticks:
            raise ValueError("election_ticks is not more than twice heartbeat_ticks: one lost heartbeat would elect")
        return self

    @property
    def peers(self) -> Mapping[NodeId, Address]:
        """The other nodes' addresses."""
        return {number: address for number, address in self.members.items() if number != self.node_id}


class _NodeSettings(NodeConfig, BaseSettings):
    """`NodeConfig` read from the environment first, then from what the TOML file said."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix="MYNODE_", frozen=True, extra="forbid", arbitrary_types_allowed=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


def load_config(path: Path | None) -> NodeConfig:
    """The configuration in `path` (None: nothing but the environment); raises `ConfigError` of one line."""
    values = _read_toml(path) if path is not None else {}
    if path is not None and isinstance(values.get("data_dir"), str):
        values["data_dir"] = path.parent / str(values["data_dir"])
    try:
        return _NodeSettings.model_validate(values)
    except ValidationError as error:
        if path is None and all(problem["type"] == "missing" for problem in error.errors()):
            raise ConfigError(_nothing_given(error)) from error
        raise ConfigError(_one_line(error, path)) from error


def _read_toml(path: Path) -> dict[str, object]:
    try:
        return dict(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error


def _nothing_given(error: ValidationError) -> str:
    keys = ", ".join(f"MYNODE_{problem['loc'][0]}".upper() for problem in error.errors())
    return f"a node needs --config FILE, or {keys} in the environment; `mynode cluster` starts five nodes without any"


def _one_line(error: ValidationError, path: Path | None) -> str:
    problems = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        problems.append(f"{key}: {message}" if key else message)
    where = f"{path} and the environment" if path is not None else "the environment"
    return f"configuration in {where}: " + "; ".join(problems)
