"""How servers do, asked through their own interface over the host's connection."""

import asyncio

from fleet.core.errors import FleetError
from fleet.core.facts import Facts, Instance, Live
from fleet.core.secret import Secret
from fleet.io.http import request
from fleet.io.ports import Transport
from fleet.io.world import World
from fleet.servers.slots import generation_rate, is_sleeping, parse_slots, prompt_rate

DEADLINE = 5.0  # seconds for one question


async def look(world: World, host: str, facts: Facts, seconds: float) -> tuple[Live, ...]:
    """Each running server, looked at twice so that a live rate can be told.

    A server that does not answer is a Live with health "silent" and the reason;
    it is never an error of the host.
    """
    running = [instance for instance in facts.instances if instance.state == "running" and instance.listen]
    transport = await world.transport(host)
    return tuple(await asyncio.gather(*(_one(world, transport, host, one, seconds) for one in running)))


async def _one(world: World, transport: Transport, host: str, instance: Instance, seconds: float) -> Live:
    try:
        key = await world.key(host, instance.server)
        return await _ask(world, transport, instance, key, seconds)
    except FleetError as error:
        return Live(instance.server, "silent", None, None, None, None, world.clock.now(), str(error.what))


async def _ask(world: World, transport: Transport, instance: Instance, key: Secret, seconds: float) -> Live:
    listen = str(instance.listen)

    async def get(path: str) -> tuple[int, bytes]:
        answer = await request(transport, listen, "GET", path, key=key, deadline=DEADLINE)
        return answer.status, answer.body

    def live(health: str, reason: str | None = None) -> Live:
        return Live(instance.server, health, None, None, None, None, world.clock.now(), reason)

    status, body = await get("/props")
    if status == 503:
        return live("loading")
    if status != 200:
        return live("silent", f"GET /props answered {status}")
    if is_sleeping(body):
        return live("sleeping")
    before_at = world.clock.monotonic()
    status, body = await get("/slots")
    if status != 200:
        return live("ready", f"GET /slots answered {status}")
    before = after = parse_slots(body)
    elapsed = 0.0
    if seconds and any(slot.is_processing for slot in before):
        await world.clock.sleep(seconds)
        status, body = await get("/slots")
        after = parse_slots(body) if status == 200 else before
        elapsed = world.clock.monotonic() - before_at
    return Live(
        server=instance.server,
        health="ready",
        slots=after,
        deferred=None,
        generation_tps=generation_rate(before, after, elapsed) if elapsed else None,
        prompt_tps=prompt_rate(before, after, elapsed) if elapsed else None,
        at=world.clock.now(),
        reason=None,
    )
