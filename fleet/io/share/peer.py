"""The program on a host that gives chunks of a model to other hosts, and takes them from those and us."""

import asyncio
import contextlib
import ipaddress
import json
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from fleet.core.errors import FleetError
from fleet.core.inventory_checks import in_networks
from fleet.core.shell import packaged, quote
from fleet.core.text import safe_line
from fleet.io.ports import Transport

STARTING = 15.0  # seconds until it serves
ASKING = 5.0  # seconds for an answer whether one host reaches another; it tries for one
TAKING = 30.0  # seconds beside those that the bytes of a chunk may take
SLOWEST = 250_000  # bytes/s, as in peer_host.py
PULSE = 10.0  # seconds between signs of life for it; it waits a minute for one
LINES = 1000  # that it may say beside the answers to what it was asked
BOOT = (
    "import sys\n"
    "sys.version_info >= (3, 6) or sys.exit('python3 is older than 3.6')\n"
    "i = sys.stdin.buffer\n"
    "exec(compile(i.read(int(i.readline())), 'peer', 'exec'), {'__name__': '__main__'})\n"
)


class PeerError(Exception):
    """It could not do what it was asked, or is gone; says why."""


class PutOff(PeerError):
    """Nobody is to blame that the chunk has to come once more."""


class Unwritable(PeerError):
    """The host that takes cannot write; says why."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a host is to share."""

    file: str  # absolute, on the host
    is_whole: bool
    size: int  # bytes
    chunk: int  # bytes
    sha256: str
    chunks: Sequence[str]  # sha256 of each
    right: frozenset[int] = frozenset()  # numbers of the chunks of a part that are there


