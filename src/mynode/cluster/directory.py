"""The directory of a cluster on one machine.

| path | holds |
|---|---|
| `cluster.toml` | the cluster's id and its number of nodes, written once |
| `cluster.lock` | locked while a launcher runs |
| `node-N/node.toml` | node N's configuration, written at every start |
| `node-N/…` | node N's data |
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import socket
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mynode.base import limits
from mynode.base.address import Address
from mynode.base.errors import AddressInUseError, ConfigError, DataDirectoryError
from mynode.base.ids import NodeId


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """The nodes of one cluster and where each has its files."""

    cluster_id: str
    directory: Path
    members: Mapping[NodeId, Address]

    def node_directory(self, node_id: NodeId) -> Path:
        return self.directory / f"node-{node_id}"

    def config_file(self, node_id: NodeId) -> Path:
        return self.node_directory(node_id) / "node.toml"

    @property
    def addresses(self) -> tuple[Address, ...]:
        return tuple(self.members.values())


def local_members(nodes: int, base_port: int) -> dict[NodeId, Address]:
    """Nodes 1 to `nodes` on 127.0.0.1, from `base_port` up; raises `ConfigError`."""
    if not 1 <= nodes <= limits.MAX_PEERS + 1:
        raise ConfigError(f"a cluster has 1 to {limits.MAX_PEERS + 1} nodes, not {nodes}")
    if not 1 <= base_port <= 65_536 - nodes:
        raise ConfigError(f"{nodes} ports from {base_port} up are not between 1 and 65535")
    return {number: Address("127.0.0.1", base_port + number - 1) for number in range(1, nodes + 1)}


@contextlib.contextmanager
def open_cluster_directory(directory: Path, members: Mapping[NodeId, Address]) -> Iterator[ClusterPlan]:
    """Make or take the directory for these members and hold its lock.

    Raises `DataDirectoryError` when it cannot be written, is of a cluster of another size, or another launcher has it.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / "cluster.lock").open("w")
    except OSError as error:
        raise DataDirectoryError(f"data directory {directory} is not usable: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataDirectoryError(f"data directory {directory} is in use by another cluster that runs") from error
        yield ClusterPlan(_cluster_id(directory, len(members)), directory, members)


def _cluster_id(directory: Path, nodes: int) -> str:
    """The id in `cluster.toml`, which is written first where there is none."""
    path = directory / "cluster.toml"
    try:
        if not path.exists():
            _write_durably(path, f'cluster_id = "{secrets.token_hex(8)}"\nnodes = {nodes}\n')
        known = tomllib.loads(path.read_text("utf-8"))
        cluster_id, known_nodes = str(known["cluster_id"]), int(known["nodes"])
    except OSError as error:
        raise DataDirectoryError(f"data directory {directory} is not usable: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, ValueError) as error:
        raise DataDirectoryError(f"{path} is damaged: {error}") from error
    if known_nodes != nodes:
        raise DataDirectoryError(f"data directory {directory} is of a cluster of {known_nodes} nodes, not {nodes}")
    return cluster_id


def write_node_configs(plan: ClusterPlan, settings: Mapping[str, str | int]) -> None:
    """Write each node's `node.toml`, `settings` on top of what the plan says; raises `DataDirectoryError`."""
    members = ["", "[members]", *(f'{member} = "{at}"' for member, at in plan.members.items())]
    for number, address in plan.members.items():
        _write_config(plan, number, address, settings, members)


def write_joining_config(
    plan: ClusterPlan, number: NodeId, address: Address, settings: Mapping[str, str | int]
) -> None:
    """Write the `node.toml` of one more node, which joins the plan's cluster; raises `DataDirectoryError`."""
    join = ", ".join(f'"{member}"' for member in plan.addresses)
    _write_config(plan, number, address, settings, [f"join = [{join}]"])


def _write_config(
    plan: ClusterPlan, number: NodeId, address: Address, settings: Mapping[str, str | int], more: Sequence[str]
) -> None:
    keys: dict[str, str | int] = {
        "node_id": number,
        "cluster_id": plan.cluster_id,
        "listen": str(address),
        "data_dir": ".",
        **settings,
    }
    lines = ["# Written by the launcher at every start.", *(f"{key} = {json.dumps(keys[key])}" for key in keys)]
    try:
        plan.node_directory(number).mkdir(exist_ok=True)
        plan.config_file(number).write_text("\n".join([*lines, *more, ""]), "utf-8")
    except OSError as error:
        where = plan.node_directory(number)
        raise DataDirectoryError(f"data directory {where} is not writable: {error.strerror}") from error


def _write_durably(path: Path, text: str) -> None:
    """Write a file that is there wholly or not at all, after a power loss too."""
    draft = path.with_suffix(".new")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_addresses_free(addresses: Iterable[Address]) -> None:
    """Raises `AddressInUseError` for the first address that cannot be listened on."""
    for address in addresses:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address.host, address.port))
            except OSError as error:
                raise AddressInUseError(f"cannot listen on {address}: {error.strerror}") from error
