"""Every recorded output, errors included, read by who reads it. The table is in recorded.py."""

import csv
import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatch
from typing import Any

import pytest

from benchmarks import speed
from fleet.backends.rules.nvidia import TOOLKITS, architecture, ceiling, fits_card
from fleet.builds.explain import CONFIGURE, SMOKE, explain
from fleet.models import buffers, room
from fleet.platforms import linux, macos
from fleet.platforms.base import PLATFORMS, Section, recognised
from fleet.platforms.probe.answer import pairs
from fleet.platforms.probe.cpu import cpu
from fleet.platforms.probe.gpus import gpus
from fleet.platforms.probe.memory import is_memory, limit, memory
from fleet.platforms.probe.nvidia import instances, nvidia_cards
from fleet.platforms.probe.tools import version
from tests.models.values import M3_MAX
from tests.platforms.machines import RECORDINGS
from tests.platforms.recorded import ROWS, Unknown

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="../shared/recordings is not there")

MIB = 1 << 20
NOTHING = Section("", 0)
CARD = "index, name, memory.total [MiB]\n0, A card, 1024\n"
FILES = sorted(
    str(path.relative_to(RECORDINGS))
    for path in RECORDINGS.rglob("*")
    if path.is_file() and path.name != "README.md"
)
SECTIONS = (
    "system os-release libc uptime cpuinfo topology nodes limits meminfo swaps board pci drm kfd nvidia "
    "nvidia-banner nvidia-apps nvidia-list rocm amd-smi rocminfo vulkan disk inodes systemd cron "
    "sw_vers sysctl vm_stat ioreg xcode"
).split()

Answer = tuple[Any, dict[str, str]]  # what comes of a text, and why the rest does not


def nvidia(status: int) -> Callable[[str], Answer]:
    def read(text: str) -> Answer:
        found = nvidia_cards(Section(text, status), has_card=status != 127)
        rows = (
            (one.name, one.capability, _mib(one.memory_total), _mib(one.memory_free), one.driver)
            for one in found.cards
        )
        return tuple(rows), dict(found.unknown)

    return read


def runtime(text: str) -> Answer:
    (card,) = nvidia_cards(Section(CARD, 0), True, banner=Section(text, 0)).cards
    return card.runtime, {}


def programs(text: str) -> Answer:
    (card,) = nvidia_cards(Section(CARD, 0), True, apps=Section(text, 0)).cards
    return card.processes, {}


def radeons(name: str, status: int = 0) -> Callable[[str], Answer]:
    def read(text: str) -> Answer:
        found = gpus({name: Section(text, status)})
        cards = ((one.name, one.capability, one.memory_total, one.memory_free) for one in found.cards)
        return tuple(cards), dict(found.unknown)

    return read


def vulkan(text: str) -> Answer:
    return tuple((one.vendor, one.name) for one in gpus({"vulkan": Section(text, 0)}).cards), {}


def processor(text: str) -> Answer:
    """Model, and the last flag of the row's choice stands for all."""
    found, unknown = cpu(Section(text, 0), NOTHING, NOTHING)
    return (found.model, frozenset(found.flags)), dict(unknown)


def kinds(text: str) -> Answer:
    found, unknown = cpu(NOTHING, Section(text, 0), NOTHING)
    return (found.cores_performance, found.cores_efficiency), dict(unknown)


def nodes(text: str) -> Answer:
    lines = re.sub(r"== (\S+)\n", r"\1:", text)
    return cpu(NOTHING, NOTHING, NOTHING, Section(lines, 0))[0].numa_nodes, {}


def pool(text: str) -> Answer:
    found, unknown = memory(Section(text, 0), NOTHING, NOTHING)
    return (found.total, found.available), dict(unknown)


