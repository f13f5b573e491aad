"""Hosts that fetch a model by themselves: the plan, the run, and what takes over where that does not work."""

import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.controller import SMOKE, Controller
from tests.io.files import FileServer
from tests.io.hubs import TOKEN, ModelHub, Repo
from tests.live.sites import Site
from tests.rig.hosts import RigHost, Rigs

SIZE = 40 << 20  # bytes beside those of a small model: three chunks
WORDS = ("push", "all", "--model", "big")
HOSTILE = "it's$(id)`id`[1]{2}\".gguf"  # a name that a shell, and curl, would read


@pytest.fixture(scope="module")
def hosts(rig: Rigs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, RigHost]]:
    """h1 has all tools, h2 only wget, h3 only python3."""
    lacking = tmp_path_factory.mktemp("lacking")
    for name, paths in (("h2", "/usr/bin/curl\n"), ("h3", "/usr/bin/curl\n/usr/bin/wget\n")):
        (lacking / name).mkdir()
        (lacking / name / "hide").write_text(paths)
    running = rig.up(3, profile={name: lacking / name for name in ("h2", "h3")})
    yield {name: running[name] for name in ("h1", "h2", "h3")}
    running.down()


@pytest.fixture
def bare(hosts: dict[str, RigHost]) -> dict[str, RigHost]:
    for host in hosts.values():
        host.exec("rm", "-rf", f"/home/{host.user}/.local")
    return hosts


@pytest.fixture(scope="module")
def here(hosts: dict[str, RigHost]) -> str:
    """The address at which the hosts reach this machine."""
    return hosts["h1"].ssh("echo $SSH_CONNECTION").split()[0]


@pytest.fixture
def server(here: str) -> Iterator[FileServer]:
    running = FileServer(SMOKE.read_bytes() + os.urandom(SIZE), here)
    yield running
    running.close()


Make = Callable[..., Controller]


@pytest.fixture
def fleet(tmp_path: Path, bare: dict[str, RigHost], server: FileServer) -> Make:
    """A controller with an empty cache, of some of the hosts, and a model that the server has."""

    def make(
        *names: str, source: str | None = None, pin: bool = True, head: str = "pull = true"
    ) -> Controller:
        controller = Controller(tmp_path / "desk", tmp_path / "cache")
        model = {"source": source or f"url:{server.at(HOSTILE)}"}
        if pin:
            model["sha256"] = hashlib.sha256(server.data).hexdigest()
        controller.write([bare[name] for name in names], {}, {"big": model})
        text = controller.inventory.read_text()
        controller.inventory.write_text(f"[defaults]\n{head}\n\n{text}")
        return controller

    return make


def held(fleet: Controller, host: RigHost) -> list[str]:
    """Names of the models on a host, each of them whole and right."""
    site = Site(fleet, host)
    assert site.halves() == []
    assert list(site.root.glob("parts/*")) == []
    return [path.name for path in site.root.glob("models/*")]


def cached(fleet: Controller) -> list[str]:
    """What the controller has of models."""
    folder = Path(fleet.env["XDG_CACHE_HOME"]) / "fleet" / "models"
    return [path.name for path in folder.glob("*") if path.suffix in (".gguf", ".part")]


def by(server: FileServer, host: RigHost) -> list[str | None]:
    """The ranges that a host asked for, but for the byte that shows whether it reaches the server."""
    return [
        one.range
        for one in server.asked
        if one.by == host.address and one.method == "GET" and one.range != "bytes=0-0"
    ]


def routes(fleet: Controller) -> list[str]:
    return [event["route"] for event in fleet.journal() if event["phase"] == "push"]


def notices(ended) -> str:
    return "\n".join(event["message"] for event in ended.events("notice"))


def wait(is_so: Callable[[], bool]) -> None:
    for _ in range(600):
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


def test_hosts_pull_and_the_plan_says_so_and_a_second_run_does_nothing(fleet, bare, server, here):
    controller = fleet("h1", "h2", "h3")
    plan = controller.well(*WORDS, "--dry-run", "--json").json
    steps = [step for host in plan["hosts"] for step in host["steps"]]
    assert {step["from"] for step in steps} == {f"pulled by the host from {here}"}
    assert {step["bytes"] for step in steps} == {len(server.data)}
    assert {step["seconds"] for step in steps} == {None}  # never measured
    done = controller.well(*WORDS, "--yes", "--max-hosts", "3", "--jsonl")
    assert not [event for event in done.events("notice") if "another way" in event["message"]]
    sha256 = hashlib.sha256(server.data).hexdigest()
    for host in bare.values():
        assert held(controller, host) == [sha256]
        assert by(server, host) == [None]
    assert cached(controller) == []
    assert routes(controller) == ["pull"] * 3
    assert done.events("step_progress")[-1]["total"] == len(server.data)
    again = controller.well(*WORDS, "--yes", "--max-hosts", "3", "--json").json
    assert [host["steps"] for host in again["hosts"]] == [[], [], []]
    controller.well("models", "verify", "h1", "--yes")
    bare["h1"].exec("rm", "-rf", "/home/fleet/.local/share/fleet/models")
    line = controller.well("push", "h1", "--model", "big", "--dry-run").out
    assert f"MiB pulled by the host from {here}, about" in line


