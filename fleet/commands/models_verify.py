"""Read models whole, on hosts and on the controller; what is damaged is put aside and named."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet.commands.base import Option, Request, Results, Verb, split
from fleet.core.errors import FleetError, PlanError, StepError
from fleet.core.facts import Facts, ModelFile
from fleet.core.flow import Flow, carry, confirm, probe
from fleet.core.plan import Plan, Run, Step, count_text, size_text
from fleet.core.shell import packaged
from fleet.core.stock import CheckCached, Checked, ReadStock, Stocked
from fleet.models.keeping import meant, users
from fleet.platforms.base import program

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory

SLOWEST = 5_000_000  # bytes/s of a disk that a deadline allows for


@dataclass(frozen=True, slots=True)
class Copy:
    """One model in one place."""

    sha256: str
    names: tuple[str, ...]
    size: int  # bytes
    is_whole: bool
    servers: tuple[str, ...]  # that run from it
    aside: str | None  # where a damaged file lies now

    @property
    def name(self) -> str:
        return self.names[0] if self.names else self.sha256[:12]


@dataclass(frozen=True, slots=True)
class Verified:
    host: str
    copies: tuple[Copy, ...]
    here: tuple[Copy, ...]  # the controller's
    is_done: bool  # read, and not only planned


def flow(request: Request, inventory: "Inventory", host: str) -> Flow[Verified]:
    """What the host holds, read back from its disk.

    Raises:
        UsageError, PlanError: no such model, or not on this host.
        DeadlineError: the disk is slower than any; the job goes on and is joined by the same command.
    """
    facts = yield from probe(host)
    stocked: Stocked = yield ReadStock()
    held, here = _chosen(request, facts, stocked)
    plan = Plan(host, tuple(_step(one, stocked) for one in held), () if held else ("no model lies there",))
    agreed = yield from confirm(plan)
    if request.dry_run or (held and not agreed):
        return Verified(host, (), (), is_done=False)
    checked: tuple[Checked, ...] = yield CheckCached(here)
    after = facts
    if held:
        yield from carry(plan)
        after = yield from probe(host)
    left = {one.sha256 for one in after.models}
    copies = tuple(
        Copy(
            one.sha256,
            stocked.names(one.sha256),
            one.size,
            one.sha256 in left,
            () if one.sha256 in left else users(after, stocked, one.sha256),
            None if one.sha256 in left else f"{facts.root}/damaged/{one.sha256}",
        )
        for one in held
    )
    own = tuple(
        Copy(one.sha256, stocked.names(one.sha256), one.size, one.is_whole, (), one.aside) for one in checked
    )
    return Verified(host, copies, own, is_done=True)


def _chosen(
    request: Request, facts: Facts, stocked: Stocked
) -> tuple[tuple[ModelFile, ...], tuple[str, ...]]:
    """What is to be read on the host, and of the controller's cache."""
    cached = tuple(one.sha256 for one in stocked.cached if one.sha256 is not None)
    names = tuple(request["model"] or ())
    if not names:
        return facts.models, cached
    wanted = {meant(name, stocked, [*(one.sha256 for one in facts.models), *cached]) for name in names}
    held = tuple(one for one in facts.models if one.sha256 in wanted)
    here = tuple(sha256 for sha256 in cached if sha256 in wanted)
    if not held and not here:
        raise PlanError(
            f"{', '.join(names)} is not there", host=facts.host, next=f"fleet models list {facts.host}"
        )
    return held, here


def _step(one: ModelFile, stocked: Stocked) -> Step:
    name = next(iter(stocked.names(one.sha256)), one.sha256[:12])
    script = program(packaged("fleet.models", "hash.sh", "verify.sh"), SHA256=one.sha256)
    return Step(
        title=f"read model {name} ({size_text(one.size)}) and compare",
        action=Run(script, deadline=120 + one.size / SLOWEST, job=f"verify-{one.sha256[:16]}"),
        key=f"verify:{one.sha256}",
        phase="verify",
    )


def failure(result: Any) -> FleetError | None:
    """What is damaged is an error, and what follows is how it is healed."""
    bad = [one for one in (*result.copies, *result.here) if not one.is_whole]
    if not bad:
        return None
    one = bad[0]
    if one in result.here:
        following = f"fleet models pull {one.name}" if one.names else "fleet models list"
        return StepError(f"{one.name} was damaged in the controller's cache", kind="damaged", next=following)
    following = f"fleet models push {result.host}" + (f" --model {one.name}" if one.names else "")
    return StepError(f"{one.name} was damaged", host=result.host, kind="damaged", next=following)


def document(request: Request, results: Results) -> dict[str, Any]:
    """`fleet.verify/1`."""
    good, errors = split(results)

    def copies(found: tuple[Copy, ...]) -> list[dict[str, Any]]:
        return [
            {
                "sha256": one.sha256,
                "names": list(one.names),
                "bytes": one.size,
                "whole": one.is_whole,
                "servers": list(one.servers),
                "aside": one.aside,
            }
            for one in found
        ]

    def one(host: str) -> dict[str, Any]:
        if host in errors:
            return {"name": host, "models": [], "error": errors[host].document()}
        error = failure(good[host])
        return {
            "name": host,
            "models": copies(good[host].copies),
            "error": error.document() if error else None,
        }

    return {"controller": copies(_here(good)), "hosts": [one(host) for host in results]}


def lines(request: Request, results: Results) -> Iterable[str]:
    good, _ = split(results)
    if request.dry_run:
        yield "nothing read (--dry-run)"
        return
    for host, found in good.items():
        yield from _told(host, found.copies, f"fleet models push {host}")
        if not found.copies and found.is_done:
            yield f"{host}: no model lies there"
    yield from _told("controller", _here(good), "fleet models pull")


def _here(good: dict[str, Any]) -> tuple[Copy, ...]:
    """The controller's copies, each once."""
    return tuple({one.sha256: one for found in good.values() for one in found.here}.values())


def _told(place: str, copies: tuple[Copy, ...], heal: str) -> Iterable[str]:
    whole = [one for one in copies if one.is_whole]
    if whole:
        total = size_text(sum(one.size for one in whole))
        yield f"{place}: {count_text(len(whole), 'model')} whole, {total} read"
    for one in copies:
        if one.is_whole:
            continue
        yield f"{place}: {one.name} is DAMAGED and was put aside; nothing starts from it"
        yield f"  {one.aside}"
        if one.servers:
            yield f"  {', '.join(one.servers)} may still run from it, out of memory"
        if one.names:
            name = f"--model {one.name}" if heal.startswith("fleet models push") else one.name
            yield f"  -> next: {heal} {name}"
        for server in one.servers:
            yield f"  -> then: fleet restart {server}@{place}"


verb = Verb(
    help="Read models whole on hosts and here; what is damaged is put aside.",
    level=1,
    flow=flow,
    document=document,
    lines=lines,
    failure=failure,
    schema="fleet.verify/1",
    options=(
        Option("--model", "only this one: a name, or how its sha256 begins; may be repeated", is_many=True),
    ),
)
