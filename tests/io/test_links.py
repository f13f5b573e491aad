"""A link is kept up, but nobody is hammered. Time is a value here."""

import asyncio
import heapq
from pathlib import Path

import pytest

from fleet.core.errors import FleetError, StepError, UnreachableError
from fleet.core.inventory import Host
from fleet.io.clock import SystemRandom
from fleet.io.folders import SystemFolders
from fleet.io.link import Link, OnLost
from fleet.io.links import Links, links
from fleet.io.ports import Answer, Transport
from fleet.io.ssh.gate import Gate
from tests.io.near import near


class Hours:
    """A clock that is moved by hand; the wall can jump on its own."""

    def __init__(self) -> None:
        self.time, self.ahead = 1000.0, 0.0
        self.sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self.time + self.ahead

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self.sleepers, (self.time + seconds, id(future), future))
        await future

    async def pass_(self, seconds: float) -> None:
        end = self.time + seconds
        await settle()
        while self.sleepers and self.sleepers[0][0] <= end:
            self.time, _, future = heapq.heappop(self.sleepers)
            if not future.done():
                future.set_result(None)
            await settle()
        self.time = end
        await settle()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class Wire:
    """A transport that only knows whether it lives."""

    def __init__(self) -> None:
        self.is_alive, self.probes, self.is_closed = True, 0, False

    async def run(self, script: str, **_: object) -> Answer:
        self.probes += 1
        if not self.is_alive:
            raise StepError("no end")
        return Answer(0, b"", b"")

    async def close(self) -> None:
        self.is_closed = True


class Exchange:
    """Answers calls as it was told to, in order."""

    def __init__(self, *replies: FleetError | None) -> None:
        self.replies, self.calls = list(replies), 0
        self.wires: list[Wire] = []
        self.hang_up: OnLost = lambda _: None

    async def dial(self, on_lost: OnLost) -> Transport:
        self.calls += 1
        reply = self.replies.pop(0) if self.replies else None
        if reply:
            raise reply
        self.hang_up = on_lost
        self.wires.append(Wire())
        return self.wires[-1]  # type: ignore[return-value]


def down(kind: str = "unreachable") -> UnreachableError:
    return UnreachableError("no answer", kind=kind)


def link(exchange: Exchange, clock: Hours) -> Link:
    return Link("x", exchange.dial, clock=clock, random=SystemRandom())


async def test_many_who_ask_share_one_connection() -> None:
    exchange = Exchange()
    one = link(exchange, Hours())
    got = await asyncio.gather(*(one.get() for _ in range(20)))
    assert len(set(map(id, got))) == 1 and exchange.calls == 1
    await one.close()
    assert exchange.wires[0].is_closed


async def test_an_attempt_that_eats_its_cancellation_does_not_keep_the_end_waiting():
    """As asyncio.wait_for does before Python 3.12 when what it waits for fails at that moment."""
    dialling = asyncio.Event()

    async def dial(_: OnLost) -> Transport:
        dialling.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if exchange.replies:
                raise exchange.replies.pop() or AssertionError from None
            raise
        raise AssertionError

    exchange = Exchange(UnreachableError("refused"))
    one = Link("x", dial, clock=Hours(), random=SystemRandom())
    getting = asyncio.create_task(one.get())
    await dialling.wait()
    await one.close()
    assert not exchange.replies
    getting.cancel()


async def test_a_host_that_never_answered_is_reported_at_once() -> None:
    one = link(Exchange(down(), down()), Hours())
    with pytest.raises(UnreachableError, match="no answer"):
        await one.get(deadline=3600)
    await one.close()


async def test_a_lost_host_is_waited_for() -> None:
    exchange, clock = Exchange(None, down(), down()), Hours()
    one = link(exchange, clock)
    await one.get()
    exchange.hang_up(ConnectionResetError())
    await settle()
    assert one.state == "down" and one.error
    waiting = asyncio.create_task(one.get(deadline=3600))
    await clock.pass_(10)
    assert await waiting is exchange.wires[1]
    assert exchange.calls == 4
    await one.close()


