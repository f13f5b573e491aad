"""Waiting for the real llama-server, through the local transport."""

import asyncio
import os
import shutil
import signal
from dataclasses import dataclass, field

import pytest

from fleet.core.errors import DeadlineError, StepError
from fleet.core.facts import Live
from fleet.core.plan import Drained, Ready
from fleet.core.secret import Secret
from fleet.io.clock import SystemClock
from fleet.io.http import request
from fleet.io.local import LocalTransport
from fleet.io.servers.ready import check_device, look, wait_drained, wait_ready
from fleet.servers.slots import parse_slots, props
from fleet.watch.states import server_state
from tests.servers.values import SHA, Place

TINY = {"context": 512, "parallel": 1}


@dataclass
class Reach:
    """What waiting needs of a run: one host, this machine."""

    place: Place
    clock: SystemClock = field(default_factory=SystemClock)
    link: LocalTransport = field(default_factory=lambda: LocalTransport("here"))

    said: list = field(default_factory=list)

    def say(self, event):
        self.said.append(event)

    def stamp(self, host):
        return {"ts": 0.0, "run": "test", "host": host}

    async def returning(self, host):
        return self.link

    def root(self, host):
        return str(self.place.root)

    async def key(self, host, server):
        return Secret((self.place.root / "services" / server / "key").read_text())


def until(made, deadline=60.0):
    return Ready(made.server, made.rid, made.listen, deadline, made.device)


async def test_a_real_server_gets_ready_and_is_proven(place):
    made = place.release(**TINY)
    answer = place.verb(made, "deploy")
    assert answer.returncode == 0, answer.stderr
    await wait_ready(Reach(place), "here", until(made), "")
    one = place.until("running")
    assert one.is_proven
    assert (one.model, one.backend, one.listen) == ("tiny", "cpu", made.socket)
    assert place.verb(made, "stop").returncode == 0
    assert place.processes() == []
    assert not os.path.exists(made.socket)


async def test_without_the_key_nothing_is_answered_and_with_it_props_and_slots_are(place):
    made = place.release(**TINY)
    place.verb(made, "deploy")
    world = Reach(place)
    await wait_ready(world, "here", until(made), "")
    refused = await request(world.link, made.listen, "GET", "/slots", deadline=10)
    assert refused.status == 401
    key = await world.key("here", "chat")
    found = props((await request(world.link, made.listen, "GET", "/props", key=key, deadline=10)).body)
    assert found is not None and (found.slots, found.model, found.is_sleeping) == (1, "tiny", False)
    slots = parse_slots((await request(world.link, made.listen, "GET", "/slots", key=key, deadline=10)).body)
    assert len(slots) == 1
    await wait_drained(world, "here", Drained("chat", made.listen, 20))


async def test_a_stop_does_not_wait_for_a_client_that_hangs_on(place):
    made = place.release(**TINY)
    place.verb(made, "deploy")
    world = Reach(place)
    await wait_ready(world, "here", until(made), "")
    key = (await world.key("here", "chat")).reveal()
    body = b'{"prompt":"a","n_predict":100000,"ignore_eos":true,"stream":true}'
    stream = await world.link.open(made.listen, deadline=5)
    head = f"POST /completion HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
    await stream.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    assert await stream.read(100)
    assert place.verb(made, "stop").returncode == 0
    assert place.processes() == []
    await stream.close()


async def test_after_kill_9_it_comes_back_over_its_own_stale_socket_and_is_proven_anew(place):
    made = place.release(**TINY)
    place.verb(made, "deploy")
    await wait_ready(Reach(place), "here", until(made), "")
    first = place.until("running")
    os.kill(first.pid, signal.SIGKILL)
    place.until("running", other_than=first.pid)
    assert not place.until("running").is_proven
    await wait_ready(Reach(place), "here", until(made), "")
    assert place.until("running").is_proven


