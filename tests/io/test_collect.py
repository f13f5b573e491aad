"""Hosts are watched over real SSH: what is told, what is noticed, what is left behind."""

import asyncio
import contextlib
import os
import signal
import sqlite3
from pathlib import Path

import pytest

from fleet.core import ages
from fleet.core.events import Heartbeat, HostFailed, LinkLost, Probed, Sampled
from fleet.core.inventory import Host
from fleet.io.servers.collect import THINNED
from tests.embedded import Embedded, EmbeddedHost
from tests.io.near import other_key
from tests.io.watching import watching, wish


@pytest.fixture
def h1(embedded: Embedded) -> EmbeddedHost:
    return embedded.up(1)["h1"]


async def test_a_host_is_probed_once_and_then_says_how_it_does(h1: EmbeddedHost, tmp_path: Path):
    async with watching({"h1": wish(h1)}, tmp_path) as watch:
        await watch.until(lambda: len(watch.all(Sampled, "h1") + watch.all(Heartbeat, "h1")) >= 3)
        assert len(watch.all(Probed, "h1")) == 1
        assert watch.all(Sampled, "h1")[0].memory_total
        assert watch.word("h1") == "ready"
        watch.collector.look_again("h1")
        await watch.more(Sampled, "h1", 2)
        assert len(watch.all(Probed, "h1")) == 1, "a look that finds nothing new is no news"
    told = watch.all(Sampled, "h1")
    kept = sqlite3.connect(tmp_path / "state" / "fleet.db")
    (count,) = kept.execute("SELECT COUNT(*) FROM samples").fetchone()
    kept.close()
    assert 1 <= count <= 1 + (told[-1].ts - told[0].ts) // THINNED, "the journal keeps few of them"


async def test_nothing_is_left_when_nobody_looks_any_more(h1: EmbeddedHost, tmp_path: Path):
    async with watching({"h1": wish(h1)}, tmp_path) as watch:
        await watch.until(lambda: watch.all(Sampled, "h1"))
        assert h1.programs()
    for _ in range(300):
        if not h1.programs():
            break
        await asyncio.sleep(0.02)
    assert h1.programs() == []


async def test_sshd_that_ended_and_came_back_is_watched_again(h1: EmbeddedHost, tmp_path: Path):
    async with watching({"h1": wish(h1)}, tmp_path) as watch:
        await watch.until(lambda: watch.all(Sampled, "h1"))
        h1.kill()
        await watch.until(lambda: watch.all(LinkLost, "h1"))
        lost = watch.host("h1")
        assert not lost.linked and lost.error.kind == "link-lost"
        assert ages.host_word(lost, lost.seen + 6, 1.0) == "stale"
        assert ages.host_word(lost, lost.seen + 20, 1.0) == "down"
        await watch.until(lambda: watch.host("h1").error.kind == "unreachable")
        h1.start()
        await watch.until(lambda: watch.word("h1") == "ready")
        assert watch.host("h1").error is None


async def test_a_host_that_hangs_is_stale_then_down_and_right_again(h1: EmbeddedHost, tmp_path: Path):
    async with watching({"h1": wish(h1)}, tmp_path) as watch:
        await watch.until(lambda: watch.all(Sampled, "h1"))
        h1.pause()
        await watch.until(lambda: watch.all(LinkLost, "h1"))
        lost = watch.host("h1")
        assert lost.lost == lost.seen, "it is gone since it was last heard, not since that was noticed"
        assert ages.host_word(lost, lost.seen + 10, 1.0) == "stale"
        h1.resume()
        await watch.until(lambda: watch.word("h1") == "ready")
        assert len(watch.all(Probed, "h1")) == 1, "the same connection goes on"


async def test_a_loop_that_was_killed_is_started_again(h1: EmbeddedHost, tmp_path: Path):
    async with watching({"h1": wish(h1)}, tmp_path) as watch:
        await watch.until(lambda: watch.all(Sampled, "h1"))
        for pid in h1.programs():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await watch.until(lambda: watch.all(HostFailed, "h1"))
        (failed,) = watch.all(HostFailed, "h1")
        assert (failed.kind, failed.next) == ("loop", "fleet doctor h1")
        await watch.until(lambda: watch.word("h1") == "ready" and len(watch.all(Probed, "h1")) == 2)


async def test_a_host_that_never_answers_keeps_nobody_waiting(h1: EmbeddedHost, tmp_path: Path):
    silent = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    dead = {f"dead{n}": wish(h1, port=port) for n in range(60)}
    async with watching({**dead, "h1": wish(h1)}, tmp_path) as watch:
        await watch.until(lambda: watch.word("h1") == "ready")
        assert not any(watch.all(Probed, name) for name in dead)
        await watch.until(lambda: any(watch.all(HostFailed, name) for name in dead))
        assert watch.word("h1") == "ready"
    silent.close()


async def test_a_refused_key_is_told_once_and_tried_again_only_when_asked(h1: EmbeddedHost, tmp_path: Path):
    stranger = other_key(tmp_path / "stranger")
    keys = h1.key.with_suffix(".pub")
    async with watching({"h1": wish(h1, identity=str(stranger))}, tmp_path) as watch:
        await watch.until(lambda: watch.all(HostFailed, "h1"))
        link = watch.world.links.link("h1")
        since = link.since
        await asyncio.sleep(4)
        assert link.since == since, "no attempt since"
        (failed,) = watch.all(HostFailed, "h1")
        assert failed.kind == "auth" and failed.next.startswith("ssh-copy-id ")
        assert watch.word("h1") == "down"
        assert watch.host("h1").error.next == failed.next
        allowed = keys.read_text()
        keys.write_text(allowed + stranger.with_suffix(".pub").read_text())
        try:
            watch.collector.look_again("h1")
            await watch.until(lambda: watch.word("h1") == "ready")
            assert watch.host("h1").error is None
        finally:
            keys.write_text(allowed)


@pytest.mark.parametrize(
    ("known", "kind"), [("", "host-key-unknown"), ("another", "host-key-changed")], ids=["unknown", "changed"]
)
async def test_a_key_that_is_not_the_hosts_says_how_to_trust_it(
    known, kind, h1: EmbeddedHost, tmp_path: Path
):
    file = tmp_path / "known"
    if known:
        public = other_key(tmp_path / "other").with_suffix(".pub").read_text()
        known = f"[{h1.address}]:{h1.port} {public}"
    file.write_text(known)
    async with watching({"h1": wish(h1, known_hosts=str(file))}, tmp_path) as watch:
        await watch.until(lambda: watch.all(HostFailed, "h1"))
        (failed,) = watch.all(HostFailed, "h1")
        assert failed.kind == kind
        assert failed.next.startswith("fleet host trust h1" if not known else "ssh-keygen -R ")
        assert watch.word("h1") == "down"


async def test_a_host_that_is_no_ssh_server_is_named(h1: EmbeddedHost, tmp_path: Path):
    async with watching({"no": wish(h1, port=1), "here": Host(transport="local")}, tmp_path) as watch:
        await watch.until(lambda: watch.all(HostFailed, "no") and watch.all(Sampled, "here"))
        assert "nothing listens" in watch.host("no").error.message
        assert watch.word("here") == "ready"