async def test_a_connection_that_just_ended_is_not_given_out() -> None:
    exchange, clock = Exchange(), Hours()
    one = link(exchange, clock)
    await one.get()
    exchange.hang_up(None)
    again = asyncio.create_task(one.get())
    await clock.pass_(5)
    assert await again is exchange.wires[1]
    await one.close()


async def test_attempts_become_rarer() -> None:
    exchange, clock = Exchange(None, *[down() for _ in range(1000)]), Hours()
    one = link(exchange, clock)
    await one.get()
    exchange.hang_up(None)
    await clock.pass_(600)
    assert 600 / 30 <= exchange.calls <= 600 / 15 + 10
    await one.close()


@pytest.mark.parametrize("kind", ["auth", "host-key-unknown", "host-key-changed", "ssh-config"])
async def test_what_a_person_must_cure_is_not_tried_again(kind: str) -> None:
    exchange, clock = Exchange(down(kind), down(kind)), Hours()
    one = link(exchange, clock)
    for _ in range(3):
        with pytest.raises(UnreachableError) as error:
            await one.get()
        assert error.value.kind == kind
        await clock.pass_(1000)
    assert exchange.calls == 1
    await one.close()


async def test_a_cured_host_is_tried_when_asked() -> None:
    exchange = Exchange(down("auth"))
    one = link(exchange, Hours())
    with pytest.raises(UnreachableError):
        await one.get()
    one.retry()
    assert await one.get() is exchange.wires[0]
    await one.close()


async def test_a_dead_host_is_not_called_for_every_question() -> None:
    exchange, clock = Exchange(*[down() for _ in range(1000)]), Hours()
    one = link(exchange, clock)
    for _ in range(100):
        with pytest.raises(UnreachableError):
            await one.get()
        await clock.pass_(0.01)
    assert exchange.calls <= 3
    await one.close()


async def test_after_the_machine_slept_every_link_shows_a_sign_of_life() -> None:
    clock, exchange = Hours(), Exchange()
    every = Links(lambda _, on_lost: exchange.dial(on_lost), clock=clock, random=SystemRandom())
    await every.get("x")
    await clock.pass_(60)
    assert exchange.wires[0].probes == 0
    clock.ahead += 3600
    await clock.pass_(3)
    assert exchange.wires[0].probes == 1 and every.link("x").state == "up"
    exchange.wires[0].is_alive = False
    clock.ahead += 3600
    await clock.pass_(10)
    assert await every.get("x") is exchange.wires[1]
    await every.close()


async def test_dead_hosts_do_not_keep_the_living_waiting() -> None:
    gate = Gate(total=2, silent=0.01)
    dead = asyncio.Event()

    async def wait(address: str) -> None:
        async with gate.passing(address):
            await dead.wait()

    waiting = [asyncio.create_task(wait(f"dead{n}")) for n in range(6)]
    async with asyncio.timeout(20), gate.passing("alive") as place:
        place.met()
    dead.set()
    await asyncio.gather(*waiting)


async def test_hosts_that_talk_are_counted() -> None:
    gate = Gate(total=2, silent=0.01)
    inside = most = 0

    async def talk(address: str) -> None:
        nonlocal inside, most
        async with gate.passing(address) as place:
            place.met()
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.03)
            inside -= 1

    await asyncio.gather(*(talk(f"h{n}") for n in range(8)))
    assert most == 2


async def test_each_change_of_state_is_told() -> None:
    told: list[str] = []
    exchange, clock = Exchange(), Hours()
    one = Link(
        "x", exchange.dial, clock=clock, random=SystemRandom(), on_change=lambda link: told.append(link.state)
    )
    await one.get()
    exchange.hang_up(None)
    await clock.pass_(5)
    assert told == ["connecting", "up", "down", "connecting", "up"]
    await one.close()


async def test_one_call_reaches_a_real_host_and_this_machine(tmp_path: Path) -> None:
    async with near(tmp_path) as server:
        folders = SystemFolders(tmp_path / "state", tmp_path, tmp_path)
        await server.trust("far")
        hosts = {"far": server.host(), "here": Host(transport="local")}
        every = links(hosts, folders)
        for name in hosts:
            transport = await every.get(name)
            assert (await transport.run("echo yes", deadline=10)).out == b"yes\n"
        await every.close()
