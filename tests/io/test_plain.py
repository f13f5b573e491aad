"""Chunks that fleet brings to the open port of a host: real programs and sockets on loopback."""

import asyncio
import contextlib
import http.client
import shutil
from collections.abc import AsyncIterator

import pytest

from fleet.core.errors import UnreachableError
from fleet.io.local import LocalTransport
from fleet.io.share.peer import Offer, Peer, PeerError
from fleet.io.share.plain import PlainLane
from tests.io.crowds import MIB, Party

PYTHON = shutil.which("python3") or "python3"
HEADER = 1000  # bytes; what is shorter is no part of a chunk
NETWORK = ("127.0.0.0/8",)


class Near(LocalTransport):
    """A host that is reached at an address of loopback, with nothing in between."""

    address: str | None = "127.0.0.1"

    def __init__(self, at: str = "127.0.0.1") -> None:
        super().__init__("near")
        self.at, self.streams, self.limit = at, 0, ""

    async def start(self, command):
        known = f"SSH_CONNECTION='{self.at} 1 {self.at} 22'; export SSH_CONNECTION; "
        return await super().start(known + command)

    async def feed(self, line, chunks, *, deadline, on_line=None):
        self.streams += ".part" in line  # a receiver over what would be SSH
        line = self.limit + line if "peer" in line else line
        return await super().feed(line, chunks, deadline=deadline, on_line=self.heard(on_line))

    def heard(self, on_line):
        return on_line


