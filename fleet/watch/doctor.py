"""Findings about a host: what is well, what is not, and the next command."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fleet.core.errors import FleetError
from fleet.core.facts import Facts, Live
from fleet.core.plan import size_text
from fleet.servers.failure import explain
from fleet.servers.proof import shortfall, summary
from fleet.watch.finding import Finding
from fleet.watch.states import server_state
from fleet.watch.toolchain import toolchain

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory

SKEW = 2.0  # seconds of difference between the clocks that is worth a word (RELIABILITY I13)
LITTLE_DISK = 5 * 2**30  # bytes


def unreachable(error: FleetError) -> tuple[Finding, ...]:
    return (Finding("bad", "connection", error.what, error.next, error),)


def examine(
    inventory: "Inventory", host: str, facts: Facts, live: tuple[Live, ...], now: float
) -> tuple[Finding, ...]:
    """All findings, the connection first, then the machine, then its servers."""
    return (
        Finding(
            "ok", "connection", f"answers as {facts.user or 'unknown'} on {facts.os_version or facts.os}"
        ),
        *_clock(facts, now),
        *_disk(facts),
        *_build(inventory, host, facts),
        *_keeping(facts),
        *_lock(facts),
        *_servers(inventory, host, facts, live),
        *(
            Finding("warn", path, f"unknown: {reason}")
            for path, reason in facts.unknown.items()
            if path != "has_linger"
        ),
    )


def _clock(facts: Facts, now: float) -> Iterator[Finding]:
    if facts.clock is None:
        return
    skew = facts.clock - facts.at
    if abs(skew) > SKEW:
        yield Finding(
            "warn",
            "clock",
            f"{skew:+.0f} s against this machine; its time service should say why",
            "timedatectl",
        )
    else:
        yield Finding("ok", "clock", "the same as here")


def _disk(facts: Facts) -> Iterator[Finding]:
    free = facts.disk.free
    if free is None:
        return
    message = f"{size_text(free)} free at {facts.root}"
    if facts.disk.inodes_free is not None and facts.disk.inodes_free < 1000:
        yield Finding(
            "bad",
            "disk",
            f"{facts.disk.inodes_free} inodes left at {facts.root}",
            f"fleet gc {facts.host} --dry-run",
        )
    elif free < LITTLE_DISK:
        yield Finding("warn", "disk", message, f"fleet gc {facts.host} --dry-run")
    else:
        yield Finding("ok", "disk", message)


def _build(inventory: "Inventory", host: str, facts: Facts) -> Iterator[Finding]:
    yield from toolchain(inventory.hosts[host], facts)
    for build in facts.builds:
        yield Finding("ok", "build", f"{build.fingerprint} {build.backend} b{build.number or 'unknown'}")


def _keeping(facts: Facts) -> Iterator[Finding]:
    keeper = facts.supervisors[0] if facts.supervisors else None
    if keeper is None:
        yield Finding("bad", "supervisor", "nothing here can keep a server alive")
    elif keeper == "systemd" and facts.has_linger is False:
        yield Finding(
            "warn", "supervisor", "systemd, without linger: servers end at logout", "loginctl enable-linger"
        )
    elif keeper == "supervise" and not facts.has_cron:
        yield Finding(
            "warn",
            "supervisor",
            "fleet's own script, without cron: after a reboot its servers wait for the next deploy",
            f"fleet deploy {facts.host}",
        )
    else:
        yield Finding("ok", "supervisor", keeper)


def _lock(facts: Facts) -> Iterator[Finding]:
    if facts.lock is not None and not facts.lock.is_released:
        yield Finding(
            "warn",
            "lock",
            f"held by {facts.lock.holder or 'an unknown controller'}; expires after 90 s of silence",
            f"fleet unlock {facts.host}",
        )


def _servers(inventory: "Inventory", host: str, facts: Facts, live: tuple[Live, ...]) -> Iterator[Finding]:
    wanted = inventory.servers_on(host)
    answers = {one.server: one for one in live}
    there = {one.server for one in facts.instances}
    for name in wanted:
        if name not in there:
            yield Finding("warn", name, "not deployed", f"fleet deploy {host}")
    for one in facts.instances:
        state, reason = server_state(one, answers.get(one.server), one.server in wanted, facts.boot_id)
        if state == "failed":
            failure = explain(one.exit_code, one.log_tail, host, one.server)
            yield Finding(
                "bad",
                one.server,
                f"failed: {failure.cause}",
                failure.next or f"fleet logs {one.server}@{host}",
            )
        elif state == "degraded" and shortfall(one) is not None:
            following = one.proof.next if one.proof else None
            yield Finding(
                "bad", one.server, f"{state}: {reason}", following or f"fleet build {host} --rebuild"
            )
        elif state in ("ready", "busy", "sleeping"):
            yield Finding("ok", one.server, f"{state}: {summary(one.proof)}" if one.proof else state)
        else:
            yield Finding(
                "warn", one.server, f"{state}: {reason or ''}".rstrip(": "), _next(state, one.server, host)
            )


def _next(state: str, server: str, host: str) -> str | None:
    return {
        "held": f"fleet start {server}@{host}",
        "stopped": f"fleet deploy {host}",
        "undeclared": f"fleet deploy {host} --prune",
        "degraded": f"fleet logs {server}@{host}",
    }.get(state)