async def test_a_damaged_model_fails_with_its_cause_and_the_next_command(place):
    model = place.root / "models" / SHA / "model.gguf"
    whole = model.resolve().read_bytes()
    model.unlink()
    model.write_bytes(whole[: len(whole) // 2])
    made = place.release(starts=2, **TINY)
    place.verb(made, "deploy")
    with pytest.raises(StepError) as error:
        await wait_ready(Reach(place), "here", until(made), "")
    assert "exit code 1" in error.value.what
    assert "the model file is cut short or damaged" in error.value.what
    assert "fleet deploy here" in str(error.value.next)


async def test_a_flag_that_the_program_does_not_know_is_named(place):
    made = place.release(starts=2, args={"no-such-flag": True}, **TINY)
    place.verb(made, "deploy")
    with pytest.raises(StepError, match="does not know the flag --no-such-flag"):
        await wait_ready(Reach(place), "here", until(made), "")


async def test_a_missing_build_is_named(place):
    shutil.rmtree(place.root / "builds")
    made = place.release(starts=2, **TINY)
    place.verb(made, "deploy")
    with pytest.raises(StepError, match="exit code 127"):
        await wait_ready(Reach(place), "here", until(made), "")


async def test_a_server_that_does_nothing_is_given_up(place):
    made = place.release(**TINY)
    place.verb(made, "deploy")
    one = place.until("running")
    os.kill(one.pid, signal.SIGSTOP)
    try:
        with pytest.raises(DeadlineError, match="did nothing for"):
            await wait_ready(Reach(place), "here", until(made, deadline=0.5), "")
    finally:
        os.kill(one.pid, signal.SIGCONT)


async def test_weights_that_are_elsewhere_than_on_the_device_are_an_error(place):
    made = place.release(**TINY)
    place.verb(made, "deploy")
    await wait_ready(Reach(place), "here", until(made), "")
    seen = await look(LocalTransport("here"), str(place.root), "chat", is_full=True)
    wanted = Ready("chat", made.rid, made.listen, 60, "CUDA")
    with pytest.raises(StepError, match="not on the GPU: its weights are in main memory"):
        check_device("here", wanted, seen.memory)
    check_device("here", until(made), seen.memory)
    check_device("here", wanted, ())


async def test_a_start_leaves_a_proof_of_what_it_took_and_how_fast_it_is(place):
    made = place.release(**TINY)
    place.verb(made, "deploy")
    world = Reach(place)
    shown = await wait_ready(world, "here", until(made), "")
    assert [type(event).__name__ for event in world.said] == ["Notice", "Measured"]
    assert "tokens/s" in world.said[0].message
    assert world.said[1].generation_tps == shown.tps
    (one,) = place.instances()
    assert one.is_proven and one.proof == shown
    assert [name for name, _ in shown.devices] == ["host"]
    assert shown.bytes == shown.weights[0][1] + shown.kv + shown.compute
    assert shown.tps > 0
    assert shown.projected is not None
    assert (shown.release, shown.layers, shown.shortfall) == (made.rid, None, None)


async def test_a_proof_is_of_one_process_and_not_of_the_next(place):
    made = place.release(**TINY)
    place.verb(made, "deploy")
    await wait_ready(Reach(place), "here", until(made), "")
    (one,) = place.instances()
    os.kill(one.pid, signal.SIGKILL)
    again = place.until("running", other_than=one.pid)
    assert (again.is_proven, again.proof) == (False, None)


async def test_a_server_that_comes_back_without_its_device_says_where_its_weights_are(place):
    made = place.release(**TINY)
    place.verb(made, "deploy")
    await wait_ready(Reach(place), "here", until(made), "")
    (one,) = place.instances()
    assert one.weights == ()  # it is proven: its log is not read again and again
    # As if its release had to be on a GPU whose driver is lost now.
    env = place.root / "releases" / "chat" / made.rid / "release.env"
    env.write_text(env.read_text().replace("device=", "device=CUDA"))
    os.kill(one.pid, signal.SIGKILL)
    place.until("running", other_than=one.pid)
    for _ in range(100):
        (again,) = place.instances()
        if again.weights:
            break
        await asyncio.sleep(0.1)
    assert (again.is_proven, again.device) == (False, "CUDA")
    state, reason = server_state(
        again, Live("chat", "ready", (), None, None, None, 0.0, None), True, again.boot
    )
    assert (state, reason) == ("degraded", "not on the GPU: its weights are in main memory")
