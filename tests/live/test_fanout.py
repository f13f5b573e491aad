"""One model to several hosts by one command: what the controller sends, and what the plan says before."""

import hashlib
import json
from pathlib import Path

import pytest

from benchmarks.fanout import write_model
from tests.live.sites import Site

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
    return controller, hosts, tmp_path / "model.gguf"


def from_others(ended) -> list[str]:
    return [event["host"] for event in ended.events("notice") if "came from other hosts" in event["message"]]


def test_hosts_share_and_the_plan_says_so_and_a_second_run_does_nothing(fleet):
    controller, hosts, model = fleet
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
        assert "python3" not in host.exec("ps", "-axww", "-o", "args=")
    again = controller.well(*WORDS, "--yes", "--max-hosts", "3", "--json").json
    assert [host["steps"] for host in again["hosts"]] == [[], [], []]


def test_a_host_that_had_it_gives_it_and_its_speed_is_known_the_next_time(fleet):
    controller, hosts, _ = fleet
    controller.well("push", "h1", "h2", "--model", "big", "--yes", "--max-hosts", "2")
    plan = controller.well(*WORDS, "--dry-run").out
    assert "from h1 and 1 other host, else from here" in plan
    done = controller.well(*WORDS, "--yes", "--max-hosts", "3", "--jsonl")
    assert from_others(done) == ["h3"]
    hosts["h3"].exec("rm", "-rf", "/home/fleet/.local/share/fleet/models")
    (host,) = [one for one in controller.well(*WORDS, "--dry-run", "--json").json["hosts"] if one["steps"]]
    assert host["name"] == "h3"
    assert host["steps"][0]["seconds"] > 0
