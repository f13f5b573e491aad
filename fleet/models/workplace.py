"""On which host models are converted: the one with room on its disk and in its memory, and most cores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fleet.core.errors import FleetError, PlanError
from fleet.core.facts import Facts
from fleet.core.plan import size_text
from fleet.models.plan import reserve


@dataclass(frozen=True, slots=True)
class Needs:
    disk: int  # bytes, about
    memory: int  # bytes, about
    python: bool  # the converter runs there, not only llama.cpp's tools


@dataclass(frozen=True, slots=True)
class Candidate:
    facts: Facts
    needs: Needs  # without what is there already
    is_begun: bool  # an earlier run left its work there
    lack: str | None  # what keeps the converter from running there
    has_build: bool


def choose(found: Mapping[str, Candidate], errors: Mapping[str, FleetError]) -> tuple[str, str]:
    """The host, and why.

    Args:
        found: hosts that answered.
        errors: of those that did not.

    Raises:
        PlanError: none has room; says for each what it lacks.
    """
    lacks = {host: lack for host, one in found.items() if (lack := _lack(one))}
    good = [host for host in found if host not in lacks]
    others = [f"{host}: {why}" for host, why in lacks.items()]
    others += [f"{host}: {error.what}" for host, error in errors.items()]
    if not good:
        raise PlanError(
            "no host can convert this: " + "; ".join(others or ["there is none"]),
            next="free some space: fleet gc --dry-run; or --on HOST, or fewer types after --to",
        )
    best = max(
        good, key=lambda host: (found[host].is_begun, found[host].has_build, threads(found[host].facts))
    )
    return best, _why(found[best], others)


def threads(facts: Facts) -> int:
    return facts.cpu.threads or 1


def _lack(one: Candidate) -> str | None:
    disk, memory = one.facts.disk, one.facts.memory
    if one.lack is not None:
        return one.lack
    if disk.free is not None and disk.free - reserve(disk.total) < one.needs.disk:
        return (
            f"{size_text(disk.free)} free in {one.facts.root}, about {size_text(one.needs.disk)} are needed"
        )
    if memory.available is not None and memory.available < one.needs.memory:
        return f"{size_text(memory.available)} of memory free, about {size_text(one.needs.memory)} are needed"
    return None


def _why(one: Candidate, others: Sequence[str]) -> str:
    disk, memory = one.facts.disk.free, one.facts.memory.available
    parts = [
        "an earlier run has begun there" if one.is_begun else "",
        f"{threads(one.facts)} threads",
        f"{size_text(disk)} free of which about {size_text(one.needs.disk)} are needed"
        if disk is not None
        else "",
        f"{size_text(memory)} of memory, about {size_text(one.needs.memory)} needed"
        if memory is not None
        else "",
        "has the tools" if one.has_build else "the tools are built there first",
    ]
    text = f"chosen for: {', '.join(part for part in parts if part)}"
    return text + (f"; not {'; '.join(others)}" if others else "")
