"""The rig itself: what its hosts are, and that nothing of them is left."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rig.hosts import PROGRAM, RigHost, Rigs, RunningRig, control
from tests.rig.processes import Process, process

# a test run with a rig, that waits to be killed
OWNER = "from tests.rig.hosts import Rigs; rig = Rigs().up(1); print(rig.name, flush=True); input()"


@pytest.fixture(scope="module")
def hosts(rig: Rigs) -> RunningRig:
    return rig.up(2, relay=True)


@pytest.fixture
def host(hosts: RunningRig) -> RigHost:
    return hosts["h1"]


def test_a_host_answers_over_ssh_with_its_own_name(host: RigHost) -> None:
    assert host.ssh("hostname; id -un").split() == ["h1", "fleet"]


def test_files_outlive_a_power_loss_and_processes_do_not(host: RigHost) -> None:
    host.ssh("echo data > kept; sleep 1000 >/dev/null 2>&1 & echo lost > /tmp/lost")
    host.kill()
    assert host.state()["state"] == "down"
    host.start()
    assert host.ssh("cat kept; ls /tmp; pgrep sleep || echo none").split() == ["data", "none"]


def test_a_reboot_gives_a_new_boot_id(host: RigHost) -> None:
    before = host.ssh("cat /proc/sys/kernel/random/boot_id")
    host.reboot()
    assert host.ssh("cat /proc/sys/kernel/random/boot_id") != before


def test_a_cut_host_goes_on_behind_its_cable(host: RigHost) -> None:
    pid = host.state()["pid"]
    host.cut()
    assert (host.state()["state"], host.state()["pid"]) == ("cut", pid)
    with pytest.raises(RuntimeError, match="timed out"):
        host.ssh("true", timeout=1)
    host.heal()
    assert host.ssh("hostname") == "h1\n"


def test_latency_can_be_changed_while_it_runs(hosts: RunningRig) -> None:
    hosts.link(latency=20)
    assert hosts["h2"].ssh("hostname") == "h2\n"
    hosts.link(latency=0)


def test_a_host_with_systemd_has_user_units(rig: Rigs) -> None:
    host = rig.up(1, init="systemd")["h1"]
    assert host.ssh("systemctl --user is-system-running --wait") == "running\n"


def test_a_full_disk_is_a_full_disk(rig: Rigs) -> None:
    host = rig.up(1, disk={"h1": "16"})["h1"]
    answer = host.ssh("head -c 100000000 /dev/zero > full 2>&1 || echo failed; rm full")
    assert "failed" in answer


def test_taking_it_down_leaves_nothing(rig: Rigs) -> None:
    running = rig.up(2, init="systemd", memory=256, disk="16")
    pid = process(running["h1"].state()["pid"])
    running.down()
    assert not pid.is_alive
    assert not traces(running.name)


def test_the_holder_of_a_rig_that_was_replaced_leaves_the_new_one_alone(rig: Rigs) -> None:
    old = rig.up(1)
    argv = [sys.executable, str(PROGRAM), "--rig", old.name, "up", "1", "--replace", "--foreground"]
    new = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert new.stdout
    try:
        (host,) = json.loads(new.stdout.readline())
        old.down()
        (left,) = json.loads(control(old.name, "list"))
        assert (left["pid"], left["state"]) == (host["pid"], "up")
    finally:
        new.terminate()
        new.communicate()
    assert not traces(old.name)


def test_the_end_of_a_test_run_by_any_signal_takes_it_down(rig: Rigs) -> None:
    argv = [sys.executable, "-c", OWNER]
    owner = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert owner.stdout
    name = owner.stdout.readline().strip()
    holder = children(owner.pid)[0]
    assert traces(name)
    owner.kill()
    owner.communicate()
    holder.wait(60)
    assert not traces(name)


def traces(name: str) -> list[str]:
    """What is left of a rig in the kernel and on disk."""
    links = subprocess.run(["ip", "-o", "link"], text=True, capture_output=True, check=True).stdout
    found = [line for line in links.splitlines() if f"th-{name}" in line or f"th{name}" in line]
    found += [str(path) for path in Path("/run/netns").glob(f"th-{name}-*")]
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if f"/{name}/hosts" in line]
    groups = Path("/sys/fs/cgroup")  # where trees of others come and go meanwhile
    trees = [top / "testhosts" / name for top in (groups, *groups.glob("*"))]
    found += [str(tree) for tree in trees if tree.exists()]
    found += [str(path) for path in Path("/srv/testhosts").glob(name)]
    return found


def children(pid: int) -> list[Process]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [process(int(child)) for child in text.split()]
