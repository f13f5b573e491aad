"""Real llama-servers, asked by the collector over real SSH while they work, sleep, hang and end."""

import asyncio
import itertools
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.core.events import Probed, ServerSampled
from fleet.core.inventory import Server
from fleet.core.secret import Secret
from fleet.io.http import request
from tests.embedded import Embedded, EmbeddedHost
from tests.io.watching import Watch, watching, wish
from tests.servers.values import PRINT, SHA, SMOKE, Place, shim

# The tiny model holds 128 tokens; with a context that is shifted it goes on for as long as we like.
WISH = {"context": 128, "parallel": 1, "args": {"cache-ram": 0, "context-shift": True}}
TOKENS = 8_000  # some seconds of work for it
MANY = 20_000


@pytest.fixture
def h1(embedded: Embedded, tmp_path: Path) -> EmbeddedHost:
    return embedded.up(1)["h1"]


@pytest.fixture
def place(h1: EmbeddedHost, llama_server: Path, tmp_path: Path) -> Iterator[Place]:
    """Fleet's root on that host, with the real llama-server and a tiny model in it."""
    here = Place(Path("/tmp") / f"fleet-{os.getpid()}-{h1.port}", shim(tmp_path / "sh", "sh"))
    (here.root / "builds" / PRINT / "bin").mkdir(parents=True)
    (here.root / "builds" / PRINT / "bin" / "llama-server").symlink_to(llama_server)
    (here.root / "models" / SHA).mkdir(parents=True)
    (here.root / "models" / SHA / "model.gguf").symlink_to(SMOKE)
    yield here
    here.clear()
    here.sh(f"rm -rf '{here.root}'")


def last(watch: Watch) -> ServerSampled | None:
    found = watch.all(ServerSampled, "h1")
    return found[-1] if found else None


def states(watch: Watch) -> list[str]:
    """The words that were said of the server, repetitions left out."""
    found: list[str] = []
    for event in watch.all(ServerSampled, "h1"):
        if not found or found[-1] != event.state:
            found.append(event.state)
    return found


def deployed(place: Place, **changes: object) -> tuple[str, Server]:
    values = WISH | changes
    made = place.release(**values)
    answer = place.verb(made, "deploy")
    assert answer.returncode == 0, answer.stderr
    return made.listen, Server(**({"model": "tiny", "on": ("all",)} | values))


async def complete(watch: Watch, listen: str, place: Place, count: int) -> dict[str, object]:
    """A request of so many tokens, and what the server says of it."""
    key = Secret((place.root / "services" / "chat" / "key").read_text().strip())
    body = json.dumps({"prompt": "a", "n_predict": count, "ignore_eos": True, "cache_prompt": False})
    answer = await request(
        await watch.world.transport("h1"),
        listen,
        "POST",
        "/completion",
        key=key,
        body=body.encode(),
        deadline=240,
    )
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


async def test_its_rate_is_what_the_server_itself_measures(h1: EmbeddedHost, place: Place, tmp_path: Path):
    listen, server = deployed(place)
    async with watching({"h1": wish(h1, root=str(place.root))}, tmp_path, {"chat": server}) as watch:
        await watch.until(lambda: (one := last(watch)) and one.state == "ready")
        idle = last(watch)
        assert (idle.slots_busy, idle.slots_total, idle.deferred, idle.context) == (0, 1, 0, 128)
        assert (idle.generation_tps, idle.held) in ((0.0, None), (None, None))
        start = len(watch.all(ServerSampled, "h1"))
        told = await complete(watch, listen, place, MANY)
        busy = [one for one in watch.all(ServerSampled, "h1")[start:] if one.state == "busy"]
        looks = [
            (look.generation_tps, look.ts - before.ts)
            for before, look in itertools.pairwise(busy)
            if look.generation_tps
        ]
        # what was made before the first look and after the last one is not seen
        edges = 2 * max(rate for rate, _ in looks) * max(seconds for _, seconds in looks)
        assert 0.9 * MANY - edges <= sum(rate * seconds for rate, seconds in looks) <= 1.1 * MANY, looks
        own = told["timings"]["predicted_per_second"]
        assert 0.75 * min(looks)[0] < own < 1.25 * max(looks)[0], (looks, own)
        assert busy[-1].held == 128 and busy[-1].slots_busy == 1


