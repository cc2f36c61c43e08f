"""What a client can be told, with its defaults; durations in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from mynode.base.errors import ConfigError
from mynode.base.limits import DEFAULT_STATEMENT_TIMEOUT_S

Spread: TypeAlias = Literal["one_node", "round_robin"]
"""Where sessions go: all to one live node, or session i to node i modulo the number of nodes."""

DEFAULT_MAX_SESSIONS: Final = 256


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """
    - `timeout`: of a statement over all its attempts, unless the call says another.
    - `spread`: see `Spread`.
    - `max_sessions`: statements that run at once; more wait for their turn.
    - `max_streams`: of `Client.stream` at once, each over a connection of its own; more wait.
    - `connect_timeout`: of one connection to one node.
    - `probe_after`: a node that owes an answer and is silent for this long is asked for its status …
    - `probe_timeout`: … and is taken for dead if it says nothing for this long.
    """

    timeout: float = DEFAULT_STATEMENT_TIMEOUT_S
    spread: Spread = "one_node"
    max_sessions: int = DEFAULT_MAX_SESSIONS
    max_streams: int = 16
    connect_timeout: float = 2.0
    probe_after: float = 1.0
    probe_timeout: float = 2.0

    def __post_init__(self) -> None:
        if min(self.max_sessions, self.max_streams) < 1:
            raise ConfigError("max_sessions and max_streams must be at least 1")
        if min(self.timeout, self.connect_timeout, self.probe_after, self.probe_timeout) <= 0:
            raise ConfigError("a timeout must be more than 0 seconds")
