"""Who sends which chunk of a model to whom, where several hosts want it: decided here, done elsewhere.

The controller sends each chunk once, spread over the hosts, and they get the rest from each other. No
clock and no chance: the caller tells what happened and is told what to begin, so a whole exchange can
be played through in a test.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

SENDS = 4  # streams of the controller at once, over all hosts
UPLOADS = 4  # chunks that a host gives away at once
DOWNLOADS = 4  # chunks that a host takes from others at once
BUFFERED = 128 << 20  # bytes of them that a host may have to hold in memory, beside those from us
NEIGHBOURS = 16  # hosts that each host knows; more would be asked in vain
LOOKED_AT = 64  # chunks that the rarest is chosen from
COMPLAINTS = 2  # hosts that may say a source is bad until nobody takes from it


@dataclass(frozen=True, slots=True)
class Transfer:
    """One chunk on its way."""

    chunk: int
    source: str | None  # a host; None: the controller
    to: str


@dataclass(slots=True)
class Member:
    """What is known of one host. Chunks are bits of a number."""

    held: int
    wanted: int  # all that it is to have; 0: it only gives
    offset: int  # where it begins to look for chunks, so that hosts want different ones
    can_share: bool
    links: dict[str, bool | None] = field(default_factory=dict)  # who can be asked; None: not known yet
    coming: dict[int, set[str | None]] = field(default_factory=dict)  # chunk -> who sends it
    giving: int = 0
    sent: int = 0  # streams of the controller to it
    rate: float | None = None  # bytes/s of a chunk that it gave last
    complaints: set[str] = field(default_factory=set)

    @property
    def missing(self) -> int:
        return self.wanted & ~self.held

    @property
    def on_the_way(self) -> int:
        return sum(1 << chunk for chunk in self.coming)


class Swarm:
    """One model on its way to several hosts.

    Args:
        chunks: how many the model has.
        size: bytes of one.
    """

    def __init__(self, chunks: int, size: int = 1) -> None:
        self.chunks = chunks
        self.downloads = max(1, min(DOWNLOADS, BUFFERED // size))
        self.members: dict[str, Member] = {}
        self.rate: float | None = None  # bytes/s of one stream of the controller
        self.helped = 0  # chunks that the controller sent again so that nobody waits
        self._joined = 0
        self._copies = [0] * chunks

    def join(
        self, host: str, held: Iterable[int], *, wants: bool, can_share: bool
    ) -> tuple[tuple[str, str], ...]:
        """A host that wants the rest, or has it.

        Returns: pairs (source, to) of which the caller finds out whether the one reaches the other.
        """
        self.leave(host)
        mask = sum(1 << chunk for chunk in set(held) if 0 <= chunk < self.chunks)
        whole = (1 << self.chunks) - 1
        # steps of the golden ratio: far from all offsets before
        offset = int(self._joined * 0.618034 % 1 * self.chunks)
        self._joined += 1
        self.members[host] = Member(mask, whole if wants else 0, offset, can_share)
        for chunk in _bits(mask):
            self._copies[chunk] += 1
        asked: list[tuple[str, str]] = []
        others = [name for name, one in self.members.items() if one.can_share and name != host]
        # who has most is asked first; then those who came last, whom few know yet
        others.sort(key=lambda name: (-self.members[name].held.bit_count(), len(self.members[name].links)))
        for name in others[:NEIGHBOURS] if can_share else ():
            for source, to in ((name, host), (host, name)):
                if self.members[to].wanted and len(self.members[to].links) < 2 * NEIGHBOURS:
                    self.members[to].links[source] = None
                    asked.append((source, to))
        return tuple(asked)

    def leave(self, host: str) -> None:
        """It is gone, or nobody may take from it any more."""
        gone = self.members.pop(host, None)
        if gone is None:
            return
        for chunk in _bits(gone.held):
            self._copies[chunk] -= 1
        for sources in gone.coming.values():
            for source in sources:
                if source in self.members:
                    self.members[source].giving -= 1
        for member in self.members.values():
            member.links.pop(host, None)
            for chunk, sources in list(member.coming.items()):
                sources.discard(host)
                if not sources:
                    del member.coming[chunk]

    def reached(self, source: str, to: str, does: bool) -> None:
        """Whether a host can take from another."""
        member = self.members.get(to)
        if member is not None and source in member.links:
            if does:
                member.links[source] = True
            else:
                del member.links[source]

    def mute(self, host: str) -> None:
        """Nobody takes from it any more; it takes from others."""
        if host in self.members:
            self.members[host].can_share = False
        for member in self.members.values():
            member.links.pop(host, None)

    def part(self, host: str) -> None:
        """Neither takes anybody from it, nor it from others: the controller is all that it has."""
        self.mute(host)
        if host in self.members:
            self.members[host].links.clear()

    def done(self, transfer: Transfer, rate: float | None = None) -> None:
        """The chunk arrived and is right."""
        self.ended(transfer)
        if transfer.source is None:
            self.rate = rate or self.rate
        elif transfer.source in self.members:
            self.members[transfer.source].rate = rate
        member = self.members.get(transfer.to)
        if member is not None and not member.held >> transfer.chunk & 1:
            member.held |= 1 << transfer.chunk
            self._copies[transfer.chunk] += 1

    def failed(self, transfer: Transfer) -> bool:
        """The chunk did not come, or was wrong: the host takes nothing more from that source.

        Returns: whether the source was dropped, because several hosts complained.
        """
        self.ended(transfer)
        source = self.members.get(transfer.source) if transfer.source is not None else None
        if transfer.source is None or source is None:
            return False
        self.reached(transfer.source, transfer.to, False)
        source.complaints.add(transfer.to)
        if len(source.complaints) < COMPLAINTS or not source.can_share:
            return False
        self.mute(transfer.source)
        return True

    def ended(self, transfer: Transfer) -> None:
        """It is not on its way any more."""
        member = self.members.get(transfer.to)
        senders = member.coming.get(transfer.chunk) if member is not None else None
        if member is None or senders is None or transfer.source not in senders:
            return
        senders.discard(transfer.source)
        if not senders:
            del member.coming[transfer.chunk]
        if transfer.source is None:
            member.sent -= 1
        elif transfer.source in self.members:
            self.members[transfer.source].giving -= 1

    @property
    def is_wanted(self) -> bool:
        return any(member.missing for member in self.members.values())

    def is_complete(self, host: str) -> bool:
        return host in self.members and not self.members[host].missing

    def next(self) -> tuple[Transfer, ...]:
        """What is to begin now; counted as on its way from here on."""
        waiting = [name for name, member in self.members.items() if member.missing]
        waiting.sort(key=lambda name: self.members[name].held.bit_count())
        begun = [transfer for name in waiting for transfer in self._from_hosts(name)]
        return (*begun, *self._from_controller(waiting))

    def _from_hosts(self, name: str) -> Iterator[Transfer]:
        member = self.members[name]
        sources = [(source, self.members[source]) for source, is_open in member.links.items() if is_open]
        while sum(1 for senders in member.coming.values() if senders != {None}) < self.downloads:
            free = [(source, one) for source, one in sources if one.giving < UPLOADS]
            there = 0
            for _, one in free:
                there |= one.held
            chunk = self._rarest(member, there & member.missing & ~member.on_the_way)
            if chunk is None:
                return
            having = [(one.giving, source) for source, one in free if one.held >> chunk & 1]
            yield self._begin(Transfer(chunk, min(having)[1], name))

    def _from_controller(self, waiting: list[str]) -> Iterator[Transfer]:
        most = max(1, SENDS // max(1, len(waiting)))
        busy = sum(member.sent for member in self.members.values())
        for choose in (self._fresh, self._help):
            while busy < SENDS:
                ready = [name for name in waiting if self.members[name].sent < most]
                ready.sort(key=lambda name: (self.members[name].sent, self.members[name].held.bit_count()))
                found = next(((name, chunk) for name in ready if (chunk := choose(name)) is not None), None)
                if found is None:
                    break
                busy += 1
                yield self._begin(Transfer(found[1], None, found[0]))

    def _fresh(self, name: str) -> int | None:
        """A chunk that the host will get from no other one."""
        member = self.members[name]
        elsewhere = 0
        for source in member.links:
            elsewhere |= self.members[source].held | self.members[source].on_the_way
        return self._rarest(member, member.missing & ~member.on_the_way & ~elsewhere)

    def _help(self, name: str) -> int | None:
        """A chunk for a host that waits for others, or for slow ones, while the controller is idle."""
        member = self.members[name]
        is_waiting = all(
            source is not None and self._is_slow(source)
            for senders in member.coming.values()
            for source in senders
        )
        may_get_it = None in member.links.values()  # it is not known yet whether somebody can give
        if not is_waiting or may_get_it or self.helped >= self.chunks:
            return None
        chunk = self._rarest(member, member.missing & ~member.on_the_way)
        if chunk is None:
            chunk = self._rarest(member, member.missing)
        self.helped += chunk is not None
        return chunk

    def _is_slow(self, source: str) -> bool:
        """Whether the controller is, or may be, twice as fast as that host."""
        rate = self.members[source].rate if source in self.members else None
        if rate is None:
            return False
        if self.rate is None:
            return self.helped == 0
        return rate < self.rate / 2

    def _rarest(self, member: Member, mask: int) -> int | None:
        """One of the chunks that fewest hosts have."""
        above = mask >> member.offset << member.offset
        best: int | None = None
        looked = 0
        for part in (above, mask & ~above):
            for chunk in _bits(part):
                if best is None or self._copies[chunk] < self._copies[best]:
                    best = chunk
                looked += 1
                if looked == LOOKED_AT:
                    return best
        return best

    def _begin(self, transfer: Transfer) -> Transfer:
        member = self.members[transfer.to]
        member.coming.setdefault(transfer.chunk, set()).add(transfer.source)
        if transfer.source is None:
            member.sent += 1
        else:
            self.members[transfer.source].giving += 1
        return transfer


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
