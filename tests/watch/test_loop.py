"""The host's own loop: what it prints in every shell, how it ends, and what its lines mean."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fleet.core.events import Heartbeat, Sampled
from fleet.core.shell import assign
from fleet.watch.loop import loop_program, read_line
from tests.platforms.shells import SHELLS

STAMP = {"ts": 1.0, "run": "r", "host": "h"}
RECORDINGS = Path("recordings") / "hardware"
QUESTION = ("utilization.gpu", "memory.used", "memory.total", "temperature.gpu", "power.draw")
ENDS = (b"roken pipe", b"I/O error", b"for device")  # what echo says where SIGPIPE is ignored
NAMES = [name for name in SHELLS if name not in ("sh", "bash-posix")]
every_shell = pytest.mark.parametrize("shell", NAMES)
# busybox has a uname and a ps of its own, and is on no Mac.
every_shell_of_a_mac = pytest.mark.parametrize("shell", [name for name in NAMES if name != "busybox"])


def started(shell: str, root: Path, path: Path | None = None, is_ignored: bool = False) -> subprocess.Popen:
    """The loop as a host runs it; `path` holds programs that come before the machine's."""
    root.parent.mkdir(exist_ok=True)
    script = root.parent / "loop"
    script.write_text(assign(FLEET_ROOT=str(root)) + loop_program())
    environment = dict(os.environ)
    if path is not None:
        environment["PATH"] = f"{path}:{environment['PATH']}"
    with script.open() as program:
        return subprocess.Popen(
            [*SHELLS[shell], "-s"],
            stdin=program,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
            restore_signals=not is_ignored,  # Python itself ignores SIGPIPE
        )


def said(process: subprocess.Popen, lines: int) -> list[bytes]:
    """Its first lines; then nobody reads any more, and it has ended without a complaint."""
    heard = [process.stdout.readline().rstrip(b"\n") for _ in range(lines)]
    process.stdout.close()
    process.wait(60)
    complaints = [line for line in process.stderr if not line.strip().endswith(ENDS)]
    process.stderr.close()
    assert complaints == []
    return heard


def members(session: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[3]) == session and words[0] != "Z":
            found.append(int(path.parent.name))
    return found


def sample(line: bytes) -> Sampled:
    event = read_line(line, STAMP)
    assert isinstance(event, Sampled)
    return event


@every_shell
@pytest.mark.parametrize("is_ignored", [False, True], ids=["", "SIGPIPE ignored"])
def test_it_says_how_this_machine_does_and_ends_with_its_reader(shell, is_ignored, tmp_path):
    process = started(shell, tmp_path / "a root" / "not there", is_ignored=is_ignored)
    first, second = (read_line(line, STAMP) for line in said(process, 2))
    assert isinstance(first, Sampled)
    assert 0 < first.memory_used < first.memory_total
    assert first.disk_free > 0
    assert first.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert first.load is None, "a share needs two readings"
    assert isinstance(second, Sampled) and 0 <= second.load <= 1
    tries = 6000
    while members(process.pid) and tries:
        tries -= 1
        time.sleep(0.01)
    assert members(process.pid) == []


@every_shell_of_a_mac
def test_a_mac_is_read_from_what_macs_said(shell, tmp_path, shared):
    vm = shared / RECORDINGS / "macos-intel" / "vm_stat.txt"
    gpu = next((shared / RECORDINGS / "macos-m4").glob("ioreg*"))
    numbers = [
        "hw.memsize: 38654705664",
        *(shared / RECORDINGS / "macos-os-lines" / "sysctl-vm.partial.txt").read_text().splitlines(),
        "hw.ncpu: 14",
    ]
    found = sample(mac(shell, tmp_path, f"cat {vm}", "\n".join(numbers), f"cat {gpu}")[0])
    page = 4096
    used = (986842 + 3735118 - 207521 + 737949) * page
    assert found.memory_used == used // 4194304 * 4194304
    assert found.memory_total == 38654705664
    assert found.swap_used == 1017 * 2**20
    assert found.load == int(100 * 1.28 / 14) / 100
    assert found.gpu_load == 0.21
    assert (found.gpu_memory_used, found.gpu_power) == (None, None)
    assert found.boot_id == "7C5AE0B1"


def test_a_mac_under_load_is_full_not_over(tmp_path, shared):
    vm = shared / RECORDINGS / "macos-m3ultra-512gb" / "vm_stat.head.txt"
    gpu = next((shared / RECORDINGS / "macos-m3max-30core").glob("ioreg*"))
    numbers = (shared / RECORDINGS / "macos-os-lines" / "sysctl.48gib-18core-under-load.txt").read_text()
    found = sample(mac("sh", tmp_path, f"cat {vm}", f"hw.memsize: 549755813888\n{numbers}", f"cat {gpu}")[0])
    assert found.load == 1.0
    assert found.gpu_load == 0.48
    assert found.memory_used == (1434855 + 11058419) * 16384 // 4194304 * 4194304
    assert found.swap_used == 11625 * 2**20
    assert found.swap_in is None, "that recording has no Swapins"


@every_shell_of_a_mac
def test_a_mac_that_answers_nothing_is_unknown_and_alive(shell, tmp_path):
    lines = mac(shell, tmp_path, "exit 1", "", "echo; exit 1", lines=3)
    found = sample(lines[0])
    assert (found.memory_used, found.load, found.swap_used, found.gpu_load) == (None,) * 4
    assert lines[1:] == [b".", b"."]


