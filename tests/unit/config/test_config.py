from __future__ import annotations

import os
from pathlib import Path

import pytest

from mynode.base.address import Address
from mynode.base.errors import ConfigError
from mynode.config import load_config

MINIMAL = 'node_id = 1\ncluster_id = "c"\nlisten = "127.0.0.1:9601"\ndata_dir = "d"\n'


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in [key for key in os.environ if key.startswith("MYNODE_")]:
        monkeypatch.delenv(key)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "node.toml"
    path.write_text(MINIMAL)
    return path


def test_a_file_with_what_is_required(file: Path) -> None:
    config = load_config(file)
    assert config.node_id == 1
    assert config.listen == Address("127.0.0.1", 9601)
    assert config.data_dir == file.parent / "d"
    assert config.peers == {}
    assert (config.heartbeat_ticks, config.election_ticks) == (2, 20)
    assert not config.lease_reads


def test_members_in_the_file(file: Path) -> None:
    file.write_text(MINIMAL + '[members]\n1 = "127.0.0.1:9601"\n2 = "[::1]:9602"\n')
    assert load_config(file).peers == {2: Address("::1", 9602)}


def test_the_environment_wins_over_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYNODE_NODE_ID", "2")
    monkeypatch.setenv("MYNODE_MEMBERS", "1=one:9601, 2=two:9601")
    monkeypatch.setenv("MYNODE_LOG_LEVEL", "debug")
    monkeypatch.setenv("MYNODE_LEASE_READS", "true")
    config = load_config(file)
    assert config.lease_reads
    assert config.node_id == 2
    assert config.peers == {1: Address("one", 9601)}
    assert config.log_level == "debug"


def test_the_environment_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYNODE_NODE_ID", "1")
    monkeypatch.setenv("MYNODE_CLUSTER_ID", "c")
    monkeypatch.setenv("MYNODE_LISTEN", "0.0.0.0:9601")
    monkeypatch.setenv("MYNODE_DATA_DIR", "/var/lib/mynode")
    assert load_config(None).data_dir == Path("/var/lib/mynode")


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("colour = 1\n", "colour: Extra inputs are not permitted"),
        ('log_level = "loud"\n', "log_level: Input should be 'debug', 'info', 'warning' or 'error'"),
        ("tick_ms = 0\n", "tick_ms: Input should be greater than or equal to 1"),
        ("election_ticks = 4\n", "election_ticks is not more than twice heartbeat_ticks"),
        ('[members]\n2 = "127.0.0.1:9602"\n', "members does not name this node, 1"),
        ('[members]\n1 = "127.0.0.1:9601"\n2 = "127.0.0.1:9601"\n', "members: two nodes have the same address"),
        ('[members]\n1 = "nowhere"\n', 'members.1: "nowhere" is not an address'),
    ],
)
def test_bad_input_is_one_line_that_names_the_key(file: Path, extra: str, message: str) -> None:
    file.write_text(MINIMAL + extra)
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert message in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_broken_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the configuration .*: No such file"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("node_id =")
    with pytest.raises(ConfigError, match="is not valid TOML"):
        load_config(tmp_path / "broken.toml")


@pytest.mark.parametrize(
    "text", ["", "host", "host:", ":9601", "host:0", "host:65536", "host:x", "::1:9601", "host:９"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ConfigError):
        Address.parse(text)


@pytest.mark.parametrize("text", ["localhost:9601", "10.0.0.1:1", "[::1]:65535"])
def test_addresses_print_as_they_are_written(text: str) -> None:
    assert str(Address.parse(text)) == text


def test_nothing_given_says_what_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYNODE_NODE_ID", "1")
    with pytest.raises(ConfigError, match="needs --config FILE, or MYNODE_CLUSTER_ID, MYNODE_LISTEN, MYNODE_DATA_DIR"):
        load_config(None)
