"""Waits for a server: until it really answers, or until nobody uses it."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet.core.errors import DeadlineError, FleetError, StepError, UnreachableError
from fleet.core.events import Measured, Notice
from fleet.core.facts import Instance
from fleet.core.plan import Drained, Ready
from fleet.core.proof import Proof
from fleet.core.secret import Secret
from fleet.core.shell import complaint, packaged
from fleet.core.text import safe_line, safe_text
from fleet.io.http import request
from fleet.io.ports import Transport
from fleet.io.shelltext import placed, taken_over
from fleet.platforms.base import FENCED, program
from fleet.servers.failure import explain
from fleet.servers.proof import mend, not_on_device, proof, summary
from fleet.servers.slots import generation_speed, health, is_sleeping, parse_slots
from fleet.supervisors.base import Service, verb
from fleet.supervisors.instances import parse_instances
from fleet.supervisors.instances import script as instances_script

if TYPE_CHECKING:
    from fleet.io.world import World

ASK = 10.0  # seconds for one small question
HEALTH = 4.0  # seconds for /health, which answers at once or is asked again
PAUSE = 0.5  # seconds between looks; grows
PAUSE_MOST = 3.0
GRACE = 10.0  # seconds until a supervisor that was told to start has begun
MEASURE = 20.0  # seconds for the tokens that are timed
ONE_TOKEN = json.dumps({"prompt": "Hello", "n_predict": 1, "cache_prompt": False}).encode()
SOME_TOKENS = json.dumps(
    {"prompt": "Hello", "n_predict": 12, "ignore_eos": True, "cache_prompt": False}
).encode()


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a start, from the host."""

    instance: Instance | None
    moved: str  # changes as long as it makes progress
    memory: tuple[str, ...]  # log lines that say what it took; only where they were asked for
    tail: tuple[str, ...]  # last lines of its log, where it does not run


async def wait_ready(
    world: "World",
    host: str,
    until: Ready,
    generation: str,
    report: Callable[..., None] | None = None,
) -> Proof:
    """Until /health is 200, one completion came back and the device is as expected; then notes it.

    Returns:
        What the start showed; it lies on the host too.

    Raises:
        StepError: it ended, or a stranger answers; with the cause, its line and the next command.
        DeadlineError: it neither loaded nor used the CPU for `until.deadline` seconds.
    """
    begun = moved_at = world.clock.monotonic()
    moved, pause = "", PAUSE
    while True:
        transport = await world.returning(host)
        try:
            if await _is_up(world, transport, host, until, begun):
                break
            now_moved = (await look(transport, world.root(host), until.server)).moved
        except UnreachableError as error:
            if error.kind != "link-lost":
                raise
            now_moved = moved
        now = world.clock.monotonic()
        if now_moved != moved:
            moved, moved_at = now_moved, now
        if now - moved_at > until.deadline:
            raise DeadlineError(
                f"{until.server} runs but did not get ready, and did nothing for {until.deadline:.0f} s",
                host=host,
                next=f"fleet logs {until.server}@{host}",
            )
        await world.clock.sleep(pause)
        pause = min(PAUSE_MOST, pause * 1.3)
    transport = await world.returning(host)
    key = await world.key(host, until.server)
    await complete(transport, host, until, key)
    tps = await measure(transport, until, key)
    seen = await look(transport, world.root(host), until.server, is_full=True)
    check_device(host, until, seen.memory)
    made = proof(
        host, until.server, until.release, until.device, seen.memory, tps, until.expected, world.clock.now()
    )
    await prove(transport, host, world.root(host), generation, until, seen.instance, made)
    _tell(world, host, until.server, made)
    return made


def _tell(world: "World", host: str, server: str, made: Proof) -> None:
    """What the start showed, for people and for the journal."""
    stamp = world.stamp(host)
    less = "" if made.shortfall is None else f"; {made.shortfall}\n-> next: {made.next}"
    world.say(Notice(**stamp, message=f"{server}: {summary(made)}{less}"))
    if made.tps is not None:
        world.say(Measured(**stamp, server=server, generation_tps=made.tps))


async def _is_up(world: "World", transport: Transport, host: str, until: Ready, begun: float) -> bool:
    """Whether it is our process and its /health says ready."""
    seen = await look(transport, world.root(host), until.server)
    one = seen.instance
    if one is None:
        raise StepError(f"{until.server} is not there", host=host, next=f"fleet deploy {host}")
    crashed = one.state == "starting" and one.exit_code not in (None, 0)
    late = one.state == "stopped" and world.clock.monotonic() - begun > GRACE
    if one.state == "failed" or crashed or late or (one.state == "stopped" and one.exit_code is not None):
        raise ended(host, until.server, one, seen.tail)
    if one.state != "running":
        return False
    if one.release != until.release:
        raise StepError(
            f"{until.server} runs release {one.release}, not {until.release}",
            host=host,
            next=f"fleet restart {until.server}@{host}",
        )
    try:
        answer = await request(transport, until.listen, "GET", "/health", deadline=HEALTH)
    except (StepError, DeadlineError):
        return False  # not listening yet, or busy loading
    except UnreachableError as error:
        if error.kind == "link-lost":
            raise
        return False
    said = health(answer.status, answer.body)
    if said == "silent":
        # A strange program on our port: our own process cannot have bound it and will end.
        return False
    return said == "ready"


