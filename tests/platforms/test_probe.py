"""The probe, run by the shells of this machine and read back."""

import dataclasses
import json
import os
import platform
import subprocess
from pathlib import Path

import pytest

from fleet.core.errors import ProbeError
from fleet.core.facts import Build, Device, Job, Lock, ModelFile, Part
from fleet.core.shell import assign
from fleet.platforms.base import PLATFORMS
from fleet.platforms.probe import parse, probe_program
from tests.platforms.shells import NONCE, SHELLS, ask, run

MIB = 1 << 20
# what two probes may answer differently
MOVING = ("memory", "disk", "uptime", "clock", "at")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root in which fleet already is."""
    folder = tmp_path / "fleet"
    folder.mkdir()
    (folder / "LAYOUT").write_text("1\n")
    return folder


def test_the_shelf_holds_platforms_only():
    assert PLATFORMS.names == (*("jetson", "linux", "macos", "macos-intel", "raspberry-pi", "termux", "wsl"),)


def test_the_program_passes_shellcheck(tmp_path):
    text = tmp_path / "probe.sh"
    text.write_text("# shellcheck shell=sh\n" + assign(FLEET_NONCE=NONCE) + probe_program())
    checked = subprocess.run(["shellcheck", "-s", "sh", text], capture_output=True, text=True, check=False)
    assert (checked.stdout, checked.returncode) == ("", 0)


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_gives_the_same_facts(shell):
    here, other = (dataclasses.asdict(ask(name, "")) for name in ("sh", shell))
    for name in MOVING:
        del here[name], other[name]
    # a busybox that holds its applets in itself gives them no path
    here["tools"] = {name: tool for name, tool in here["tools"].items() if name in other["tools"]}
    assert "c++" in other["tools"]
    assert other == here


@pytest.mark.skipif(platform.system() != "Linux", reason="compares with /proc")
def test_the_answer_is_what_the_kernel_says():
    facts = ask("sh", "")
    assert facts.platform == facts.os == "linux"
    assert facts.kernel == os.uname().release
    assert facts.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert facts.cpu.threads is not None and 0 < facts.cpu.threads <= os.cpu_count()
    assert facts.memory.total is not None and facts.memory.available < facts.memory.total
    assert facts.disk.free is not None and facts.disk.free < facts.disk.total
    assert facts.tools["openssl"].path.startswith("/")


def test_asking_changes_nothing(tmp_path):
    facts = ask("sh", "", {"HOME": str(tmp_path), "XDG_DATA_HOME": ""})
    assert facts.root == f"{tmp_path}/.local/share/fleet"
    assert facts.layout is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shell", SHELLS)
def test_noise_before_the_answer_and_spaces_in_the_home_do_no_harm(shell, tmp_path):
    home = tmp_path / "a home"
    home.mkdir()
    noise = "printf 'Welcome \\033]0;x\\007 to caf\\351\\n5f1e9c no mark'\n"
    facts = ask(shell, "", {"HOME": str(home), "XDG_DATA_HOME": ""}, before=noise)
    assert facts.home == str(home)
    assert facts.root == f"{home}/.local/share/fleet"


def test_a_root_that_is_not_utf8_asks_for_another():
    answer = run("sh", f"FLEET_NONCE={NONCE}\nFLEET_ROOT=$(printf '/srv/caf\\351')\n" + probe_program())
    with pytest.raises(ProbeError) as error:
        parse("here", answer.stdout, NONCE, 1.0)
    assert "root =" in error.value.next


@pytest.mark.parametrize("shell", SHELLS)
def test_a_build_that_says_megabytes_does_not_drown_the_rest(shell, root):
    for number in range(3):
        build = root / "builds" / f"{number:016x}"
        (build / "says").mkdir(parents=True)
        (build / "BUILD.json").write_text('{"backend": "cpu", "number": 11434}')
        (build / "says" / "devices.txt").write_text("x" * 4_000_000)
    (root / "builds" / f"{1:016x}" / "BUILD.json").write_text('{"number": "' + "x" * 4_000_000)
    (root / "builds" / f"{2:016x}" / "BUILD.json").write_text('{"number": ' + "9" * 4000 + "}")
    assert (
        len(run(shell, f"FLEET_NONCE={NONCE}\n{assign(FLEET_ROOT=str(root))}{probe_program()}").stdout)
        < 1 << 20
    )
    facts = ask(shell, str(root))
    assert [build.number for build in facts.builds] == [11434, None, None]
    assert facts.builds[0].devices == ()


@pytest.mark.parametrize("shell", SHELLS)
def test_what_fleet_has_there_is_found(shell, root):
    fingerprint, sha = "0123456789abcdef", "ab" * 32
    build = root / "builds" / fingerprint
    build.mkdir(parents=True)
    binary = "12" * 32
    record = {
        "fingerprint": fingerprint,
        "backend": "cuda",
        "number": 11434,
        "files": {"llama-server": binary},
    }
    (build / "BUILD.json").write_text(json.dumps(record, indent=2))
    (build / "says").mkdir()
    (build / "says" / "devices.txt").write_text(
        "Available devices:\n  CUDA0: NVIDIA A (rev. (a1)) (12282 MiB, 11866 MiB free)\n  (none)\n"
    )
    (root / "builds" / "fedcba9876543210").mkdir()  # not finished
    (root / "models" / sha).mkdir(parents=True)
    (root / "models" / sha / "model.gguf").write_bytes(b"GGUF" * 5)
    (root / "models" / ("cd" * 32)).mkdir()  # empty
    (root / "parts").mkdir()
    (root / "parts" / f"{'ef' * 32}.part").write_bytes(b"x" * 7)
    (root / "sources").mkdir()
    (root / "sources" / "b11434-0a1b2c.tar.gz").write_bytes(b"")
    for number, done in ((9, True), (10, False)):
        lock = root / "lock" / f"lock.{number}"
        lock.mkdir(parents=True)
        owner = {"controller": f"c{number}", "user": "ada", "machine": "desk", "verb": "deploy"}
        (lock / "OWNER.json").write_text(json.dumps(owner))
        (lock / "beat").write_text("3\n")
        if done:
            (lock / "done").touch()
    for name, pid, code in (("ended", "1 2 another-boot", "3"), ("lost", "1 2 another-boot", None)):
        job = root / "jobs" / name
        job.mkdir(parents=True)
        (job / "pid").write_text(pid + "\n")
        if code:
            (job / "rc").write_text(code + "\n")
    facts = ask(shell, str(root))
    assert facts.layout == 1
    device = Device("CUDA0", "NVIDIA A (rev. (a1))", 12282 * MIB, 11866 * MIB)
    assert facts.builds == (Build(fingerprint, "cuda", 11434, (device,), binary),)
    assert facts.models == (ModelFile(sha, 20),)
    assert facts.parts == (Part("ef" * 32, 7),)
    assert facts.sources == ("b11434-0a1b2c",)
    assert facts.lock == Lock(10, "c10", "ada@desk, deploy", 3, False)
    assert facts.jobs == (Job("ended", False, 3), Job("lost", False, None))


def test_a_job_that_runs_is_seen(root):
    process = subprocess.Popen(["sleep", "60"])
    try:
        job = root / "jobs" / "build"
        job.mkdir(parents=True)
        start = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()[19]
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        (job / "pid").write_text(f"{process.pid} {start} {boot}\n")
        assert ask("sh", str(root)).jobs == (Job("build", True, None),)
    finally:
        process.kill()
        process.wait()
    assert ask("sh", str(root)).jobs == (Job("build", False, None),)


def test_versions_are_asked_once_per_boot_and_file(root):
    tool = root / "tools" / "ccache"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\necho asked >>'{root}/asked'\necho ccache version 1.2.3\n")
    tool.chmod(0o755)
    env = {"PATH": f"{tool.parent}:{os.environ['PATH']}"}
    for _ in range(3):
        assert ask("sh", str(root), env).tools["ccache"].version == "1.2.3"
    assert (root / "asked").read_text() == "asked\n"
    tool.write_text("#!/bin/sh\necho ccache version 1.2.40\n")
    assert ask("sh", str(root), env).tools["ccache"].version == "1.2.40"


@pytest.mark.parametrize(
    ("words", "kind", "following"),
    [
        (b"'sh' is not recognized as an internal or external command,\r\noperable program", "windows", "WSL"),
        (b"sh : The term 'sh' is not recognized as the name of a cmdlet, function", "windows", "WSL"),
        (b"    + FullyQualifiedErrorId : CommandNotFoundException", "windows", "WSL"),
        (b"This account is currently not available.\n", "no-login", "chsh"),
        (b"", "probe", "ssh mac"),
        (b"Please change your password \x1b[31m caf\xe9", "probe", "ssh mac"),
    ],
)
def test_an_answer_that_is_no_shells_says_whose_it_is(words, kind, following):
    with pytest.raises(ProbeError) as error:
        parse("mac", words, NONCE, 1.0)
    assert error.value.kind == kind
    assert error.value.host == "mac"
    assert following in error.value.next
    assert "\x1b" not in str(error.value)


@pytest.mark.parametrize(("system", "kind"), [("FreeBSD", "platform"), ("MINGW64_NT-10.0", "windows")])
def test_a_system_that_fleet_does_not_know_is_named(system, kind):
    before = f"uname() {{ echo {system}; }}\n"
    answer = run("sh", before + assign(FLEET_NONCE=NONCE) + probe_program())
    with pytest.raises(ProbeError) as error:
        parse("here", answer.stdout, NONCE, 1.0)
    assert error.value.kind == kind


def test_an_answer_cut_anywhere_is_never_facts():
    whole = run("sh", assign(FLEET_NONCE=NONCE) + probe_program()).stdout
    last = whole.rindex(NONCE.encode() + b" end")
    for length in range(0, last, 97):
        with pytest.raises(ProbeError):
            parse("here", whole[:length], NONCE, 1.0)
