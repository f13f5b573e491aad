"""What fleet itself has on a host: builds, models, parts, sources, jobs, the lock."""

import json
import re

from fleet.core.facts import Build, Device, Job, Lock, ModelFile, ModelSet, Part
from fleet.core.text import safe_line
from fleet.platforms.probe.answer import number, pairs

MIB = 1 << 20
MOST_NUMBER = 10**9  # of a build
# ls -ln: -r--r--r-- 1 1000 1000 4683074240 Nov 22 09:49 <sha256>/model.gguf
MODEL = re.compile(r"-\S+\s+\d+\s+\S+\s+\S+\s+([0-9]{1,18})\s.*\s([0-9a-f]{64})/model\.gguf")
# ls -lnL: -r--r--r-- 2 1000 1000 4683074240 Nov 22 09:49 <id>/model-00001-of-00002.gguf
OF_SET = re.compile(
    r"-\S+\s+\d+\s+\S+\s+\S+\s+([0-9]{1,18})\s.*\s([0-9a-f]{64})/model-([0-9]{5})-of-([0-9]{5})\.gguf"
)
PART = re.compile(r"-\S+\s+\d+\s+\S+\s+\S+\s+([0-9]{1,18})\s.*\s([0-9a-f]{64})(?:\.[^/\s]+)?\.part")
JOB = re.compile(r"([A-Za-z0-9._-]{1,128}) (alive|ended) (\S+)")


#   Vulkan0: llvmpipe (LLVM 15.0.6, 256 bits) (2048 MiB, 2048 MiB free)
DEVICE = re.compile(r"  (\w[\w.-]{0,63}): (.{0,300}) \(([0-9]{1,12}) MiB, ([0-9]{1,12}) MiB free\)")


def builds(text: str, said: str = "") -> tuple[Build, ...]:
    """Published builds; one whose BUILD.json is damaged, or of another name, is none.

    Args:
        text: each BUILD.json after a line `build FINGERPRINT`.
        said: what each one's `--list-devices` said, likewise.
    """
    shown = {name: devices(words) for name, words in _blocks(said)}
    found = []
    for name, document in _blocks(text):
        record = _record(document)
        if not re.fullmatch(r"[0-9a-f]{16}", name) or record.get("fingerprint", name) != name:
            continue
        files = record.get("files")
        binary = files.get("llama-server") if isinstance(files, dict) else None
        is_sum = isinstance(binary, str) and re.fullmatch(r"[0-9a-f]{64}", binary)
        found.append(
            Build(
                name,
                safe_line(str(record.get("backend"))),
                _int(record.get("number")),
                shown.get(name, ()),
                binary if is_sum else None,
            )
        )
    return tuple(found)


def devices(text: str) -> tuple[Device, ...]:
    """What llama-server's `--list-devices` names; none of a build for the CPU alone."""
    return tuple(
        Device(match[1], safe_line(match[2]), int(match[3]) * MIB, int(match[4]) * MIB)
        for match in map(DEVICE.fullmatch, text.splitlines())
        if match
    )


def _blocks(text: str) -> list[tuple[str, str]]:
    """What stands after each line `build NAME`."""
    parts = (block.partition("\n") for block in re.split(r"(?m)^build ", text)[1:])
    return [(name, words) for name, _, words in parts]


def models(text: str) -> tuple[ModelFile, ...]:
    return tuple(
        ModelFile(match[2], int(match[1])) for match in map(MODEL.fullmatch, text.splitlines()) if match
    )


def sets(text: str) -> tuple[ModelSet, ...]:
    """Models of several files of which every file is there."""
    found: dict[tuple[str, int], dict[int, int]] = {}
    for match in map(OF_SET.fullmatch, text.splitlines()):
        if match:
            found.setdefault((match[2], int(match[4])), {})[int(match[3])] = int(match[1])
    return tuple(
        ModelSet(name, tuple(files[number] for number in range(1, count + 1)))
        for (name, count), files in found.items()
        if len(files) == count and sorted(files) == list(range(1, count + 1))
    )


def parts(text: str) -> tuple[Part, ...]:
    return tuple(Part(match[2], int(match[1])) for match in map(PART.fullmatch, text.splitlines()) if match)


def sources(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"(?m)^([A-Za-z0-9._-]+)\.tar\.gz$", text))


def used(text: str) -> frozenset[str]:
    """Ids of builds and models that some release on the host needs."""
    return frozenset(re.findall(r"(?m)^([0-9a-f]{16}|[0-9a-f]{64})$", text))


def jobs(text: str) -> tuple[Job, ...]:
    """An exit code counts only for a job that ended: a running one may have an old file."""
    found = []
    for match in map(JOB.fullmatch, text.splitlines()):
        if match:
            is_running = match[2] == "alive"
            found.append(Job(match[1], is_running, None if is_running else number(match[3])))
    return tuple(found)


def lock(text: str) -> Lock | None:
    """The highest generation; None where the host was never locked."""
    told = pairs(text)
    generation = number(told.get("generation"))
    if generation is None:
        return None
    owner = _record(told.get("owner", ""))
    words = {key: safe_line(str(value), 200) for key, value in owner.items() if value not in (None, "")}
    machine = "@".join(words[key] for key in ("user", "machine") if key in words)
    holder = ", ".join(part for part in (machine, words.get("verb")) if part)
    return Lock(
        generation,
        words.get("controller"),
        holder or None,
        number(told.get("beat")),
        told.get("done") == "yes",
    )


def _record(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _int(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < MOST_NUMBER else None