def board(text: str) -> Answer:
    """The platform, and whether what it swaps to is memory."""
    trees = re.findall(r"(?m)^(?:DT compat:|          ) (\S+)$", text)
    release = re.search(r"(?m)^Linux (\S+)", text)
    found = {
        "system": Section(f"system=Linux\nrelease={release[1]}\n", 0),
        "board": Section("".join(f"compatible={tree}\n" for tree in trees), 0),
    }
    swaps = Section(text[text.index("Filename") :].partition("\nDT")[0].partition("\n\n")[0], 0)
    return (recognised("Linux", found)[0], is_memory(swaps)), {}


def platform(text: str) -> Answer:
    machine = re.search(r"x86_64|arm64|aarch64", text)
    told = Section(f"machine={machine[0] if machine else ''}\n", 0)
    return recognised(text.split()[0], {"system": told})[0], {}


def mac(section: str, fact: Callable[[Any], Any], status: int = 0) -> Callable[[str], Answer]:
    def read(text: str) -> Answer:
        known = macos.read({section: Section(text, status)})
        return fact(known), dict(known.unknown)

    return read


def configured(text: str) -> Answer:
    """Why CMake failed, by the exit code in the last line."""
    is_well = text.splitlines()[-1] == "exit=0"
    cause, following = explain(text.splitlines(), 0 if is_well else CONFIGURE)
    assert following
    return None if cause == "the build ended with exit code 0" else cause, {}


def allocated(text: str) -> Answer:
    """MiB of weights, of keys and values, and of what was refused, by device."""
    found = buffers.read(text.splitlines())
    refused = {one.device: one.bytes for one in found.refused}
    return {
        device: tuple(
            round(size / MIB, 2) for size in (kinds["weights"], kinds["kv"], refused.get(device, 0))
        )
        for device, kinds in found.by_device().items()
    }, {}


def metal(text: str) -> Answer:
    """Of Metal's own lines nothing is a buffer; its limit is what a build's devices tell, else assumed."""
    pool, _ = room.pools(M3_MAX, "metal")
    return buffers.read(text.splitlines()).total, {pool.name: pool.notes[0]}


def contradictions(text: str) -> Answer:
    """Toolkits, as measured, of which our rules say something else."""
    found = []
    for line in text.splitlines()[1:]:
        release, most_gcc, below, most_clang, listed = re.fullmatch(
            r"(\S+) +gcc (\d+) +(?:< (\d+)|\d+\.\.(\d+)) +(.*)", line
        ).groups()
        toolkit = tuple(int(part) for part in release.split(".")[:2])
        rule = ceiling(toolkit)
        clang = int(most_clang) if most_clang else int(below) - 1
        if (rule.gcc, rule.clang) != (int(most_gcc), clang):
            found.append(f"{release}: {rule}")
        if "not printed" not in listed:
            cards = set(re.findall(r"\d+", listed))
            found += [
                f"{release}: {capability}"
                for capability in TOOLKITS
                if (architecture(capability) in cards) != (fits_card(toolkit, capability) is None)
            ]
    return tuple(found), {}


def judged(lines: Iterable[dict[str, str]]) -> Answer:
    """Rows that are predicted, those whose range holds what was measured, and why others are left."""
    rows, left = speed.read(lines)
    good = sum(row.predicted().low <= row.tps <= row.predicted().high for row in rows)
    return (len(rows), good), dict(enumerate(left))


def benched(text: str) -> Answer:
    """Speeds of llama-bench as rows of the benchmark; the file does not tell the size of its models."""
    names = ("model", "backend", "test", "tps")
    rows = [
        dict(zip(names, line.split()[:4], strict=True)) for line in text.splitlines() if " tg128 " in line
    ]
    assert len(rows) == 7
    unsaid = {"device": "RTX 4070", "source": "b8571", "fitted": ""}
    return judged(
        unsaid | dict.fromkeys(("bandwidth_GBps", "layers", "bytes_read_per_token"), "") | row for row in rows
    )


