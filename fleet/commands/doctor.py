"""What is wrong with a host, in words, with the next command for each."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fleet.commands.base import Request, Results, Verb, split
from fleet.core.errors import FleetError
from fleet.core.flow import Flow, LastMeasured, look, probe
from fleet.watch.doctor import examine, unreachable
from fleet.watch.finding import Finding

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


def doctor(request: Request, inventory: "Inventory", host: str) -> Flow[tuple[Finding, ...]]:
    """Everything that can be seen from here; a host that cannot be reached is a finding too."""
    try:
        facts = yield from probe(host)
    except FleetError as error:
        return unreachable(error)
    live = yield from look(host, facts, 0.0)
    _, _, now = yield LastMeasured(host)
    return examine(inventory, host, facts, live, now)


def document(request: Request, results: Results) -> dict[str, Any]:
    good, errors = split(results)
    return {
        "hosts": [
            {
                "name": host,
                "findings": [
                    {"level": one.level, "about": one.about, "message": one.message, "next": one.next}
                    for one in good.get(host, ())
                ],
                "error": errors[host].document() if host in errors else None,
            }
            for host in results
        ]
    }


def lines(request: Request, results: Results) -> Iterable[str]:
    for host, findings in split(results)[0].items():
        yield host
        for one in findings:
            yield f"  {one.level:<4} {one.about}: {one.message}"
            if one.next:
                yield f"       -> next: {one.next}"


def failure(findings: tuple[Finding, ...]) -> FleetError | None:
    """The first finding that must be mended is the failure of the run."""
    return next((one.error for one in findings if one.error is not None), None)


verb = Verb(
    help="Say what is wrong with hosts, why, and what to do next.",
    level=0,
    flow=doctor,
    document=document,
    lines=lines,
    schema="fleet.doctor/1",
    failure=failure,
)
