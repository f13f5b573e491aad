"""The single steps of a server's life, from its release to its end."""

from fleet.core.facts import Facts, Instance
from fleet.core.plan import Action, Drained, Ready, Run, Step, Wait, Write
from fleet.core.proof import NOTHING
from fleet.servers.release import Release, files
from fleet.supervisors.base import SUPERVISORS, Service, verb

STILL = 180.0  # seconds that a server may load without using the CPU
DRAIN = 60.0  # seconds given to requests in flight
START = 60.0  # seconds for the start program
STOP = 60.0  # seconds: TERM, TERM and KILL take at most 27 of them
UP = ("running", "starting")  # states of a server that takes requests, or will


def write(wanted: Release) -> Step:
    """The wanted release, beside the one that is current."""
    title = f"write release {wanted.rid} of {wanted.server}"
    return Step(title, Write(files(wanted)), f"release {wanted.server} {wanted.wish}", "prepare")


def check(wanted: Release) -> Step:
    """Before the old one is stopped."""
    run = Run(verb(wanted.supervisor, "check", wanted.service, ADDRESS=wanted.address), START)
    return Step(
        f"check that {wanted.address} is free", run, f"check {wanted.server} {wanted.address}", "prepare"
    )


def deploy(wanted: Release) -> Step:
    """The wanted release becomes the current one, and is started."""
    script = verb(wanted.supervisor, "deploy", wanted.service, SOCKET=wanted.socket, ADDRESS=wanted.address)
    title = f"start {wanted.server} ({wanted.model} on {wanted.backend}) under {wanted.supervisor}"
    return Step(title, Run(script, START), f"start {wanted.server} {wanted.wish}", "start")


def ready(wanted: Release) -> Step:
    """Until the wanted release is proven."""
    until = Ready(wanted.server, wanted.rid, wanted.listen, STILL, wanted.device, wanted.expected)
    key = f"ready {wanted.server} {wanted.wish}"
    return Step(f"wait until {wanted.server} answers a completion", Wait(until), key, "health")


def drain(there: Instance) -> Step:
    """Before the current release is stopped."""
    until = Drained(there.server, there.listen or "", DRAIN)
    title = f"let {there.server} finish its requests, at most {DRAIN:.0f} s"
    return Step(title, Wait(until), f"drain {there.server}", "stop")


def stop(there: Instance, facts: Facts, outage: str | None = None) -> Step:
    """The current release ends; a deploy would start it again."""
    run = Run(_script(there, facts, "stop"), STOP)
    return Step(f"stop {there.server}", run, f"stop {there.server} {there.release}", "stop", outage=outage)


def hold(there: Instance, facts: Facts, host: str, reason: str) -> Step:
    """The current release ends, and deploy leaves it so until it is started by hand."""
    name = there.server
    run = Run(_script(there, facts, "hold", REASON=" ".join(reason.split())), STOP)
    outage = f"{name} does not answer until fleet start {name}@{host}"
    return Step(f"stop {name} and hold it", run, f"hold {name}", "stop", outage=outage)


def remove(there: Instance, facts: Facts) -> Step:
    """It ends, and nothing of it is left."""
    name = there.server
    outage = f"{name} ends" if there.state in UP else None
    run = Run(_script(there, facts, "remove"), STOP)
    return Step(f"stop and remove {name}", run, f"remove {name}", "stop", outage=outage)


def back(wanted: Release, there: Instance, facts: Facts) -> tuple[Action, ...]:
    """What brings the former release back when the wanted one does not get ready."""
    before = Service(there.server, there.release or "", facts.root, facts.home or "", there.server)
    at = _place(there)
    return (
        Run(
            verb(wanted.supervisor, "stop", wanted.service, SOCKET=wanted.socket, ADDRESS=wanted.address),
            STOP,
        ),
        Write(SUPERVISORS.take(there.supervisor).files(before)),
        Run(verb(there.supervisor, "deploy", before, **at), START),
        ready_again(there).action,
    )


def start(there: Instance, facts: Facts) -> Step:
    """The current release again, as it is deployed; a hold is cleared."""
    run = Run(_script(there, facts, "start"), START)
    return Step(f"start {there.server}", run, f"start {there.server} {there.release}", "start")


def ready_again(there: Instance) -> Step:
    """Until the current release is proven."""
    rid = there.release or ""
    expected = there.proof.expected if there.proof is not None else NOTHING
    until = Ready(there.server, rid, there.listen or "", STILL, there.device, expected)
    key = f"ready {there.server} {rid}"
    return Step(f"wait until {there.server} answers a completion", Wait(until), key, "health")


def _script(there: Instance, facts: Facts, name: str, **more: str) -> str:
    """A program about a service as it is on the host."""
    service = Service(there.server, there.release or "", facts.root, facts.home or "", "")
    return verb(there.supervisor, name, service, **(_place(there) | more))


def _place(there: Instance) -> dict[str, str]:
    listen = there.listen or ""
    return {"SOCKET": listen} if listen.startswith("/") else {"ADDRESS": listen}