READERS: dict[str, Callable[[str], Answer]] = {
    "nvidia": nvidia(0),
    "nvidia-2": nvidia(2),
    "nvidia-6": nvidia(6),
    "nvidia-9": nvidia(9),
    "nvidia-18": nvidia(18),
    "nvidia-127": nvidia(127),
    "runtime": runtime,
    "programs": programs,
    "parts": lambda text: (instances(text), {}),
    "rocm": radeons("rocm"),
    "rocm-127": radeons("rocm", 127),
    "rocminfo": radeons("rocminfo"),
    "vulkan": vulkan,
    "cpu": processor,
    "threads": lambda text: (cpu(NOTHING, NOTHING, Section(f"nproc={text}", 0))[0].threads, {}),
    "kinds": kinds,
    "nodes": nodes,
    "memory": pool,
    "lockable": lambda text: (limit(text.strip(), None), {}),
    "board": board,
    "distribution": lambda text: (linux.distribution(Section(text, 0)), {}),
    "libc": lambda text: (linux.libc(text), {}),
    "version": lambda text: (
        version(next(line for line in text.splitlines() if re.search(r"[0-9]\.[0-9]", line))),
        {},
    ),
    "cmake": configured,
    "toolkits": contradictions,
    "buffers": allocated,
    "metal": metal,
    "speeds": lambda text: judged(csv.DictReader(text.splitlines())),
    "bench": benched,
    "smoke": lambda text: (explain(text.splitlines(), SMOKE)[0], {}),
    "platform": platform,
    "sw_vers": mac("sw_vers", lambda known: known.os_version),
    "sysctl": mac(
        "sysctl",
        lambda known: (
            known.cpu.model,
            known.cpu.cores_performance,
            known.cpu.cores_efficiency,
            known.cpu.threads,
        ),
    ),
    "swap": mac("sysctl", lambda known: (known.memory.swap_total, known.memory.swap_used)),
    "vm_stat": mac("vm_stat", lambda known: known.memory.available),
    "apple": mac("ioreg", lambda known: (known.gpus[0].name, known.gpus[0].cores)),
    "xcode": mac("xcode", lambda known: None, 2),
}


def text_of(name: str) -> str:
    recorded = (RECORDINGS / name).read_text("utf-8", "replace")
    return recorded.partition("\n")[2] if recorded.startswith("$ ") else recorded


def matching(pattern: str) -> list[str]:
    return [name for name in FILES if fnmatch(name, pattern)]


CASES = [(name, reader, value) for pattern, reader, value in ROWS for name in matching(pattern)]


@pytest.mark.parametrize(
    ("name", "reader", "value"), CASES, ids=[f"{name}-{reader}" for name, reader, _ in CASES]
)
def test_a_recording_gives_its_value_or_the_reason_why_it_has_none(name, reader, value):
    found, unknown = READERS[reader](text_of(name))
    if isinstance(value, Unknown):
        assert not any(found) if isinstance(found, tuple) else not found
        assert any(_spaced(value.words) in _spaced(reason) for reason in unknown.values()), unknown
    elif reader == "cpu":
        assert found[0] == value[0]
        assert value[1] in found[1]
        assert ("cpu.model" in unknown) == (value[0] is None)
    else:
        assert found == value


def test_every_recording_stands_in_the_table_and_every_row_has_one():
    patterns = [pattern for pattern, _, _ in ROWS]
    assert [name for name in FILES if not any(fnmatch(name, pattern) for pattern in patterns)] == []
    assert [pattern for pattern in patterns if not matching(pattern)] == []


@pytest.mark.parametrize("name", FILES)
def test_no_reader_breaks_on_any_recording(name: str):
    section = Section(text_of(name), 0)
    every = dict.fromkeys(SECTIONS, section)
    for _, kind in PLATFORMS.all():
        assert all(reason and "\n" not in reason for reason in kind.read(every).unknown.values())


def test_an_intel_mac_names_its_flags():
    oids = pairs(text_of("macos-intel/sysctl-machdep.cpu.skylake.txt"), ":")
    assert "AVX2" in macos.cpu(NOTHING, oids)[0].flags


def _mib(count: int | None) -> int | None:
    return count // MIB if count is not None else None


def _spaced(text: str) -> str:
    return " ".join(text.split())
