"""HTTP over a host's connection, against servers that behave and servers that do not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fleet.core.errors import DeadlineError, FleetError, StepError
from fleet.core.secret import Secret
from fleet.io.http import request, stream_lines
from fleet.io.ports import Transport
from fleet.io.servers.poll import Poller
from tests.io.near import near

Say = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Transport]:
    async with near(tmp_path) as server:
        await server.trust()
        transport = await server.connect()
        yield transport
        await transport.close()


@asynccontextmanager
async def serving(folder: Path, say: Say) -> AsyncIterator[str]:
    """A unix socket where each request's head is given to `say`."""
    path = str(folder / "s")

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await say(await reader.readuntil(b"\r\n\r\n"), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_unix_server(talk, path)
    try:
        yield path
    finally:
        server.close()


def whole(status: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nX-It: is\r\n\r\n".encode() + body


async def polite(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    size = next((int(h[16:]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length: ")), 0)
    writer.write(whole("200 OK", head + await reader.readexactly(size)))


async def test_a_request_and_its_answer(host: Transport, tmp_path: Path) -> None:
    async with serving(tmp_path, polite) as listen:
        answer = await request(
            host, listen, "POST", "/v1/x?y=1", key=Secret("k3y"), body=b'{"a": 1}', deadline=10
        )
    assert (answer.status, answer.headers["x-it"]) == (200, "is")
    assert answer.body.startswith(b"POST /v1/x?y=1 HTTP/1.1\r\n")
    assert b"Authorization: Bearer k3y\r\n" in answer.body and answer.body.endswith(b'{"a": 1}')


async def test_an_error_status_is_an_answer(host: Transport, tmp_path: Path) -> None:
    async def loading(head: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(whole("503 Service Unavailable", b"loading"))

    async with serving(tmp_path, loading) as listen:
        answer = await request(host, listen, "GET", "/health", deadline=10)
    assert (answer.status, answer.body) == (503, b"loading")


async def test_a_drip_ends_at_the_deadline(host: Transport, tmp_path: Path) -> None:
    async def drip(head: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(tmp_path, drip) as listen:
        with pytest.raises(DeadlineError):
            await request(host, listen, "GET", "/", deadline=0.5)


async def test_an_endless_body_ends_at_the_cap(host: Transport, tmp_path: Path) -> None:
    async with serving(tmp_path, endless) as listen:
        with pytest.raises(StepError) as error:
            await request(host, listen, "GET", "/", deadline=20, cap=100_000)
        assert error.value.kind == "too-much-output"
        poller = Poller(host, listen, cap=100_000, deadline=20)
        with pytest.raises(StepError) as error:
            await poller.get("/")
        assert error.value.kind == "too-much-output"


async def endless(head: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def rubbish(head: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n\x1b[31m")
    writer.close()


async def silence(head: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


@pytest.mark.parametrize("say", [rubbish, silence])
async def test_what_does_not_speak_http_is_told(host: Transport, tmp_path: Path, say: Say) -> None:
    async with serving(tmp_path, say) as listen:
        for ask in (request(host, listen, "GET", "/", deadline=10), Poller(host, listen).get("/")):
            with pytest.raises(StepError, match="does not answer in HTTP") as error:
                await ask
            assert error.value.kind == "http"


async def test_nobody_there_is_told(host: Transport, tmp_path: Path) -> None:
    for ask in (
        request(host, str(tmp_path / "none"), "GET", "/", deadline=10),
        Poller(host, str(tmp_path / "none")).get("/"),
    ):
        with pytest.raises(StepError) as error:
            await ask
        assert error.value.kind == "no-listener"


async def test_lines_of_an_answer_come_one_by_one(host: Transport, tmp_path: Path) -> None:
    got: list[bytes] = []
    seen = asyncio.Event()

    async def events(head: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"a\r\ndata: 1\n\nd\r\n")
        await seen.wait()
        writer.write(b"4\r\nata:\r\n8\r\n 2\r\n\r\nen\r\n1\r\nd\r\n0\r\n\r\n")

    async with serving(tmp_path, events) as listen:
        async for line in stream_lines(host, listen, "POST", "/", body=b"{}", idle=10, deadline=20):
            got.append(line)
            seen.set()
    assert got == [b"data: 1", b"", b"data: 2", b"", b"end"]


async def test_a_refused_stream_tells_the_servers_words(host: Transport, tmp_path: Path) -> None:
    async def no(head: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(whole("401 Unauthorized", b'{"error": "Invalid API \x1b[31mKey"}'))

    async with serving(tmp_path, no) as listen:
        with pytest.raises(StepError, match=r"answered 401: .*Invalid API") as error:
            await lines(host, listen, idle=10, deadline=20)
    assert error.value.kind == "http" and "\x1b" not in error.value.what


async def lines(host: Transport, listen: str, **limits: float) -> list[bytes]:
    return [line async for line in stream_lines(host, listen, "GET", "/", **limits)]


async def begun(head: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ndata: 1\n")
    await asyncio.sleep(60)


async def mute(head: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def chatter(head: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        writer.write(b": ping\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def dripping(head: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A head that never ends, each byte well within the limit."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("say", "idle", "deadline"),
    [(begun, 0.3, 50), (mute, 0.3, 50), (chatter, 50, 0.5), (begun, 50, 0.3), (dripping, 50, 0.5)],
)
async def test_a_stream_has_two_limits(
    host: Transport, tmp_path: Path, say: Say, idle: float, deadline: float
) -> None:
    async with serving(tmp_path, say) as listen:
        with pytest.raises(DeadlineError):
            await lines(host, listen, idle=idle, deadline=deadline)


async def test_a_line_has_a_cap(host: Transport, tmp_path: Path) -> None:
    async with serving(tmp_path, endless) as listen:
        with pytest.raises(StepError) as error:
            await lines(host, listen, idle=10, deadline=20)
        assert error.value.kind == "too-much-output"


async def test_a_poller_keeps_its_channel(host: Transport, tmp_path: Path) -> None:
    channels: set[asyncio.StreamWriter] = set()

    async def counted(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        channels.add(writer)
        await polite(head, reader, writer)

    async with serving(tmp_path, counted) as listen:
        poller = Poller(host, listen, key=Secret("k3y"))
        for path in ("/slots", "/props", "/slots"):
            status, body = await poller.get(path)
            assert status == 200 and f"GET {path} ".encode() in body and b"Bearer k3y" in body
        await poller.close()
    assert len(channels) == 1


async def test_a_poller_comes_back_by_itself(host: Transport, tmp_path: Path) -> None:
    count = 0

    async def tired(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        writer.write(whole("200 OK", b"%d" % count))
        await writer.drain()
        writer.close()

    async with serving(tmp_path, tired) as listen:
        poller = Poller(host, listen)
        assert [await poller.get("/slots") for _ in range(3)] == [(200, b"1"), (200, b"2"), (200, b"3")]
    (tmp_path / "s").unlink(missing_ok=True)
    with pytest.raises(FleetError):
        await poller.get("/slots")
    async with serving(tmp_path, polite) as listen:
        assert (await poller.get("/slots"))[0] == 200
        await poller.close()


async def test_a_poller_that_gave_up_starts_clean(host: Transport, tmp_path: Path) -> None:
    is_slow = True

    async def slow(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if is_slow:
            await asyncio.sleep(60)
        await polite(head, reader, writer)

    async with serving(tmp_path, slow) as listen:
        poller = Poller(host, listen, deadline=5)
        with pytest.raises(DeadlineError):
            await poller.get("/a")
        is_slow = False
        assert b"GET /b " in (await poller.get("/b"))[1]
        await poller.close()