class Between(Near):
    """Somebody between us and the open port, who lets so many bytes through and then does what he wants."""

    def __init__(self, after: int, does: str) -> None:
        super().__init__()
        self.left, self.does, self.port = after, does, 0
        self.carrying: list[asyncio.Task[None]] = []

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator["Between"]:
        server = await asyncio.start_server(self.carry, self.at, 0)
        self.inner, self.port = 0, server.sockets[0].getsockname()[1]
        async with server:
            yield self
        for task in self.carrying:
            task.cancel()
        await asyncio.gather(*self.carrying, return_exceptions=True)

    def heard(self, on_line):
        def take(line: bytes) -> None:
            words = line.split()
            if words[:1] == [b"ready"]:
                self.inner = int(words[2])
                line = b"ready %s %d" % (self.at.encode(), self.port)
            on_line(line)

        return take if on_line is not None else None

    async def carry(self, reader, writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.carrying.append(task)
        there, back = await asyncio.open_connection(self.at, self.inner)
        try:
            await asyncio.gather(self.along(reader, back, True), self.along(there, writer, False))
        except OSError:
            pass
        finally:
            back.close()
            writer.close()

    async def along(self, reader, writer, is_ours: bool) -> None:
        while data := await reader.read(1 << 16):
            if is_ours and self.left < len(data) and self.does == "cut":
                raise ConnectionResetError
            if is_ours and self.left < len(data) and len(data) > HEADER:
                data = data[:-1] + bytes([data[-1] ^ 1])
            self.left -= len(data) if is_ours else 0
            writer.write(data)
            await writer.drain()
        if is_ours:
            writer.write_eof()


async def pushed(party: Party, host: LocalTransport) -> int:
    await party.open()
    return await party.push("h1", host, str(party.world.root), python=PYTHON)


async def test_chunks_go_to_the_open_port_and_no_cipher_is_in_the_way(tmp_path):
    party, host = Party(tmp_path, NETWORK), Near()
    assert await pushed(party, host) == len(party.world.data)
    assert party.world.final.read_bytes() == party.world.data
    assert host.streams == 0
    assert list(party.world.part.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("networks", "at", "address"),
    [
        (NETWORK, "127.0.0.1", None),  # a jump host stands between
        (NETWORK, "127.0.0.1", "127.0.0.2"),  # SSH goes to another address than it serves at
        (("127.0.0.2/32",), "127.0.0.2", "127.0.0.2"),  # we are in no private network
    ],
)
async def test_where_the_way_is_not_known_to_be_private_the_chunks_go_over_ssh(
    tmp_path, networks, at, address
):
    party, host = Party(tmp_path, networks), Near(at)
    host.address = address
    assert await pushed(party, host) == len(party.world.data)
    assert party.world.final.read_bytes() == party.world.data
    assert host.streams == 1


@pytest.mark.parametrize("after", [0, 1000, 5 * MIB + 1000])
async def test_an_open_port_that_fails_costs_a_chunk_and_the_rest_goes_over_ssh(tmp_path, after):
    party = Party(tmp_path, NETWORK)
    async with Between(after, "cut").opened() as host:
        sent = await pushed(party, host)
    assert party.world.final.read_bytes() == party.world.data
    assert host.streams == 1
    assert sent <= len(party.world.data) + MIB  # what was on its way
    assert [text for _, text in party.said if text.startswith("gets its chunks over SSH: 127.0.0.1 port ")]
    assert party.shown[-1][:2] == (len(party.world.data), len(party.world.data))


async def test_bytes_that_were_changed_on_the_way_do_not_count_and_come_over_ssh(tmp_path):
    party = Party(tmp_path, NETWORK)
    async with Between(5 * MIB, "change").opened() as host:
        await pushed(party, host)
    assert party.world.final.read_bytes() == party.world.data
    assert host.streams == 1


async def test_a_program_that_cannot_write_is_done_without(tmp_path):
    party, host = Party(tmp_path, NETWORK), Near()
    host.limit = "ulimit -f 4096; "  # blocks of 512 bytes that a file may have
    await pushed(party, host)
    assert party.world.final.read_bytes() == party.world.data
    assert host.streams == 1


@contextlib.asynccontextmanager
async def serving(
    party: Party, *, is_whole: bool = False, host: LocalTransport | None = None
) -> AsyncIterator[Peer]:
    """A host with an empty part, or the whole file."""
    file = party.world.final if is_whole else party.world.part
    file.parent.mkdir(parents=True)
    file.write_bytes(party.world.data if is_whole else bytes(len(party.world.data)))
    crowd = await party.open()
    peer = Peer(host or Near(), PYTHON, NETWORK, read_token="token", write_token="key")
    one = crowd.manifest
    await peer.start(Offer(str(file), is_whole, one.size, one.chunk, one.sha256, one.chunks))
    yield peer
    await peer.close()


def put(peer: Peer, path: str, data: bytes, length: str | None = None) -> int:
    line = http.client.HTTPConnection(peer.address, peer.port, timeout=10)
    try:
        line.putrequest("PUT", path)
        line.putheader("Content-Length", length or str(len(data)))
        line.endheaders(data)
        return line.getresponse().status
    finally:
        line.close()


@pytest.mark.parametrize(
    ("path", "length"),
    [
        ("/token/0/1", None),
        ("/other/0/1", None),
        ("/key/0/99", None),
        ("/key/0/-1", None),
        ("/key/0/1/", None),
        ("/key/1", None),
        ("/key/x/1", None),
        ("/key/0/%D9%A3", None),
        ("/key/0/1", "5"),
        ("/key/0/1", "99999999999999"),
        ("/key/0/1", "x"),
        ("/../../etc/passwd", None),
    ],
)
async def test_only_who_knows_the_key_brings_a_chunk_and_only_as_long_as_it_is(tmp_path, path, length):
    party = Party(tmp_path, NETWORK)
    async with serving(party) as peer:
        status = await asyncio.to_thread(put, peer, path, b"", length or str(MIB))
    assert status == 404
    assert not party.world.part.read_bytes().strip(b"\0")


async def test_a_chunk_with_other_bytes_changes_no_chunk_that_is_right(tmp_path):
    party, other = Party(tmp_path, NETWORK), bytes(MIB - 1) + b"x"
    async with serving(party) as peer:
        for data in (other, party.world.data[MIB : 2 * MIB], other):
            assert await asyncio.to_thread(put, peer, "/key/0/1", data) == 200
    assert party.world.part.read_bytes().strip(b"\0") == party.world.data[MIB : 2 * MIB].strip(b"\0")


async def test_who_has_the_whole_model_takes_nothing(tmp_path):
    party = Party(tmp_path, NETWORK)
    async with serving(party, is_whole=True) as peer:
        assert await asyncio.to_thread(put, peer, "/key/0/1", b"", str(MIB)) == 404
    assert party.world.final.read_bytes() == party.world.data


async def chunks_of(party: Party, *numbers: int) -> AsyncIterator[bytes]:
    for number in numbers:
        data = party.world.data[number * MIB : (number + 1) * MIB]
        yield b"%d %d %d\n" % (number, number, len(data))
        yield data


@pytest.mark.parametrize(("kept", "connections"), [(3600.0, 1), (0.0, 3)])
async def test_a_connection_is_kept_for_the_next_chunk_only_while_the_host_keeps_it(
    tmp_path, kept, connections
):
    party, said, lines = Party(tmp_path, NETWORK), [], []
    async with Between(1 << 40, "").opened() as host, serving(party, host=host) as peer:
        lane = PlainLane(peer, 0, NETWORK, said.append, kept)
        await lane.feed("", chunks_of(party, 0, 5, 3), deadline=60, on_line=lines.append)
        assert len(host.carrying) == connections
    hashes = party.crowd.manifest.chunks
    wanted = [(b"chunk %d" % number, b"wrote 0", hashes[number].encode()) for number in (0, 5, 3)]
    assert lines == [line for three in wanted for line in three]
    assert said == []


async def test_a_port_at_which_somebody_else_answers_is_refused_at_once(tmp_path):
    party, said = Party(tmp_path, NETWORK), []
    async with serving(party) as peer:
        peer.write_token = "another"
        with pytest.raises(UnreachableError, match=r"127\.0\.0\.1 port ") as caught:
            await PlainLane(peer, 0, NETWORK, said.append).feed("", chunks_of(party, 0), deadline=60)
    assert caught.value.kind == "refused"
    assert len(said) == 1


async def test_who_gives_a_byte_now_and_then_is_given_up_and_the_next_one_is_asked(tmp_path):
    async def drip(reader, writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % MIB)
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.2)
        writer.close()

    for name in ("takes", "gives"):
        (tmp_path / name).mkdir()
    party, lender = Party(tmp_path / "takes", NETWORK), Party(tmp_path / "gives", NETWORK)
    dripping = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with dripping, serving(party) as taker, serving(lender, is_whole=True) as giver:
        port, giver.port = giver.port, dripping.sockets[0].getsockname()[1]
        with pytest.raises(PeerError, match="it ended early"):
            await taker.take(3, MIB, giver)
        giver.port = port
        await taker.take(3, MIB, giver)
    written = party.world.part.read_bytes()
    assert written[3 * MIB : 4 * MIB] == party.world.data[3 * MIB : 4 * MIB]
