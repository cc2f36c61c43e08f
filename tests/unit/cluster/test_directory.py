from __future__ import annotations

import socket
from pathlib import Path

import pytest

from mynode.base.errors import AddressInUseError, ConfigError, DataDirectoryError
from mynode.cluster.directory import check_addresses_free, local_members, open_cluster_directory, write_node_configs
from mynode.config import load_config


def test_the_cluster_id_is_made_once_and_kept(tmp_path: Path) -> None:
    members = local_members(5, 9601)
    with open_cluster_directory(tmp_path / "new" / "data", members) as plan:
        first = plan.cluster_id
    with open_cluster_directory(tmp_path / "new" / "data", members) as plan:
        assert plan.cluster_id == first


def test_each_node_gets_a_configuration_that_loads(tmp_path: Path) -> None:
    with open_cluster_directory(tmp_path, local_members(3, 9601)) as plan:
        write_node_configs(plan, {"log_level": "debug"})
        configs = [load_config(plan.config_file(number)) for number in (1, 2, 3)]
    assert [config.node_id for config in configs] == [1, 2, 3]
    assert [str(config.listen) for config in configs] == ["127.0.0.1:9601", "127.0.0.1:9602", "127.0.0.1:9603"]
    assert {config.cluster_id for config in configs} == {plan.cluster_id}
    assert configs[1].data_dir == tmp_path / "node-2"
    assert sorted(configs[1].peers) == [1, 3]
    assert configs[0].log_level == "debug"


def test_a_second_launcher_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    members = local_members(1, 9601)
    with (
        open_cluster_directory(tmp_path, members),
        pytest.raises(DataDirectoryError, match="in use by another cluster"),
        open_cluster_directory(tmp_path, members),
    ):
        pass


def test_a_directory_of_another_size_is_refused(tmp_path: Path) -> None:
    with open_cluster_directory(tmp_path, local_members(3, 9601)):
        pass
    with (
        pytest.raises(DataDirectoryError, match="is of a cluster of 3 nodes, not 5"),
        open_cluster_directory(tmp_path, local_members(5, 9601)),
    ):
        pass


def test_a_directory_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(DataDirectoryError, match=r"file/data is not usable: Not a directory$"),
        open_cluster_directory(tmp_path / "file" / "data", local_members(1, 9601)),
    ):
        pass


def test_a_damaged_cluster_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "cluster.toml").write_text("nodes = 1\n")
    with (
        pytest.raises(DataDirectoryError, match=r"cluster\.toml is damaged"),
        open_cluster_directory(tmp_path, local_members(1, 9601)),
    ):
        pass


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressInUseError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            check_addresses_free(local_members(1, port).values())
    check_addresses_free(local_members(1, port).values())


@pytest.mark.parametrize(("nodes", "base_port"), [(0, 9601), (10, 9601), (3, 65_534), (1, 0)])
def test_impossible_clusters_are_refused(nodes: int, base_port: int) -> None:
    with pytest.raises(ConfigError):
        local_members(nodes, base_port)