class Peer:
    """One such program, for as long as its channel is open. What it says is not believed but checked.

    Args:
        python: its path there.
        networks: where it may serve.
        read_token: who knows it takes chunks from it: other hosts are told.
        write_token: who knows it brings chunks to it: nobody is told but the host itself.
    """

    def __init__(
        self,
        transport: Transport,
        python: str,
        networks: Sequence[str],
        *,
        read_token: str,
        write_token: str,
    ) -> None:
        self.read_token, self.write_token = read_token, write_token
        self.address, self.port = "", 0
        self.chunks: Sequence[str] = ()  # their sha256
        self._transport = transport
        self._python = python
        self._networks = networks
        self._commands: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._waiting: dict[str, asyncio.Future[list[str]]] = {}
        self._asked = 0
        self._heard = 0
        self._ended: asyncio.Task[None] | None = None
        self._has_exited = False  # an exit status came; a link that is lost leaves it running

    @property
    def is_alive(self) -> bool:
        return self._ended is not None and not self._ended.done()

    async def start(self, offer: Offer) -> None:
        """Serving.

        Raises:
            PeerError: this host cannot; says why.
        """
        source = _program().encode()
        self._commands.put_nowait(b"%d\n%s" % (len(source), source))
        told = {
            "file": offer.file,
            "is_whole": offer.is_whole,
            "size": offer.size,
            "chunk": offer.chunk,
            "sha256": offer.sha256,
            "chunks": list(offer.chunks),
            "right": sorted(offer.right),
            "read_token": self.read_token,
            "write_token": self.write_token,
            "networks": list(self._networks),
        }
        self.chunks = offer.chunks
        answer = self._expect("ready")
        self._ended = asyncio.create_task(self._talk(), name="peer")
        self._commands.put_nowait(f"start {json.dumps(told)}\n".encode())
        try:
            words = await self._answered("ready", answer, STARTING)
            self.address, self.port = self._checked(words)
        except BaseException:
            await self.close()
            raise

    async def reaches(self, other: "Peer") -> bool:
        """Whether this host can take from another."""
        try:
            words = await self._ask(f"ask {{}} {other.address} {other.port}", ASKING)
        except PeerError:
            return False
        return words[:1] == ["yes"]

    async def take(self, number: int, length: int, other: "Peer") -> float:
        """A chunk from another host, verified and written over there. Returns its seconds there.

        Raises:
            PeerError: it did not come, or has another hash.
            PutOff: it has to come once more, because another way began to write.
            Unwritable: this host is at fault, not the other one.
        """
        command = f"get {{}} {number} {other.address} {other.port} {other.read_token}"
        words = await self._ask(command, TAKING + length / SLOWEST)
        try:
            seconds = float(words[0])
        except (ValueError, IndexError):
            raise PeerError("an answer that is none") from None
        return seconds if math.isfinite(seconds) and seconds > 0 else TAKING

    async def fed(self, lane: int, number: int, bring: Callable[[], Awaitable[None]]) -> str:
        """The sha256 of a chunk, once it was brought there.

        Raises:
            PeerError: it did not arrive, or could not be written.
            OSError: from bringing it.
        """
        if not self.is_alive:
            raise PeerError("it is gone")
        self._asked += 1
        name = f"{lane}/{number}"
        answer = self._expect(name)
        try:
            await bring()
        except BaseException:
            self._waiting.pop(name, None)
            raise
        words = await self._answered(name, answer, TAKING)
        if len(words) != 1:
            raise PeerError(" ".join(words) or "an answer that is none")
        return words[0]

    def alone(self) -> None:
        """All that is written into its part comes through it: chunks may be written while they come."""
        self._commands.put_nowait(b"alone\n")

    async def careful(self) -> None:
        """Another way may write into its part when this returns.

        Raises:
            PeerError: it did not answer, and may be writing.
        """
        try:
            if self.is_alive:
                await self._ask("careful {}", STARTING)
        except PeerError:
            if not self._has_exited:
                raise
        if not self.is_alive and not self._has_exited:
            raise PeerError("its link was lost")

    async def close(self) -> None:
        """Ends it, and waits until it has ended."""
        self._commands.put_nowait(None)
        if self._ended is not None:
            await asyncio.wait({self._ended}, timeout=5)
            self._ended.cancel()
            await asyncio.gather(self._ended, return_exceptions=True)

    async def _talk(self) -> None:
        line = f"exec {quote(self._python)} -I -c {quote(f'exec({BOOT!r})')}"
        why = "it ended"
        try:
            answer = await self._transport.feed(line, self._sent(), deadline=math.inf, on_line=self._take)
            self._has_exited = True
            why = safe_line(answer.err.strip().splitlines()[-1] if answer.err.strip() else why, 200)
        except FleetError as error:
            why = error.what
        finally:
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(PeerError(why))
                    waiting.exception()  # looked at, where nobody waits any more

    async def _sent(self) -> AsyncGenerator[bytes, None]:
        while True:
            try:
                async with asyncio.timeout(PULSE):
                    command = await self._commands.get()
            except TimeoutError:
                command = b"\n"
            if command is None:
                return
            yield command

    def _take(self, line: bytes) -> None:
        self._heard += 1
        if self._heard > self._asked + LINES:
            raise FleetError("it says more than it was asked", kind="too-much-output")
        verb, *words = safe_line(line, 300).split() or [""]
        if verb == "ready" and (waiting := self._waiting.get("ready")):
            _settle(waiting, words)
        elif verb == "error" and (waiting := self._waiting.get("ready")):
            _fail(waiting, safe_line(line, 300).removeprefix("error "))
        elif verb in ("got", "asked", "careful") and words and (waiting := self._waiting.get(words[0])):
            _settle(waiting, words[1:])
        elif verb == "fed" and words[2:] and (waiting := self._waiting.get("/".join(words[:2]))):
            _settle(waiting, words[2:])
        elif verb == "off" and words and (waiting := self._waiting.get(words[0])):
            _fail(waiting, "another way began to write", PutOff)
        elif verb == "unwritten" and words and (waiting := self._waiting.get(words[0])):
            _fail(waiting, " ".join(words[1:]), Unwritable)
        elif verb == "bad" and words and (waiting := self._waiting.get(words[0])):
            _fail(waiting, " ".join(words[1:]))

    async def _ask(self, command: str, patience: float) -> list[str]:
        if not self.is_alive:
            raise PeerError("it is gone")
        self._asked += 1
        name = str(self._asked)
        answer = self._expect(name)
        self._commands.put_nowait(command.format(name).encode() + b"\n")
        return await self._answered(name, answer, patience)

    def _expect(self, name: str) -> "asyncio.Future[list[str]]":
        answer: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self._waiting[name] = answer
        return answer

    async def _answered(self, name: str, answer: "asyncio.Future[list[str]]", patience: float) -> list[str]:
        try:
            async with asyncio.timeout(patience):
                return await answer
        except TimeoutError:
            raise PeerError(f"no answer in {patience:.0f} s") from None
        finally:
            self._waiting.pop(name, None)

    def _checked(self, words: Sequence[str]) -> tuple[str, int]:
        """The address that it says it serves at, which has to be one where nobody else listens in."""
        with contextlib.suppress(ValueError, IndexError):
            address, port = ipaddress.ip_address(words[0]), int(words[1])
            if in_networks(str(address), self._networks) and 0 < port < 65536:
                return str(address), port
        raise PeerError("it serves at no address of private_networks")


def _program() -> str:
    """Both files as one, which imports nothing of ours."""
    text = packaged("fleet.io.share", "peer_file.py", "peer_host.py")
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("from fleet."))


def _settle(waiting: "asyncio.Future[list[str]]", words: list[str]) -> None:
    if not waiting.done():
        waiting.set_result(words)


def _fail(waiting: "asyncio.Future[list[str]]", why: str, kind: type[PeerError] = PeerError) -> None:
    if not waiting.done():
        waiting.set_exception(kind(why))
        waiting.exception()
