"""Machines replayed by the rig, asked over real SSH."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fleet.core.facts import Facts
from fleet.core.shell import assign
from fleet.platforms.base import program
from fleet.platforms.probe import parse, probe_program
from tests.platforms.machines import MACHINES, names, restored

pytestmark = [
    pytest.mark.skipif(not MACHINES.is_dir(), reason="../shared/machines is not there"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]

TESTHOSTS = Path(__file__).parents[1] / "rig" / "testhosts"
NONCE = "5f1e9c"

Host = Mapping[str, Any]


def rig(name: str, *args: str) -> Iterator[Mapping[str, Host]]:
    words = [
        str(TESTHOSTS),
        "--rig",
        f"{name}{os.getpid() % 10000}",
        "up",
        "--replace",
        "--foreground",
        *args,
    ]
    process = subprocess.Popen(words, stdout=subprocess.PIPE)
    try:
        line = process.stdout.readline()
        assert line, "testhosts up failed; its message is on stderr"
        yield {host["name"]: host for host in json.loads(line)}
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Host]]:
    folder = tmp_path_factory.mktemp("machines")
    profiles = [f"{name}={restored(name, folder)}" for name in names()]
    yield from rig(
        "pm", "--names", ",".join(names()), *(word for path in profiles for word in ("--profile", path))
    )


@pytest.fixture(scope="module")
def booted() -> Iterator[Mapping[str, Host]]:
    """One host with systemd, one without."""
    yield from rig("pb", "--names", "units,plain", "--init", "units=systemd")


def ssh(host: Host, script: str, user: str = "fleet") -> subprocess.CompletedProcess[bytes]:
    words = ["ssh", "-F", host["ssh_config"], "-l", user, host["name"], "sh -s"]
    return subprocess.run(words, input=script.encode(), stdout=subprocess.PIPE, timeout=120, check=False)


def ask(host: Host) -> Facts:
    return parse(host["name"], ssh(host, assign(FLEET_NONCE=NONCE) + probe_program()).stdout, NONCE, 1.0)


@pytest.mark.parametrize("name", names())
def test_a_replayed_machine_is_known_for_what_it_is(machines, name):
    expected = json.loads((MACHINES / name / "expected.json").read_text())
    facts = ask(machines[name])
    cpu = facts.cpu
    assert facts.os == expected["os"]
    assert facts.arch == {"aarch64": "arm64"}.get(expected["arch"], expected["arch"])
    assert cpu.model == expected["cpu"]["model"]
    assert cpu.cores_performance == expected["cpu"]["performance_cores"]
    assert cpu.cores_efficiency == expected["cpu"]["efficiency_cores"]
    if cpu.cores_performance is not None:
        assert cpu.cores_performance + (cpu.cores_efficiency or 0) == expected["cpu"]["physical_cores"]
    assert facts.memory.total == expected["memory_bytes"]
    assert facts.memory.unified == expected["unified_memory"]
    cards = [card for card in facts.gpus if card.vendor != "apple"]
    assert len(cards) == len(expected["gpus"])
    for card, wanted in zip(cards, expected["gpus"], strict=True):
        assert card.vendor == wanted["vendor"]
        assert card.memory_total == wanted["memory_bytes"]
        assert card.capability == wanted.get("compute_capability", wanted.get("gfx"))
        assert wanted["name"] in (None, card.name)
    assert [card.cores for card in facts.gpus if card.vendor == "apple"] == [
        cores for cores in [expected["apple_gpu_cores"]] if cores is not None
    ]


@pytest.mark.parametrize(("name", "status"), [("rtx-nvml-mismatch", 18), ("driver-not-loaded", 9)])
def test_a_broken_driver_is_a_reason_with_its_exit_status(machines, name, status):
    assert f"ended with {status}:" in ask(machines[name]).unknown["gpus"]


def test_no_shim_of_apple_is_called_without_its_tools(machines):
    tools = ask(machines["mac-without-clt"]).tools
    assert not {"cc", "c++", "clang", "git", "make", "python3"} & set(tools)
    assert ask(machines["mac-m3max-36gb"]).tools["cc"].version == "16.0.0"


@pytest.mark.parametrize(
    ("name", "platform", "words"),
    [
        ("wsl2", "wsl", "on WSL2"),
        ("jetson-orin-nano-8gb", "jetson", "on Jetson"),
        ("pi5-16gb", "raspberry-pi", "on Raspberry Pi 5 Model B Rev 1.1"),
        ("rtx4070-desktop", "linux", "Debian GNU/Linux 12 (bookworm)"),
        ("mac-m3max-36gb", "macos", "macOS 15.2"),
    ],
)
def test_no_machine_is_linux_by_accident(machines, name, platform, words):
    facts = ask(machines[name])
    assert facts.platform == platform
    assert words in facts.os_version
    assert "os_version" not in facts.unknown


@pytest.mark.parametrize(
    ("name", "nodes", "page", "is_zram"),
    [
        ("pi5-16gb", 1, 16384, False),
        ("jetson-orin-nano-8gb", 1, 4096, True),
        ("wsl2", 1, 4096, False),
        ("laptop-6p8e", 1, 4096, False),
        ("mac-m3max-36gb", 1, 16384, False),
    ],
)
def test_memory_is_known_beyond_its_size(machines, name, nodes, page, is_zram):
    facts = ask(machines[name])
    assert facts.cpu.numa_nodes == nodes
    assert (nodes is None) == ("cpu.numa_nodes" in facts.unknown)
    assert facts.memory.page == page
    assert facts.memory.swap_is_memory == is_zram
    assert facts.memory.lockable is not None or "memory.lockable" in facts.unknown
    assert facts.memory.gpu_most is None


def test_a_card_that_was_split_names_its_parts(machines):
    (card,) = ask(machines["h100-mig"]).gpus
    assert len(card.instances) == 4
    assert all(part.startswith("MIG-") for part in card.instances)
    assert (card.runtime, card.processes) == ("13.1", 0)


@pytest.mark.parametrize(
    ("name", "runtime", "processes"),
    [
        ("rtx4070-desktop", "12.4", 0),
        ("rtx4080super", "13.2", 1),
        ("l40s", "13.2", 0),
        ("dual-rtx3090", None, 0),
    ],
)
def test_a_card_tells_what_its_driver_takes_and_who_uses_it(machines, name, runtime, processes):
    for card in ask(machines[name]).gpus:
        assert (card.runtime, card.processes) == (runtime, processes)
        assert card.uuid is not None or name == "rtx4070-desktop"


def test_a_busy_card_has_less_memory_free_and_more_programs(machines):
    host = machines["h100-mig"]
    idle = ask(host).gpus[0]
    ssh(host, "touch /var/tmp/load")
    try:
        busy = ask(host).gpus[0]
    finally:
        ssh(host, "rm /var/tmp/load")
    assert busy.processes == 3
    assert busy.memory_free < idle.memory_free


def test_a_toolkit_is_no_card_and_llvmpipe_is_none_either(machines):
    facts = ask(machines["nvcc-without-gpu"])
    assert facts.tools["nvcc"].version == "13.0"
    assert facts.gpus == ()
    assert "vulkaninfo" in facts.tools
    assert "/usr/local/cuda" in facts.searched and "/usr/include" in facts.searched


def test_cards_of_amd_are_told_apart_by_rocminfo(machines):
    cards = ask(machines["rx7900xtx-dual"]).gpus
    assert [card.uuid for card in cards] == ["GPU-4fe81514950cd6cd", "GPU-4aca8d870a6af8f4"]


def test_systemd_is_used_where_it_answers(booted):
    facts = ask(booted["units"])
    assert facts.supervisors == ("systemd", "supervise")
    assert facts.has_linger is False
    assert ssh(booted["units"], "loginctl enable-linger fleet", user="root").returncode == 0
    assert ask(booted["units"]).has_linger is True
    assert ask(booted["plain"]).supervisors == ("supervise",)


@pytest.mark.parametrize("name", ["units", "plain"])
def test_a_detached_program_outlives_kill_9_of_its_sshd(booted, name):
    """The program kills its own sshd; another connection finds what was detached."""
    body = """
mkdir -p "$FLEET_ROOT"
pid=$(detach "$FLEET_ROOT/log" sh -c 'echo begun; exec sleep 300')
printf '%s %s %s\\n' "$pid" "$(start_time "$pid")" "$(boot_id)" >"$FLEET_ROOT/pid"
sshd=$PPID
while read -r name <"/proc/$sshd/comm" && [ "$name" != sshd ]; do
    sshd=$(ps -o ppid= -p "$sshd" | tr -d ' ')
done
kill -9 "$sshd"
sleep 60
"""
    assert ssh(booted[name], program(body)).returncode == 255
    look = 'read -r pid start boot <"$FLEET_ROOT/pid"\nis_alive "$pid" "$start" "$boot" && echo alive\n'
    assert ssh(booted[name], program(look)).stdout == b"alive\n"
