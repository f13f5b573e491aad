"""A host fetches a file by itself: by each tool, resumed, and never with wrong bytes under its name."""

import asyncio
import contextlib
import json
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.core.errors import StepError
from fleet.io.clock import SystemClock
from fleet.io.pull.pull import PullError
from fleet.io.push.file import push
from fleet.io.push.manifest import manifest
from tests.io.files import FileServer
from tests.io.pulling import TOOLS, Puller
from tests.io.pushing import MIB, SHELLS, Shelled

SIZE = 17 * MIB + 12345  # bytes: two chunks
HALF = SIZE // 2


@pytest.fixture
def server() -> Iterator[FileServer]:
    running = FileServer(random.Random(SIZE).randbytes(SIZE))
    yield running
    running.close()


@pytest.fixture(params=TOOLS)
def host(request: pytest.FixtureRequest, tmp_path: Path, server: FileServer) -> Puller:
    return Puller(tmp_path, server, request.param)


@pytest.fixture
def curl(tmp_path: Path, server: FileServer) -> Puller:
    return Puller(tmp_path, server)


async def test_a_file_comes_whole_and_with_what_describes_it(host, server, tmp_path):
    await host.pull()
    assert host.final.read_bytes() == server.data
    assert host.moved == SIZE
    assert not host.part.exists()
    (tmp_path / "here.gguf").write_bytes(server.data)
    wanted = await manifest(tmp_path / "here.gguf", host.sha256, 16 * MIB, None)
    told = json.loads((host.final.parent / "META.json").read_text())
    assert told == {"sha256": host.sha256, "size": SIZE, "chunk": 16 * MIB, "chunks": list(wanted.chunks)}
    assert sorted(path.name for path in host.job.iterdir()) == [
        *("detached", "generation", "log", "pid", "rc", "script")
    ]


async def test_bytes_that_come_while_the_file_is_looked_at_are_told_too(curl, server):
    server.rate = 2 * SIZE  # half a second
    ls = curl.transport.folder / "ls"
    ls.write_text(f'#!/bin/sh\n{shutil.which("ls")} "$@"\ncase "$*" in *.part) sleep 1.5 ;; esac\n')
    ls.chmod(0o755)
    await curl.pull()
    assert curl.moved == SIZE


async def test_a_second_pull_asks_nothing(curl, server):
    await curl.pull()
    asked = len(server.asked)
    await curl.pull()
    assert len(server.asked) == asked
    assert curl.moved == SIZE


async def test_only_the_rest_is_asked_for(host, server):
    host.begin(server.data[:HALF])
    await host.pull()
    assert host.final.read_bytes() == server.data
    assert set(host.ranges()) == {f"bytes={HALF}-"}
    assert (host.moved, server.sent) == (SIZE - HALF, SIZE - HALF)


async def test_a_connection_that_breaks_goes_on_where_it_broke(host, server):
    server.cuts = 2
    server.half = SIZE // 4
    await host.pull()
    assert host.final.read_bytes() == server.data
    assert server.sent == SIZE


async def test_a_server_without_ranges_sends_all_of_it_again(host, server):
    host.begin(server.data[:HALF])
    await host.pull("noranges")
    assert host.final.read_bytes() == server.data


async def test_wrong_bytes_are_thrown_away(host, server):
    server.data = bytes(SIZE)
    with pytest.raises(PullError, match=rf"what is there has the sha256 .*, wanted is {host.sha256}"):
        await host.pull()
    assert not host.final.exists()
    assert not host.part.exists()


@pytest.mark.parametrize("path", ["404", "403", "500"])
async def test_a_server_that_refuses_is_named_with_its_answer(host, path):
    with pytest.raises(PullError, match=path):
        await host.pull(path)
    assert not host.final.exists()


async def test_an_answer_that_is_no_http_is_refused(host):
    with pytest.raises(PullError):
        await host.pull("garbage")
    assert not host.final.exists()


async def test_a_redirect_is_followed_and_a_circle_is_left(host, server):
    await host.pull("moved")
    assert host.final.read_bytes() == server.data
    host.final.unlink()
    with pytest.raises(PullError):
        await host.pull("circle")