def mac(shell: str, folder: Path, vm_stat: str, sysctl: str, ioreg: str, lines: int = 1) -> list[bytes]:
    """The loop's lines where the programs of a Mac answer so."""
    bin_ = folder / "bin"
    bin_.mkdir()
    (folder / "sysctl.txt").write_text(sysctl + "\n")
    programs = {
        "uname": "echo Darwin",
        "vm_stat": vm_stat,
        "sysctl": f"case $2 in kern.boot*) echo 7C5AE0B1 ;; *) cat {folder}/sysctl.txt ;; esac",
        "ioreg": ioreg,
    }
    for name, body in programs.items():
        (bin_ / name).write_text(f"#!/bin/sh\n{body}\n")
        (bin_ / name).chmod(0o755)
    return said(started(shell, folder / "Application Support" / "fleet", bin_), lines)


@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("nvidia-linux-rtx-4080-super-595.71.05", "load"),
        ("nvidia-linux-rtx-4080-super-595.71.05", "idle"),
        ("nvidia-linux-l40s-595.80", "load"),
        ("nvidia-linux-h100-mig-590.48.01", "load"),
    ],
)
def test_cards_are_read_as_nvidia_smi_prints_them(name, when, tmp_path, shared):
    _, head, *rows = (shared / RECORDINGS / name / f"{when}.query-gpu.txt").read_text().splitlines()
    names = [word.strip().partition(" ")[0] for word in head.split(",")]
    rows = [dict(zip(names, (cell.strip() for cell in row.split(",")), strict=False)) for row in rows if row]
    answer = [", ".join(row[key].partition(" ")[0] for key in QUESTION) for row in rows]
    (tmp_path / "bin").mkdir()
    (tmp_path / "answer").write_text("\n".join(answer) + "\n")
    program = tmp_path / "bin" / "nvidia-smi"
    program.write_text(f"#!/bin/sh\ncat {tmp_path}/answer\n")
    program.chmod(0o755)
    found = sample(said(started("sh", tmp_path / "root", tmp_path / "bin"), 1)[0])
    assert found.gpu_memory_total == sum(int(row["memory.total"].split()[0]) for row in rows) * 2**20
    assert 0 <= found.gpu_memory_used <= found.gpu_memory_total
    if "[N/A]" in answer[0].split(", ")[0]:
        assert found.gpu_load is None
    else:
        assert found.gpu_load == sum(int(row["utilization.gpu"].split()[0]) for row in rows) / len(rows) / 100
    assert found.gpu_temperature == max(float(row["temperature.gpu"]) for row in rows)


@pytest.mark.parametrize("complaint", ["exit 9", "echo 'NVIDIA-SMI has failed 1,2,3,4'", "exec sleep 60"])
def test_a_broken_driver_costs_only_its_own_numbers(complaint, tmp_path):
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{complaint}\n")
    program.chmod(0o755)
    found = sample(said(started("sh", tmp_path / "root", tmp_path / "bin"), 1)[0])
    assert found.gpu_load is None and found.gpu_memory_total is None
    assert found.memory_total


def test_several_cards_are_one_sum_and_one_unknown_is_unknown():
    found = sample(b"s gpu=50,1000,2000,60,100.5;100,500,2000,70,[N/A]; df=4 boot=b")
    assert (found.gpu_load, found.gpu_memory_used, found.gpu_memory_total) == (0.75, 1500 << 20, 4000 << 20)
    assert (found.gpu_temperature, found.gpu_power) == (70.0, None)
    assert found.disk_free == 4096


def test_swapping_is_bytes_a_second():
    assert sample(b"s su=1024 si=20").swap_in == 20480
    assert sample(b"s su=0 si=0").swap_in == 0
    assert sample(b"s su=0").swap_in is None


def test_a_point_is_a_sign_of_life():
    assert read_line(b".", STAMP) == Heartbeat(**STAMP)


@pytest.mark.parametrize(
    "line",
    [b"", b"..", b"s", b"S mt=1", b"Last login: today", b"\xff\xfe", b". mt=4", b"s\x1b[2Jmt=4"],
)
def test_what_is_not_its_own_is_passed_over(line):
    assert read_line(line, STAMP) is None


@pytest.mark.parametrize(
    "words",
    [
        b"mt=-5 mu=1e9 cpu=101 si=-3",
        b"mt=99999999999999999999 cpu= =4 mu",
        "mt=٣ cpu=²".encode(),
        b"gpu=nan,inf,-1,1e999,; cpu=400",
        b"gpu=1,2,3,4 gpu=,,,,;;;,,,,",
        b"gpu=900,1e300,1e300,1e300,1e300",
        b"mt=0x10 mu=1_000",
    ],
)
def test_numbers_that_are_none_are_unknown(words):
    found = sample(b"s " + words)
    assert set(found.document().values()) <= {None, "sampled", "r", "h", 1.0}


def test_a_boot_id_is_short_and_harmless():
    found = sample(b"s mt=1 boot=\x1b]0;title\x07" + b"x" * 5000)
    assert found.boot_id is not None
    assert len(found.boot_id) <= 64 and "\x1b" not in found.boot_id


@given(some.binary(max_size=300), some.sampled_from([b"", b"s ", b"s gpu=", b"s mt=1 cpu="]))
def test_no_line_of_a_host_breaks_the_reader(line, head):
    read_line(head + line, STAMP)
