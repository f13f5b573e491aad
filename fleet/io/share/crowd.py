"""One model on its way to several hosts: what fleet.models.swarm decides, done."""

import asyncio
import contextlib
import functools
import itertools
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet.core.errors import FleetError
from fleet.io.ports import Clock, Random, Transport
from fleet.io.push.manifest import Manifest
from fleet.io.share.peer import Offer, Peer, PeerError, PutOff, Unwritable
from fleet.io.share.plain import PlainLane
from fleet.models.swarm import Swarm, Transfer

if TYPE_CHECKING:
    from fleet.io.push.file import Sharing

LENDING = 8.0  # seconds that hosts which have the model get until they serve it


@dataclass(frozen=True, slots=True)
class Lender:
    """A host that has the whole model."""

    host: str
    reach: Callable[[], Awaitable[Transport]]
    python: str  # path of python3 there
    file: str  # absolute path there


@dataclass(frozen=True, slots=True)
class Wish:
    """A host that wants the model, and how chunks from here get to it."""

    then: Lender  # what it is once it has the model
    transport: Transport
    push: "Sharing"
    came: Callable[[int], None]  # told of the bytes of each chunk that another host gave

    @property
    def host(self) -> str:
        return self.then.host


class Crowd:
    """All hosts of a run that want one model, or have it.

    Args:
        manifest: the chunks.
        networks: where hosts may talk to each other without encryption.
        lenders: hosts that had it before; asked once the first host wants it.
        tell: told what is worth knowing about a host.
    """

    def __init__(
        self,
        manifest: Manifest,
        networks: Sequence[str],
        *,
        clock: Clock,
        random: Random,
        tell: Callable[[str, str], None],
        lenders: Sequence[Lender] = (),
    ) -> None:
        self.manifest = manifest
        self.swarm = Swarm(len(manifest.chunks), manifest.chunk)
        self._networks = networks
        self._clock = clock
        self._random = random
        self._tell = tell
        self._lenders = list(lenders)
        self._peers: dict[str, Peer] = {}
        self._wishes: dict[str, Wish] = {}
        self._ends: dict[str, asyncio.Future[None]] = {}
        self._tasks: dict[asyncio.Task[None], str] = {}  # what is under way, and for which host
        self._borrowing: set[asyncio.Task[None]] = set()  # lenders that are being asked
        self._put_off: set[tuple[str, int]] = set()  # host and chunk; an honest one does it once
        self._patience = 0.0  # until when everybody waits for them

    async def share(self, wish: Wish) -> None:
        """Every chunk is on the host and right when it returns; it may go on giving them to others.

        Raises:
            PeerError: this host cannot share; nothing was moved.
            FleetError: a chunk from the controller did not get there.
        """
        host = wish.host
        peer = self._peer(wish.transport, wish.then.python)
        await peer.start(self._offer(wish.push.part.path, wish.push.right))
        if peer.address == getattr(wish.transport, "address", None):
            numbers = itertools.count()
            tell = functools.partial(self._tell, host)
            wish.push.prefer(lambda: PlainLane(peer, next(numbers), self._networks, tell))
            peer.alone()
        end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._peers[host], self._wishes[host], self._ends[host] = peer, wish, end
        try:
            await self._ask_lenders()
            self._join(host, wish.push.right, wants=True)
            self._go_on()
            await end
            self._lenders.append(wish.then)
        finally:
            del self._wishes[host], self._ends[host]
            tasks = [task for task, other in self._tasks.items() if other == host]
            await asyncio.gather(self._stop(tasks), wish.push.stop())
            # Meanwhile another one may have been the last, and have closed all.
            if not self.swarm.is_complete(host) and host in self._peers:
                self.swarm.leave(host)
                await self._peers.pop(host).close()
            if not self._wishes:
                await self._close()

    async def _close(self) -> None:
        """Nobody gives or takes any more; whoever comes later begins anew, with those who have it then."""
        self.swarm = Swarm(len(self.manifest.chunks), self.manifest.chunk)
        self._put_off.clear()
        peers = list(self._peers.values())
        self._peers.clear()
        await self._stop(list(self._tasks))
        await asyncio.gather(*(peer.close() for peer in peers))

    async def _stop(self, tasks: Sequence["asyncio.Task[None]"]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _peer(self, transport: Transport, python: str) -> Peer:
        read, write = self._random.token(16), self._random.token(16)
        return Peer(transport, python, self._networks, read_token=read, write_token=write)

    def _offer(self, file: str, right: frozenset[int] | None = None) -> Offer:
        """Of a part, with what is right of it; without, of a whole file."""
        one = self.manifest
        return Offer(file, right is None, one.size, one.chunk, one.sha256, one.chunks, right or frozenset())

    def _join(self, host: str, held: frozenset[int], *, wants: bool) -> None:
        for source, to in self.swarm.join(host, held, wants=wants, can_share=True):
            self._spawn(self._ask(source, to), to)

    async def _ask_lenders(self) -> None:
        """Until all that have the model give it or cannot; else a fast line from here would be first."""
        idle = [lender for lender in self._lenders if lender.host not in self._peers]
        self._lenders = [lender for lender in self._lenders if lender.host in self._peers]
        self._borrowing = {one for one in self._borrowing if not one.done()}
        if idle:
            self._patience = self._clock.monotonic() + LENDING
        self._borrowing |= {self._spawn(self._borrow(lender), lender.host) for lender in idle}
        left = self._patience - self._clock.monotonic()
        if self._borrowing and left > 0:
            await asyncio.wait(set(self._borrowing), timeout=left)

    async def _borrow(self, lender: Lender) -> None:
        """A host that has the model gives it too, where it can."""
        with contextlib.suppress(FleetError, PeerError):
            try:
                peer = self._peer(await lender.reach(), lender.python)
                await peer.start(self._offer(lender.file))
            except asyncio.CancelledError:  # nobody wants any of it just now
                self._lenders.append(lender)
                raise
            self._lenders.append(lender)
            self._peers[lender.host] = peer
            self._join(lender.host, frozenset(range(len(self.manifest.chunks))), wants=False)

    async def _ask(self, source: str, to: str) -> None:
        giver, taker = self._peers.get(source), self._peers.get(to)
        does = giver is not None and taker is not None and await taker.reaches(giver)
        self.swarm.reached(source, to, does)
        self._go_on()

    def _go_on(self) -> None:
        for transfer in self.swarm.next():
            self._spawn(self._move(transfer), transfer.to)
        for host, end in self._ends.items():
            if self.swarm.is_complete(host) and not end.done():
                end.set_result(None)

    async def _move(self, transfer: Transfer) -> None:
        length = min(self.manifest.chunk, self.manifest.size - transfer.chunk * self.manifest.chunk)
        began = self._clock.monotonic()
        wish = self._wishes.get(transfer.to)
        try:
            if wish is None:
                raise PeerError("it is gone")
            if transfer.source is None:
                await wish.push.send(transfer.chunk)
                seconds = self._clock.monotonic() - began
            else:
                seconds = await self._take(transfer, transfer.source, length)
                if not self._has(transfer):
                    wish.came(length)
        except asyncio.CancelledError:
            self.swarm.ended(transfer)
            raise
        except Unwritable as why:
            self._alone(transfer, str(why))
        except PutOff:
            if (transfer.to, transfer.chunk) in self._put_off:
                self._alone(transfer, "it puts off what it was given")
            self._put_off.add((transfer.to, transfer.chunk))
            self.swarm.ended(transfer)
        except PeerError as why:
            if transfer.source is not None:
                self._complain(transfer, transfer.source, why)
            else:
                self.swarm.failed(transfer)
        except FleetError as error:
            self.swarm.failed(transfer)
            if (end := self._ends.get(transfer.to)) is not None and not end.done():
                end.set_exception(error)
        else:
            self.swarm.done(transfer, length / seconds if seconds > 0 else None)
        self._go_on()

    async def _take(self, transfer: Transfer, source: str, length: int) -> float:
        giver, taker = self._peers.get(source), self._peers.get(transfer.to)
        if giver is None or taker is None:
            raise PeerError("it is gone")
        return await taker.take(transfer.chunk, length, giver)

    def _alone(self, transfer: Transfer, why: str) -> None:
        """The host takes from nobody but us, and no source is to blame."""
        self.swarm.ended(transfer)
        self.swarm.part(transfer.to)
        self._tell(transfer.to, f"takes nothing more from other hosts: {why}")

    def _complain(self, transfer: Transfer, source: str, why: PeerError) -> None:
        taker = self._peers.get(transfer.to)
        if taker is not None and not taker.is_alive:  # not the source's fault
            self.swarm.failed(transfer)
            self.swarm.part(transfer.to)
            return
        if source in self.swarm.members and transfer.to in self.swarm.members:
            self._tell(transfer.to, f"takes nothing more from {source}: {why}")
        if self.swarm.failed(transfer):
            self._tell(source, "nobody takes from it any more: several hosts had trouble with it")

    def _has(self, transfer: Transfer) -> bool:
        member = self.swarm.members.get(transfer.to)
        return member is not None and bool(member.held >> transfer.chunk & 1)

    def _spawn(self, work: Coroutine[Any, Any, None], host: str) -> "asyncio.Task[None]":
        task = asyncio.ensure_future(work)
        self._tasks[task] = host
        task.add_done_callback(self._tasks.pop)
        return task
