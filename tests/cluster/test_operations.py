"""Operators at work on real processes while clients write: no request of theirs may fail."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import trio

import mynode.trio
from mynode.base.address import Address
from mynode.base.exit_codes import EXIT_DAMAGED, EXIT_REMOVED, EXIT_USAGE
from mynode.cluster.survey import wait_for_leader
from mynode.testing.cluster import RealCluster, real_cluster
from mynode.testing.load import load

pytestmark = pytest.mark.cluster


def addresses(cluster: RealCluster) -> str:
    return ",".join(map(str, cluster.addresses))


async def test_a_rolling_restart_by_sigterm_fails_no_request(tmp_path: Path) -> None:
    async with real_cluster(tmp_path) as cluster:
        await cluster.wait_for_leader()
        async with mynode.trio.connect(addresses(cluster), spread="round_robin") as client, load(client) as work:
            for node_id in cluster.node_ids:
                assert await cluster.stop(node_id) == 0
                await cluster.start(node_id)
                await work.more(50)
                await cluster.wait_until_caught_up()


async def run(*arguments: str) -> tuple[int, str]:
    """`mynode` with these arguments: its exit code and all that it wrote."""
    command = [sys.executable, "-m", "mynode", *arguments]
    done = await trio.run_process(command, capture_stdout=True, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout.decode()


async def test_from_one_node_to_three_and_back_under_load(tmp_path: Path) -> None:
    """Two join, and one is killed; then those that were there first leave, the leader among them."""
    async with real_cluster(tmp_path, nodes=1) as cluster:
        await cluster.wait_for_leader()
        first = addresses(cluster)
        joined = {node_id: await cluster.join(node_id) for node_id in (2, 3)}
        everybody = ",".join([first, *map(str, joined.values())])
        async with mynode.trio.connect(everybody, spread="round_robin") as client, load(client, 2) as work:
            for node_id, address in joined.items():
                await until_answers(address)
                code, said = await run("members", "add", f"{node_id}={address}", first)
                assert code == 0
                assert said.endswith(f"node {node_id} is a voter\n")
                await work.more(10)
            await cluster.restart(3)
            await work.more(10)
            code, listed = await run("members", "list", everybody, "--format", "json")
            assert code == 0
            assert [each["is_voter"] for each in json.loads(listed)] == [True] * 3
            for node_id in (1, 2):
                assert await run("members", "remove", str(node_id), everybody) == (0, f"node {node_id} is removed\n")
                with trio.fail_after(20):
                    assert await cluster.wait_for_end(node_id) == EXIT_REMOVED
                assert "this node was removed from the cluster" in cluster.log(node_id)
                await work.more(10)
        await cluster.start(1)
        with trio.fail_after(20):
            assert await cluster.wait_for_end(1) == EXIT_REMOVED, "it knows, and does not come back"


async def test_from_one_node_to_seven_and_back_to_one_under_load(tmp_path: Path) -> None:
    """The client is given the first node only, and learns of the others. Every second node that leaves is the leader,
    which hands over first. No request fails.
    """
    async with real_cluster(tmp_path, nodes=1) as cluster:
        await cluster.wait_for_leader()
        nodes = {1: cluster.addresses[0]} | {node_id: await cluster.join(node_id) for node_id in range(2, 8)}
        everybody = ",".join(map(str, nodes.values()))
        async with mynode.trio.connect(str(nodes[1]), spread="round_robin") as client, load(client, 2) as work:
            for node_id in range(2, 8):
                await until_answers(nodes[node_id])
                assert (await run("members", "add", f"{node_id}={nodes[node_id]}", everybody))[0] == 0
                await work.more(5)
            for number in range(6):
                with trio.fail_after(60):
                    leader = await wait_for_leader(tuple(nodes.values()))
                gone = leader if number % 2 == 0 else next(node_id for node_id in nodes if node_id != leader)
                del nodes[gone]
                everybody = ",".join(map(str, nodes.values()))
                assert await run("members", "remove", str(gone), everybody) == (0, f"node {gone} is removed\n")
                with trio.fail_after(60):
                    assert await cluster.wait_for_end(gone) == EXIT_REMOVED
                assert "this node was removed from the cluster" in cluster.log(gone)
                await work.more(5)
            assert set(client.known_addresses) == {*client.addresses, *map(str, nodes.values())}
        code, listed = await run("members", "list", everybody, "--format", "json")
        assert (code, [each["node_id"] for each in json.loads(listed)]) == (0, list(nodes))


async def test_a_node_whose_data_was_deleted_is_kept_out_until_it_is_replaced(tmp_path: Path) -> None:
    async with real_cluster(tmp_path, nodes=3) as cluster:
        leader = await cluster.wait_for_leader()
        everybody = addresses(cluster)
        async with mynode.trio.connect(everybody) as client, load(client, 2) as work:
            await work.more(10)
            lost = next(node_id for node_id in cluster.node_ids if node_id != leader)
            await cluster.kill(lost)
            cluster.empty(lost)
            await cluster.start(lost)
            with trio.fail_after(60):
                assert await cluster.wait_for_end(lost) == EXIT_DAMAGED
            assert "this is not the data directory that the cluster knows of this node" in cluster.log(lost)
            assert f"mynode members remove {lost}" in cluster.log(lost)
            await work.more(10)
            assert await run("members", "remove", str(lost), everybody) == (0, f"node {lost} is removed\n")
            new = await cluster.join(4)
            await until_answers(new)
            assert (await run("members", "add", f"4={new}", everybody))[0] == 0
            await work.more(10)


async def until_answers(address: Address) -> None:
    """Wait until the node there is up."""
    async with mynode.trio.connect(str(address)) as client:
        while True:
            if (await client.status())[0].status is not None:
                return
            await trio.sleep(0.05)


async def test_a_node_of_another_cluster_and_a_used_number_are_refused(tmp_path: Path) -> None:
    async with real_cluster(tmp_path, nodes=1) as cluster:
        await cluster.wait_for_leader()
        await cluster.join(2, cluster_id="another")
        with trio.fail_after(20):
            assert await cluster.wait_for_end(2) == EXIT_USAGE
        assert 'is a node of cluster "test", not "another"' in cluster.log(2)
        first = addresses(cluster)
        code, said = await run("members", "add", "3=127.0.0.1:1", first)
        assert code == 1
        assert "node 3 does not answer" in said


async def test_an_operator_names_the_leader(tmp_path: Path) -> None:
    async with real_cluster(tmp_path, nodes=3) as cluster:
        leader = await cluster.wait_for_leader()
        to = next(node_id for node_id in cluster.node_ids if node_id != leader)
        one_address = str(cluster.plan.members[to])
        assert await run("transfer-leader", str(to), one_address) == (0, f"node {to} leads\n")
        assert await cluster.wait_for_leader() == to
