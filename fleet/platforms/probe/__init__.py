"""Asking a host what it is and what it holds: one program, one answer."""

from collections.abc import Mapping

from fleet.core.errors import ProbeError
from fleet.core.facts import Facts
from fleet.core.shell import packaged
from fleet.platforms.base import PLATFORMS, Section, program, questions, recognised, short
from fleet.platforms.probe import store
from fleet.platforms.probe.answer import number, one, pairs, refusal, sections
from fleet.platforms.probe.tools import libraries, tools
from fleet.supervisors import instances

__all__ = ["parse", "probe_program", "refusal"]

ARCHITECTURES = {"aarch64": "arm64", "amd64": "x86_64", "armv8l": "arm"}
NARROW = {"arm64": "arm", "x86_64": "x86"}
WINDOWS = ("MINGW", "MSYS", "CYGWIN", "Windows")


def probe_program() -> str:
    """The constant program. Its sender puts before it: FLEET_NONCE (random), FLEET_ROOT (or empty)."""
    parts = (packaged("fleet.platforms.probe", name) for name in ("libraries.sh", "probe.sh"))
    return program(questions() + instances.script() + short("".join(parts)))


def parse(host: str, output: bytes, nonce: str, at: float) -> Facts:
    """What a host answered to the probe.

    Args:
        host: its name in the inventory.
        output: standard output of the program; noise before the first mark is ignored.
        nonce: as sent.
        at: controller's Unix time of the answer.

    Returns:
        The facts. What could not be known is None (or empty), with a reason in
        `unknown` under the path of the fact: `gpus`, `memory.available` ...

    Raises:
        ProbeError: no POSIX shell, no platform that fleet knows, or half an answer.
    """
    found = sections(host, output, nonce)
    told = pairs(one(found, "system").text)
    known = recognised(told.get("system", ""), found)
    if known is None:
        raise _stranger(host, told.get("system") or "a system without a name")
    name, kind = known
    root = told.get("root", "")
    if not root.startswith("/") or "\ufffd" in root:
        raise ProbeError(
            f"fleet's folder there would be {root!r}, which is no usable absolute path",
            host=host,
            next=f'set root = "/an/absolute/path" in [hosts.{host}]',
        )
    system = kind.read(found)
    unknown = dict(system.unknown)
    where, searched = libraries(_text(found, "libraries"))
    reasons = {"boot_id": "boot", "clock": "clock", "user": "user", "home": "home", "kernel": "release"}
    unknown |= {path: "the host did not say" for path, key in reasons.items() if not told.get(key)}
    return Facts(
        host=host,
        platform=name,
        os=kind.os,
        os_version=system.os_version,
        kernel=told.get("release") or None,
        arch=_architecture(told),
        libc=system.libc,
        boot_id=told.get("boot") or None,
        uptime=system.uptime,
        clock=number(told.get("clock")),
        user=told.get("user") or None,
        home=told.get("home") or None,
        root=root,
        layout=number(_text(found, "layout")),
        cpu=system.cpu,
        memory=system.memory,
        disk=system.disk,
        gpus=system.gpus,
        tools=tools(_text(found, "tools")),
        supervisors=system.supervisors,
        has_linger=system.has_linger,
        has_cron=system.has_cron,
        builds=store.builds(_text(found, "builds"), _text(found, "devices")),
        models=store.models(_text(found, "models")),
        parts=store.parts(_text(found, "parts")),
        jobs=store.jobs(_text(found, "jobs")),
        instances=instances.parse_instances(_text(found, "instances")),
        lock=store.lock(_text(found, "lock")),
        unknown=unknown,
        at=at,
        sources=store.sources(_text(found, "sources")),
        used=store.used(_text(found, "used")),
        libraries=where,
        searched=searched,
        sets=store.sets(_text(found, "sets")),
    )


def _architecture(told: Mapping[str, str]) -> str | None:
    """What programs there are made of: a kernel of 64 bits may hold a system of 32 (Raspberry Pi OS)."""
    machine = told.get("machine", "")
    known = ARCHITECTURES.get(machine, machine)
    return (NARROW.get(known, known) if told.get("bits") == "32" else known) or None


def _text(found: Mapping[str, Section], name: str) -> str:
    return one(found, name).text


def _stranger(host: str, system: str) -> ProbeError:
    if system.startswith(WINDOWS):
        return refusal(host, "Microsoft Windows")
    titles = ", ".join(kind.title for _, kind in PLATFORMS.all() if kind.is_it is None)
    return ProbeError(
        f"fleet does not know {system}; it knows {titles}",
        host=host,
        next=f"take {host} out of the inventory: fleet host remove {host}",
        kind="platform",
    )
