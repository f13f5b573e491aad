"""A real server under a real systemd user manager, over SSH, with reboots."""

import subprocess
import time
from pathlib import Path

import pytest

from fleet.core.inventory import Host
from fleet.core.shell import assign
from fleet.platforms.base import program
from fleet.servers.release import files, release
from fleet.supervisors.base import verb
from fleet.supervisors.instances import parse_instances, script
from tests.servers.values import PRINT, SHA, SMOKE, facts, server

HOME = "/home/fleet"
ROOT = f"{HOME}/.local/share/fleet"


class Remote:
    def __init__(self, host):
        self.host = host
        self.made = release(
            "chat",
            server(context=512, parallel=1),
            Host(),
            facts(root=ROOT, home=HOME, supervisors=("systemd",)),
            PRINT,
            "cpu",
            SHA,
        )

    def sh(self, text):
        command = ["ssh", "-F", str(self.host.ssh_config), "-o", "BatchMode=yes", self.host.name, "sh -s"]
        body = assign(FLEET_ROOT=ROOT, FLEET_GENERATION="") + text
        return subprocess.run(command, input=body, capture_output=True, text=True, timeout=120, check=False)

    def put(self, path, source):
        command = ["scp", "-q", "-F", str(self.host.ssh_config), str(source), f"{self.host.name}:{path}"]
        subprocess.run(command, check=True, timeout=120)

    def publish(self, llama_server: Path):
        folders = f"{ROOT}/builds/{PRINT}/bin {ROOT}/models/{SHA} {ROOT}/services/chat"
        assert self.sh(f"mkdir -p {folders}\n").returncode == 0
        self.put(f"{ROOT}/builds/{PRINT}/bin/llama-server", llama_server)
        self.put(f"{ROOT}/models/{SHA}/model.gguf", SMOKE)
        for file in files(self.made):
            path = file.path if file.path.startswith("/") else f"{ROOT}/{file.path}"
            text = f'mkdir -p "${{P%/*}}" && printf %s "$T" > "$P" && chmod {file.mode:o} "$P"\n'
            assert self.sh(assign(P=path, T=file.text) + text).returncode == 0

    def verb(self, name, **more):
        answer = self.sh(verb("systemd", name, self.made.service, SOCKET=self.made.socket, **more))
        assert answer.returncode == 0, answer.stderr
        return answer

    def until(self, state, other_than=None):
        one = None
        for _ in range(240):
            found = parse_instances(self.sh(program(script() + "\nfleet_instances\n")).stdout)
            if found and found[0].state == state and (other_than is None or found[0].pid != other_than):
                return found[0]
            one = found
            time.sleep(0.25)
        raise AssertionError(f"never {state}: {one}")

    def health(self):
        for _ in range(240):
            text = f"curl -s -m 5 --unix-socket {self.made.socket} http://x/health"
            answer = self.sh(text + "\n").stdout.strip()
            if answer == '{"status":"ok"}':
                return answer
            time.sleep(0.25)
        return answer


@pytest.fixture(scope="module")
def remote(rig, llama_server):
    host = Remote(rig.up(1, init="systemd")["h1"])
    host.publish(llama_server)
    return host


def test_a_server_lives_under_the_user_manager_through_kill_logout_and_reboot(remote):
    remote.verb("deploy")
    first = remote.until("running")
    assert (first.supervisor, first.release, first.restarts) == ("systemd", remote.made.rid, 0)
    assert remote.health() == '{"status":"ok"}'
    remote.verb("prove")
    assert remote.until("running").is_proven

    remote.sh(f"kill -KILL {first.pid}\n")
    second = remote.until("running", other_than=first.pid)
    assert not second.is_proven
    assert second.restarts == 1

    remote.host.reboot()
    third = remote.until("running", other_than=second.pid)
    assert third.boot != second.boot
    assert not third.is_proven
    assert remote.health() == '{"status":"ok"}'


def test_a_held_server_stays_down_over_a_reboot_and_start_brings_it_back(remote):
    remote.verb("hold", REASON="making room")
    one = remote.until("stopped")
    assert one.held == "making room"
    remote.host.reboot()
    assert remote.until("stopped").held == "making room"
    remote.verb("start")
    assert remote.until("running").held is None


def test_a_crash_loop_is_failed_with_its_exit_code(remote):
    remote.verb("stop")
    remote.sh(f"mv {ROOT}/models/{SHA}/model.gguf {ROOT}/models/{SHA}/gone\n")
    unit = f"{HOME}/.config/systemd/user/fleet-chat.service"
    remote.sh(f"sed 's/^RestartSec=.*/RestartSec=0/' {unit} > {unit}.new && mv {unit}.new {unit}\n")
    remote.verb("start")
    one = remote.until("failed")
    assert one.exit_code == 1
    assert any("failed to open GGUF file" in line for line in one.log_tail)
    remote.sh(f"mv {ROOT}/models/{SHA}/gone {ROOT}/models/{SHA}/model.gguf\n")


def test_a_removed_server_leaves_neither_unit_nor_process(remote):
    remote.verb("start")
    one = remote.until("running")
    remote.verb("remove")
    answer = remote.sh(
        f"ls {HOME}/.config/systemd/user; ls {ROOT}/services; kill -0 {one.pid} && echo alive\n"
    )
    assert "fleet-chat.service" not in answer.stdout
    assert "chat" not in answer.stdout
    assert "alive" not in answer.stdout