def test_no_process_list_shows_the_address(fleet, bare, server):
    server.most = 4 << 20
    controller = fleet("h1", "h2", "h3")
    running = controller.start(*WORDS, "--yes", "--max-hosts", "3")
    lists = {}
    for name, host in bare.items():
        wait(lambda host=host: by(server, host))
        lists[name] = host.exec("ps", "-axww", "-o", "args=")
    server.most = None
    running.communicate(timeout=120)
    for name, tool in (("h1", "curl"), ("h2", "wget"), ("h3", "python3")):
        assert tool in lists[name]
        assert str(server.http.server_port) not in lists[name]
        assert "$(id)" not in lists[name]
    assert running.returncode == 0


def test_a_pull_that_was_ended_goes_on_with_the_rest(fleet, bare, server):
    host, server.most = bare["h1"], len(server.data) // 2
    controller = fleet("h1")
    parts = Site(controller, host).root
    running = controller.start(*WORDS, "--yes")
    wait(lambda: sum(part.stat().st_size for part in parts.glob("parts/*.part")) > len(server.data) // 3)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    host.reboot()
    (part,) = parts.glob("parts/*.part")
    there, server.most = part.stat().st_size, None
    assert there > len(server.data) // 4
    server.asked.clear()
    controller.well(*WORDS, "--yes")
    assert by(server, host) == [f"bytes={there}-"]
    assert held(controller, host) == [hashlib.sha256(server.data).hexdigest()]


def test_a_lost_link_does_not_stop_a_pull(fleet, bare, server):
    host, server.most = bare["h1"], len(server.data) // 2
    controller = fleet("h1")
    running = controller.start(*WORDS, "--yes")
    wait(lambda: server.sent > len(server.data) // 3)
    host.exec("pkill", "-KILL", "-f", f"sshd: {host.user}")
    server.most = None
    running.communicate(timeout=120)
    assert running.returncode == 0
    assert by(server, host) == [None]
    assert held(controller, host) == [hashlib.sha256(server.data).hexdigest()]


def test_wrong_bytes_are_refused_and_the_controller_takes_over(fleet, bare, server):
    controller = fleet("h1")
    models = Path(controller.env["XDG_CACHE_HOME"]) / "fleet" / "models"
    models.mkdir(parents=True)
    sha256 = hashlib.sha256(server.data).hexdigest()
    (models / f"{sha256}.gguf").write_bytes(server.data)
    server.data = bytes(len(server.data))
    done = controller.well(*WORDS, "--yes", "--jsonl")
    assert f"wanted is {sha256}; it is brought another way" in notices(done)
    assert held(controller, bare["h1"]) == [sha256]
    assert routes(controller) == ["controller"]


def test_what_goes_away_between_the_plan_and_the_step_comes_from_the_controller(fleet, bare, server):
    controller = fleet("h1", source=f"url:{server.at('once-here')}")
    answer = server.answer

    def gone(request) -> None:
        is_asked = (
            request.headers.get("Range") == "bytes=0-0" or request.client_address[0] != bare["h1"].address
        )
        return answer(request) if is_asked else request.send_error(404)

    server.answer = gone
    done = controller.well(*WORDS, "--yes", "--jsonl")
    assert "404" in notices(done)
    assert held(controller, bare["h1"]) == [hashlib.sha256(server.data).hexdigest()]
    assert routes(controller) == ["controller"]


def test_a_host_without_a_way_there_gets_it_from_the_controller_and_the_plan_says_why(
    fleet, bare, server, here
):
    rule = ("rule", "add", "ipproto", "tcp", "dport", str(server.http.server_port), "prohibit")
    bare["h1"].exec("ip", *rule)
    try:
        controller = fleet("h1")
        plan = controller.well(*WORDS, "--dry-run", "--json").json["hosts"][0]
        assert plan["steps"][0]["from"] == "from here"
        assert plan["notes"][0].startswith(f"big is not pulled by the host: {here}: ")
        controller.well(*WORDS, "--yes")
        assert routes(controller) == ["controller"]
        assert by(server, bare["h1"]) == []
    finally:
        bare["h1"].exec("ip", "rule", "del", *rule[2:])


def test_a_host_that_may_not_pull_is_not_asked(fleet, bare, server):
    controller = fleet("h1", head="pull = false")
    plan = controller.well(*WORDS, "--dry-run", "--json").json["hosts"][0]
    assert (plan["steps"][0]["from"], plan["notes"]) == ("from here", [])
    assert {one.by for one in server.asked if one.by == bare["h1"].address} == set()


@pytest.fixture
def hub(here: str) -> Iterator[ModelHub]:
    running = ModelHub(here)
    running.repos["acme/Open-GGUF"] = Repo({"Open-Q8_0.gguf": SMOKE.read_bytes() + b"open"})
    yield running
    running.close()


def test_an_open_repository_is_pulled_without_the_token_that_is_here(fleet, bare, hub, here):
    controller = fleet("h1", source="hf:acme/Open-GGUF:Q8_0", pin=False)
    controller.env |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN}
    controller.well(*WORDS, "--yes")
    asked = [one for one in (*hub.asked, *hub.storage.asked) if one.by == bare["h1"].address]
    assert asked
    assert {one.token for one in asked} == {None}
    assert routes(controller) == ["pull"]
    assert cached(controller) == []
