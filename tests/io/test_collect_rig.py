"""Faults that only a machine of its own can have: a cable that is pulled, a restart."""

import asyncio
from pathlib import Path

import pytest

from fleet.core import ages
from fleet.core.events import HostFailed, LinkLost, Probed, Sampled
from tests.io.watching import watching, wish
from tests.rig.hosts import Rigs, RunningRig


@pytest.fixture(scope="module")
def hosts(rig: Rigs) -> RunningRig:
    return rig.up(2)


async def test_a_pulled_cable_is_stale_then_down_and_right_again_without_a_restart(
    hosts: RunningRig, tmp_path: Path
):
    async with watching({name: wish(hosts[name]) for name in hosts}, tmp_path) as watch:
        await watch.until(lambda: all(watch.all(Sampled, name) for name in hosts))
        await asyncio.to_thread(hosts["h1"].cut)
        try:
            await watch.until(lambda: watch.all(LinkLost, "h1"))
            lost = watch.host("h1")
            assert lost.lost == lost.seen
            assert ages.host_word(lost, lost.seen + 6, 1.0) == "stale"
            assert ages.host_word(lost, lost.seen + 20, 1.0) == "down"
            assert lost.error.next == "doctor h1"
            # The connection itself is given up later; its failure has the reason.
            await watch.until(lambda: watch.host("h1").error.kind == "unreachable", most=90)
            assert watch.word("h1") == "down" and watch.word("h2") == "ready"
        finally:
            await asyncio.to_thread(hosts["h1"].heal)
        await watch.until(lambda: watch.word("h1") == "ready", most=90)
        assert watch.host("h1").error is None
        assert not watch.all(LinkLost, "h2") and not watch.all(HostFailed, "h2")


async def test_a_restart_is_noticed_by_its_boot_id(hosts: RunningRig, tmp_path: Path):
    async with watching({"h2": wish(hosts["h2"])}, tmp_path) as watch:
        await watch.until(lambda: watch.all(Sampled, "h2"))
        first = watch.all(Sampled, "h2")[-1].boot_id
        await asyncio.to_thread(hosts["h2"].reboot)
        await watch.until(lambda: len(watch.all(Probed, "h2")) > 1)
        assert [event.rebooted for event in watch.all(Probed, "h2")] == [False, True]
        await watch.until(lambda: watch.word("h2") == "ready" and watch.host("h2").sample.boot_id != first)