async def test_a_file_that_ends_early_is_no_file(host):
    with pytest.raises(PullError, match=f"it ends after {SIZE} bytes, it should have {SIZE + 1}"):
        await host.pull(size=SIZE + 1)
    assert not host.part.exists()


async def test_a_file_that_does_not_end_is_thrown_away(host):
    with pytest.raises(PullError, match=f"more comes than the {MIB} bytes"):
        await host.pull(size=MIB)
    assert not host.part.exists()


async def test_a_server_that_only_drips_is_left(host):
    with pytest.raises(PullError, match=r"less than 1000 bytes a second came for 1 s|time"):
        await host.pull("drip", idle=1)


async def test_no_server_there_is_said(tmp_path, server):
    host = Puller(tmp_path, server)
    gone = server.at("model.gguf")
    server.at = lambda path: re.sub(r":\d+/", ":9/", gone)
    with pytest.raises(PullError, match="onnect"):
        await host.pull()


async def test_a_limit_is_kept(host):
    clock, limit = SystemClock(), 6_000_000
    began = clock.monotonic()
    await host.pull(limit=limit)
    # A slow machine takes longer, none takes less; half, for what a tool takes at once.
    assert clock.monotonic() - began >= SIZE / limit / 2


async def test_what_was_pushed_in_part_is_finished_by_a_push(curl, server):
    curl.begin(server.data[:HALF])
    (curl.job / "pulled").unlink()
    with pytest.raises(PullError, match="a part of it was brought another way"):
        await curl.pull()
    assert curl.part.stat().st_size == HALF


async def test_a_host_without_a_tool_says_which_it_lacks(tmp_path, server):
    host = Puller(tmp_path, server, tool="")
    with pytest.raises(PullError, match="there is no curl, GNU wget or python3"):
        await host.pull()


@pytest.mark.parametrize("shell", SHELLS)
async def test_every_kind_of_sh_can_pull(shell, tmp_path, server):
    host = Puller(tmp_path, server)
    host.transport = Shelled(shell, tmp_path / "shell")
    host.begin(server.data[:HALF])
    server.cuts, server.half = 1, SIZE // 4
    await host.pull()
    assert host.final.read_bytes() == server.data
    assert server.sent == SIZE - HALF


async def test_a_full_disk_is_the_hosts_trouble(tiny_disk, server):
    host = Puller(tiny_disk, server)
    with pytest.raises(StepError, match=r"free, 17\.0 MiB are to come") as told:
        await host.pull()
    assert told.value.kind == "disk-full"
    assert server.asked == []


async def test_a_disk_that_fills_meanwhile_is_the_hosts_trouble_and_keeps_what_came(tiny_disk, host, server):
    server.data = server.data[: 2 * MIB]
    host = Puller(tiny_disk, server, host.tool, lacks=("fallocate",))
    server.most = MIB
    task = asyncio.ensure_future(host.pull())
    while not (host.part.exists() and host.part.stat().st_size) and not task.done():
        await asyncio.sleep(0.05)
    with contextlib.suppress(OSError), open(tiny_disk / "other", "wb") as other:
        while other.write(bytes(1 << 16)):
            other.flush()
    server.most = None
    with pytest.raises(StepError, match="the disk is full; what arrived is kept"):
        await task
    assert 0 < host.part.stat().st_size < 2 * MIB
    (tiny_disk / "other").unlink()
    await host.pull()
    assert host.final.read_bytes() == server.data


async def test_a_push_ends_a_pull_that_still_runs(curl, server, tmp_path):
    """Somebody went away while the host fetched; two would write into one part."""
    server.most = HALF
    task = asyncio.ensure_future(curl.pull())
    while not server.sent and not task.done():
        await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    (tmp_path / "here.gguf").write_bytes(server.data)
    await push(
        curl.transport, tmp_path / "here.gguf", curl.sha256, SIZE, f"models/{curl.sha256}/model.gguf",
        root=str(curl.root), generation="", say=lambda *numbers: None, clock=SystemClock(),
    )  # fmt: skip
    assert curl.final.read_bytes() == server.data
    assert not curl.job.exists()
