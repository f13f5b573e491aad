"""One model to several hosts by one command: what the controller sends, and what the plan says before."""

import hashlib
import json
import os
import signal
import time
from pathlib import Path

import pytest

from benchmarks.hosts import write_model
from fleet.models.swarm import SENDS
from tests.live.sites import CHUNK, Site

SIZE = 80 << 20  # bytes: five chunks
WORDS = ("push", "all", "--model", "big")


@pytest.fixture
def fleet(rig, controllers, tmp_path: Path):
    """Three hosts in one private network, and a controller with a model for them."""
    hosts = rig.up(3)
    controller = controllers()
    write_model(tmp_path / "model.gguf", SIZE)
    models = {"big": {"source": f"file:{tmp_path / 'model.gguf'}", "allow_unpinned": True}}
    controller.write(hosts.values(), servers={}, models=models)
    network = f"{hosts['h1'].address}/16"
    text = controller.inventory.read_text()
    controller.inventory.write_text(f"[defaults]\nprivate_networks = [{json.dumps(network)}]\n\n{text}")
    yield controller, hosts, tmp_path / "model.gguf"
    hosts.down()


def slow(hosts) -> None:
    """No link outruns a host that begins to give a moment later than another."""
    for host in hosts.values():
        host.link(rate=400)


def from_others(ended) -> list[str]:
    return [event["host"] for event in ended.events("notice") if "came from other hosts" in event["message"]]


def test_hosts_share_and_the_plan_says_so_and_a_second_run_does_nothing(fleet):
    controller, hosts, model = fleet
    slow(hosts)
    plan = controller.well(*WORDS, "--dry-run", "--json").json
    ways = {step["from"] for host in plan["hosts"] for step in host["steps"]}
    assert ways == {"from here and shared among 3 hosts"}
    assert {step["seconds"] for host in plan["hosts"] for step in host["steps"]} == {None}  # never measured
    done = controller.well(*WORDS, "--yes", "--max-hosts", "3", "--jsonl")
    assert len(from_others(done)) >= 2
    wanted = hashlib.sha256(model.read_bytes()).hexdigest()
    for host in hosts.values():
        site = Site(controller, host)
        assert [path.name for path in site.root.glob("models/*")] == [wanted]
        assert site.halves() == []
        assert list(site.root.glob("parts/*")) == []
        wait_until_alone(host)
    again = controller.well(*WORDS, "--yes", "--max-hosts", "3", "--json").json
    assert [host["steps"] for host in again["hosts"]] == [[], [], []]


def test_a_host_that_had_it_gives_it_and_its_speed_is_known_the_next_time(fleet):
    controller, hosts, _ = fleet
    slow(hosts)
    controller.well("push", "h1", "h2", "--model", "big", "--yes", "--max-hosts", "2")
    plan = controller.well(*WORDS, "--dry-run").out
    assert "from h1 and 1 other host, else from here" in plan
    done = controller.well(*WORDS, "--yes", "--max-hosts", "3", "--jsonl")
    assert from_others(done) == ["h3"]
    hosts["h3"].exec("rm", "-rf", "/home/fleet/.local/share/fleet/models")
    (host,) = [one for one in controller.well(*WORDS, "--dry-run", "--json").json["hosts"] if one["steps"]]
    assert host["name"] == "h3"
    assert host["steps"][0]["seconds"] > 0


def test_a_host_beside_the_run_that_had_it_gives_it_and_one_that_is_away_is_done_without(fleet):
    controller, hosts, _ = fleet
    slow(hosts)
    controller.well("push", "h1", "--model", "big", "--yes")
    plan = controller.well("push", "h2", "--model", "big", "--dry-run")
    assert "from h1, else from here" in plan.out
    assert from_others(controller.well("push", "h2", "--model", "big", "--yes", "--jsonl")) == ["h2"]
    for name in ("h1", "h2"):
        hosts[name].cut()
    try:
        alone = controller.well("push", "h3", "--model", "big", "--yes", "--jsonl")
    finally:
        for name in ("h1", "h2"):
            hosts[name].heal()
    assert from_others(alone) == []
    assert len(list(Site(controller, hosts["h3"]).root.glob("models/*"))) == 1


def wait_until_alone(host) -> None:
    for _ in range(300):
        if "python3" not in host.exec("ps", "-axww", "-o", "args="):
            return
        time.sleep(0.1)
    pytest.fail("something runs on for a controller that is gone")


def bytes_of_whole_chunks(root: Path, model: Path) -> int:
    """Of the part on a host: what lies there as it should."""
    found = 0
    with open(model, "rb") as wanted:
        for part in root.glob("parts/*.part"):
            with open(part, "rb") as file:
                while piece := file.read(CHUNK):
                    found += len(piece) if piece == wanted.read(CHUNK) else 0
    return found


@pytest.mark.parametrize("tenth", range(1, 10))
def test_a_controller_that_is_killed_midway_leaves_nothing_running_and_the_next_brings_the_rest(fleet, tenth):
    controller, hosts, model = fleet
    slow(hosts)
    run = controller.start(*WORDS, "--yes", "--max-hosts", "3", "--jsonl")
    assert run.stdout is not None
    try:
        for line in run.stdout:
            event = json.loads(line)
            if event["event"] == "step_progress" and event["done"] >= tenth * SIZE / 10:
                break
    finally:
        os.kill(run.pid, signal.SIGKILL)
        run.communicate()
    for host in hosts.values():
        wait_until_alone(host)
        host.link(rate=0)
    there = sum(bytes_of_whole_chunks(Site(controller, host).root, model) for host in hosts.values())
    controller.well(*WORDS, "--yes", "--max-hosts", "3", "--jsonl")
    sent = controller.journal()[-3:]
    wanted = hashlib.sha256(model.read_bytes()).hexdigest()
    for host in hosts.values():
        root = Site(controller, host).root
        assert hashlib.sha256((root / "models" / wanted / "model.gguf").read_bytes()).hexdigest() == wanted
        assert list(root.glob("parts/*")) == []
    helped = SENDS * CHUNK  # a host that waits for a slow one may be sent a chunk that is on its way
    assert sum(step["bytes"] for step in sent) <= 3 * model.stat().st_size - there + helped