async def test_requests_that_wait_are_counted(h1: EmbeddedHost, place: Place, tmp_path: Path):
    listen, server = deployed(place)
    async with watching({"h1": wish(h1, root=str(place.root))}, tmp_path, {"chat": server}) as watch:
        await watch.until(lambda: (one := last(watch)) and one.state == "ready")
        requests = [asyncio.create_task(complete(watch, listen, place, TOKENS)) for _ in range(6)]
        await watch.until(lambda: last(watch).deferred or all(each.done() for each in requests))
        assert 1 <= last(watch).deferred <= 5
        for each in requests:
            each.cancel()
        await asyncio.gather(*requests, return_exceptions=True)
        await watch.until(lambda: last(watch).deferred == 0)


async def test_a_server_that_sleeps_is_left_asleep(h1: EmbeddedHost, place: Place, tmp_path: Path):
    _, server = deployed(place, args={"cache-ram": 0, "sleep-idle-seconds": 2})
    async with watching({"h1": wish(h1, root=str(place.root))}, tmp_path, {"chat": server}) as watch:
        await watch.until(lambda: (one := last(watch)) and one.state == "sleeping")
        count = len(watch.all(ServerSampled, "h1"))
        await watch.until(lambda: len(watch.all(ServerSampled, "h1")) > count + 5)
        states = {one.state for one in watch.all(ServerSampled, "h1")[count:]}
        assert "sleeping" in states and not states & {"loading", "ready", "busy"}, "nobody woke it"
        assert last(watch).slots_total is None


async def test_a_server_comes_ends_and_goes_before_the_eyes(h1: EmbeddedHost, place: Place, tmp_path: Path):
    async with watching({"h1": wish(h1, root=str(place.root))}, tmp_path) as watch:
        await watch.until(lambda: watch.all(Probed, "h1"))
        assert watch.host("h1").servers == {}
        deployed(place)
        watch.collector.look_again("h1")
        await watch.until(lambda: (one := last(watch)) and one.state == "undeclared")
        (one,) = place.instances()
        os.kill(place.supervisor(), signal.SIGKILL)
        os.kill(one.pid, signal.SIGKILL)
        await watch.until(lambda: last(watch).state == "stopped")
        reasons = [each.reason for each in watch.all(ServerSampled, "h1") if each.state == "degraded"]
        assert all(reasons) and reasons, "it was in trouble before the next probe knew why"
        place.sh('rm -rf "$FLEET_ROOT/services/chat"')
        watch.collector.look_again("h1")
        await watch.until(lambda: watch.host("h1").servers == {})


async def test_one_that_hangs_is_wedged_and_right_again(h1: EmbeddedHost, place: Place, tmp_path: Path):
    _, server = deployed(place)
    async with watching(
        {"h1": wish(h1, root=str(place.root))}, tmp_path, {"chat": server}, still=12
    ) as watch:
        await watch.until(lambda: (one := last(watch)) and one.state == "ready")
        (one,) = place.instances()
        os.kill(one.pid, signal.SIGSTOP)
        try:
            await watch.until(lambda: last(watch).state == "wedged", most=90)
            assert "no progress for" in last(watch).reason
            assert "degraded" in states(watch)
        finally:
            os.kill(one.pid, signal.SIGCONT)
        await watch.until(lambda: last(watch).state == "ready")


@pytest.mark.parametrize("listen", ["nowhere", "127.0.0.1:99999", "/" + "x" * 500])
async def test_a_strange_place_to_listen_on_harms_nobody(
    listen, h1: EmbeddedHost, place: Place, tmp_path: Path
):
    deployed(place)
    for file in place.root.glob("releases/chat/*/release.env"):
        lines = [line for line in file.read_text().splitlines() if not line.startswith("listen=")]
        file.write_text("\n".join([*lines, f"listen={listen}"]) + "\n")
    async with watching({"h1": wish(h1, root=str(place.root))}, tmp_path) as watch:
        await watch.until(lambda: len(watch.all(ServerSampled, "h1")) > 2)
        assert last(watch).state in ("unknown", "degraded") and last(watch).reason