def ended(host: str, server: str, one: Instance, tail: tuple[str, ...]) -> StepError:
    """Why a start failed: exit code, decisive line, likely cause, next command."""
    why = explain(one.exit_code, tail or one.log_tail, host, server)
    code = "" if one.exit_code is None else f" (exit code {one.exit_code})"
    line = f": {safe_line(why.line, 300)}" if why.line else ""
    return StepError(
        f"{server} did not start{code}: {why.cause}{line}", host=host, next=why.next, kind="start"
    )


async def complete(transport: Transport, host: str, until: Ready, key: Secret) -> None:
    """One token, generated for real.

    Raises:
        StepError: an answer without a token.
    """
    try:
        answer = await request(
            transport, until.listen, "POST", "/completion", key=key, body=ONE_TOKEN, deadline=until.deadline
        )
    except DeadlineError as error:
        raise DeadlineError(
            f"{until.server} says that it is ready, but gave no token in {until.deadline:.0f} s",
            host=host,
            next=f"fleet logs {until.server}@{host}",
        ) from error
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        document = None
    tokens = document.get("tokens_predicted") if isinstance(document, dict) else None
    if answer.status != 200 or not isinstance(tokens, int) or tokens < 1:
        said = safe_line(answer.body, 200)
        raise StepError(
            f"{until.server} is up, but its first completion failed ({answer.status}): {said}",
            host=host,
            next=f"fleet logs {until.server}@{host}",
            kind="start",
        )


async def measure(transport: Transport, until: Ready, key: Secret) -> float | None:
    """Tokens/s of one short completion; None where it gave none in time, which is no failure."""
    try:
        answer = await request(
            transport, until.listen, "POST", "/completion", key=key, body=SOME_TOKENS, deadline=MEASURE
        )
    except (StepError, DeadlineError):
        return None
    return generation_speed(answer.body) if answer.status == 200 else None


def check_device(host: str, until: Ready, lines: tuple[str, ...]) -> None:
    """Whether weights are on the device that was asked for.

    Raises:
        StepError: all weights are elsewhere.
    """
    why = not_on_device(until.device, lines)
    if why is not None:
        raise StepError(f"{until.server} answers, but {why}", host=host, next=mend(host), kind="device")


async def prove(
    transport: Transport,
    host: str,
    root: str,
    generation: str,
    until: Ready,
    one: Instance | None,
    made: Proof,
) -> None:
    """Notes on the host that this very process answered under this release."""
    service = Service(until.server, until.release, root, "", "")
    script = verb(one.supervisor if one else "supervise", "prove", service, PROOF=made.text())
    answer = await transport.run(placed(script, root, generation), deadline=ASK * 3)
    if answer.status == FENCED:
        raise taken_over(host)
    if answer.status:
        what, following = complaint(safe_text(answer.err))
        raise StepError(
            what or f"exit {answer.status}", host=host, next=following or f"fleet logs {until.server}@{host}"
        )


async def look(transport: Transport, root: str, server: str, *, is_full: bool = False) -> Look:
    """What the host says of one server.

    Args:
        is_full: with the lines of its log that say what it took of the memory.
    """
    watch = packaged("fleet.servers", "watch.sh")
    script = placed(program(instances_script() + watch, SERVER=server, FULL="yes" if is_full else ""), root)
    answer = await transport.run(script, deadline=ASK * 3)
    text = safe_text(answer.out)
    found: dict[str, list[str]] = {"moved": [], "memory": [], "tail": []}
    for line in text.split("\n"):
        key, _, value = line.partition(" ")
        if key in found:
            found[key].append(safe_line(value))
    instances = parse_instances(text)
    one = instances[0] if instances and instances[0].release is not None else None
    return Look(one, "".join(found["moved"]), tuple(found["memory"]), tuple(found["tail"]))


async def wait_drained(world: "World", host: str, until: Drained) -> None:
    """Until no slot is busy. A server that sleeps, is gone or does not answer has nothing to drain."""
    end = world.clock.monotonic() + until.deadline
    try:
        async with asyncio.timeout(until.deadline + ASK):
            transport = await world.returning(host)
            key = await world.key(host, until.server)
            while world.clock.monotonic() < end:
                about = await request(transport, until.listen, "GET", "/props", key=key, deadline=ASK)
                if about.status != 200 or is_sleeping(about.body):
                    return
                answer = await request(transport, until.listen, "GET", "/slots", key=key, deadline=ASK)
                if not any(slot.is_processing for slot in parse_slots(answer.body)):
                    return
                await world.clock.sleep(1.0)
    except UnreachableError as error:
        if error.kind == "link-lost":
            raise
    except (FleetError, TimeoutError):
        return
