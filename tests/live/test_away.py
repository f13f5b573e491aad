"""Hosts that restart, lose their power, their cable or their sshd while fleet works with them."""

import json
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.controller import CHAT
from tests.live.sites import Site

pytestmark = pytest.mark.usefixtures("rig")
PATIENCE = 180.0  # seconds until a test gives up waiting
GEMMA = 253_113_024  # bytes


@pytest.fixture(scope="module")
def sites(rig, controllers):
    """A host with systemd and one without a service manager, each with a server that runs."""
    controller = controllers()
    hosts = rig.up(["managed", "plain"], init={"managed": "systemd"}, rate=400)
    controller.write(hosts.values(), servers={"chat": CHAT})
    controller.well("deploy", "all", "--yes", "--max-hosts", "2")
    yield {name: Site(controller, host) for name, host in hosts.items()}
    hosts.down()


def states(controller) -> dict[str, tuple[str, str | None]]:
    """By host: state of the host, and of its server if it has one."""
    found = {}
    for host in controller("status", "--json").json["hosts"]:
        server = host["servers"][0]["state"] if host["servers"] else None
        found[host["name"]] = (host["state"], server)
    return found


def until(look: Callable[[], object]) -> None:
    """Look until it is true."""
    end = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < end, "never came true"
        time.sleep(0.5)


def sshd(site: Site) -> str:
    """Process id of the one that listens."""
    return site.host.exec("sh", "-c", "pgrep -o sshd || true").strip()


class Watch:
    """`fleet status --watch --json`, started once, and what it said last."""

    def __init__(self, controller) -> None:
        self.process = controller.start("status", "--watch", "--json", "--every", "1")
        self.last: dict[str, dict[str, object]] = {}
        self._looks = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.last = {host["name"]: host for host in json.loads(line)["hosts"]}
            self._looks += 1

    def look_again(self) -> None:
        """Until it tells of a look that began later: the one that goes on now may have begun before."""
        wanted = self._looks + 2
        until(lambda: self._looks >= wanted)

    def host(self, name: str) -> object:
        return self.last.get(name, {}).get("state")

    def server(self, name: str) -> object:
        servers = self.last.get(name, {}).get("servers") or [{}]
        return servers[0].get("state")  # type: ignore[attr-defined,index]

    def close(self) -> None:
        self.process.terminate()
        self._reader.join(30)
        self.process.communicate(timeout=30)


@pytest.fixture
def watch(sites) -> Iterator[Watch]:
    watching = Watch(sites["plain"].controller)
    until(lambda: watching.server("plain") == watching.server("managed") == "ready")
    yield watching
    watching.close()


def test_a_cut_of_thirty_seconds_interrupts_a_push_and_stops_no_server(sites, watch):
    site = sites["plain"]
    controller = site.controller
    before = site.pid()
    models = {"chat": CHAT, "big": CHAT | {"model": "gemma", "on": ["plain"]}}
    controller.write([one.host for one in sites.values()], servers=models)
    site.host.link(rate=100)  # it is not over before the cable is pulled
    run = controller.start("push", "plain", "--model", "gemma", "--yes", "--jsonl")
    assert run.stdout
    events = []
    for line in run.stdout:
        events.append(json.loads(line))
        if events[-1]["event"] == "step_progress" and events[-1]["done"] > GEMMA / 4:
            break
    site.host.cut()
    gone = time.monotonic()
    until(lambda: watch.host("plain") == "down")
    until(lambda: watch.host("managed") == "ready")
    assert states(controller)["plain"] == ("down", "unknown")
    time.sleep(max(0.0, 30 - (time.monotonic() - gone)))
    site.host.link(rate=400)
    site.host.heal()
    rest, _ = run.communicate(timeout=PATIENCE)
    events += [json.loads(line) for line in rest.splitlines()]
    assert run.returncode == 0
    assert any(event["event"] == "link_lost" for event in events)
    (done,) = [event for event in events if event["event"] == "step_done"]
    # what was on its way when the cable was pulled, and no chunk that had arrived
    assert GEMMA <= done["bytes"] < GEMMA * 1.5
    assert site.halves() == []
    until(lambda: watch.server("plain") == "ready")
    assert site.pid() == before
    controller.write([one.host for one in sites.values()], servers={"chat": CHAT})


def test_a_killed_sshd_stops_no_server_and_status_is_right_again(sites, watch):
    for site in sites.values():
        before, listener = site.pid(), sshd(site)
        site.host.exec("pkill", "-KILL", "sshd")
        until(lambda site=site, listener=listener: sshd(site) not in ("", listener))
        watch.look_again()
        until(lambda site=site: watch.server(site.name) == "ready")
        assert site.pid() == before
    until(lambda: states(sites["plain"].controller) == dict.fromkeys(sites, ("ready", "ready")))


@pytest.mark.parametrize("way", ["reboot", "power"])
def test_after_a_restart_systemd_has_its_servers_back_and_a_plain_host_says_why_not(sites, watch, way):
    controller = sites["plain"].controller
    for site in sites.values():
        if way == "reboot":
            site.host.reboot()
        else:
            site.host.kill()
            site.host.start()
    watch.look_again()
    until(lambda: watch.server("managed") == "ready")
    until(lambda: watch.server("plain") == "stopped")
    assert len(sites["managed"].llama_servers()) == 1
    assert sites["plain"].server()["reason"] == "the host was restarted and nothing here starts chat at boot"
    plan = {host["name"]: host for host in controller.well("plan", "--json").json["hosts"]}
    # nothing is started; that the new process answers is proven once
    assert [step["action"] for step in plan["managed"]["steps"]] in ([], ["wait"])
    assert "chat is down since the host was restarted; it is started again" in plan["plain"]["notes"]
    controller.well("deploy", "all", "--yes", "--max-hosts", "2")
    until(lambda: watch.server("plain") == "ready")
    assert len(sites["plain"].llama_servers()) == 1
    assert [host["steps"] for host in controller.well("plan", "--json").json["hosts"]] == [[], []]
