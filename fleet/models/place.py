"""Which servers go on which hosts so that all of them fit, and what must go if they do not.

A server may go where its `on` lets it. It has options there: as it is wished, or changed; each takes
bytes of some pools of that host. What is looked for places as many servers as can be, the earlier ones
of the inventory before the later; then each goes on as many of its hosts as have room left.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from fleet.core.plan import count_text, size_text

Pool = tuple[str, str]  # host, name of the pool there
Rooms = Mapping[Pool, int]  # bytes
MOST_STEPS = 50_000  # of the exact search; beyond it the answer is a good one, not a proven one
MOST_DEEP = 500  # servers that are followed one below the other


@dataclass(frozen=True, slots=True)
class Option:
    """One way for a server to lie on one host."""

    host: str
    needs: Mapping[str, int]  # pool of the host -> bytes; on unified memory a device's count in both
    tps: float | None = None  # expected, one conversation
    change: str | None = None  # what must be set otherwise for it; None: as wished

    def pools(self) -> Iterable[tuple[Pool, int]]:
        return (((self.host, name), size) for name, size in self.needs.items() if size)

    @property
    def scarce(self) -> str:
        """The pool that it takes most of."""
        return max(self.needs, key=lambda name: self.needs[name], default="")

    @property
    def bytes(self) -> int:
        """What it takes of that pool."""
        return self.needs.get(self.scarce, 0)


@dataclass(frozen=True, slots=True)
class Want:
    """A server of the inventory and where it can be."""

    server: str
    hosts: tuple[str, ...]  # as `on` says
    options: tuple[Option, ...]  # the better first
    lack: str | None = None  # why there are no options, where there are none


@dataclass(frozen=True, slots=True)
class Choice:
    server: str
    option: Option


@dataclass(frozen=True, slots=True)
class Gone:
    """A server that finds no place."""

    server: str
    why: str


@dataclass(frozen=True, slots=True)
class Proposal:
    chosen: tuple[Choice, ...]  # in order of the inventory; a server may be there for several hosts
    gone: tuple[Gone, ...]
    left: Rooms  # bytes that stay free
    is_proven: bool  # no other arrangement holds more servers

    def of(self, server: str) -> tuple[Option, ...]:
        return tuple(choice.option for choice in self.chosen if choice.server == server)


def propose(wants: Sequence[Want], rooms: Rooms, most_steps: int = MOST_STEPS) -> Proposal:
    """The arrangement that holds the most servers."""
    possible = [
        replace(want, options=tuple(one for one in want.options if _fits(one, rooms))) for want in wants
    ]
    able = [want for want in possible if want.options]
    search = _Search(able, rooms, most_steps)
    chosen = search.best()
    left = dict(rooms)
    for option in chosen.values():
        _take(option, left)
    placed = {want.server: [chosen[want.server]] for want in able if want.server in chosen}
    for want in able:
        if want.server in placed:
            placed[want.server] += _more(want, placed[want.server][0], left)
    reasons = _Reasons(wants, rooms)
    gone = [Gone(want.server, reasons.of(want)) for want in wants if want.server not in placed]
    return Proposal(
        tuple(Choice(want.server, option) for want in wants for option in placed.get(want.server, ())),
        tuple(gone),
        left,
        search.is_finished or not any(want.server not in placed for want in able),
    )


class _Search:
    """All arrangements, the promising ones first; those that cannot beat the best are not followed."""

    def __init__(self, wants: Sequence[Want], rooms: Rooms, most: int) -> None:
        # Servers with the fewest ways first, then the largest: what fails, fails early.
        self.worth = {want.server: 2 * len(wants) + 1 - number for number, want in enumerate(wants)}
        self.wants = sorted(wants, key=lambda want: (len(want.options), -_least(want)))
        self.rest = [0] * (len(wants) + 1)  # worth of all servers from there on
        for number in range(len(wants) - 1, -1, -1):
            self.rest[number] = self.rest[number + 1] + self._value(self.wants[number])
        self.left = dict(rooms)
        self.most, self.steps = most, 0
        self.found: dict[str, Option] = {}
        self.value = 0
        self.seen: dict[tuple[int, tuple[int, ...]], int] = {}

    @property
    def is_finished(self) -> bool:
        return self.steps <= self.most

    def best(self) -> dict[str, Option]:
        if len(self.wants) > MOST_DEEP:
            self._first()
        else:
            self._follow(0, {}, 0)
        return self.found

    def _first(self) -> None:
        """Each where it fits first: so many servers are not tried in all ways."""
        self.steps = self.most + 1
        for want in self.wants:
            option = next((one for one in want.options if _fits(one, self.left)), None)
            if option is not None:
                _take(option, self.left)
                self.found[want.server] = option

    def _value(self, want: Want) -> int:
        # Any number of servers outweighs the order among them.
        return 4 * len(self.wants) ** 2 + self.worth[want.server]

    def _follow(self, number: int, chosen: dict[str, Option], value: int) -> None:
        if value > self.value:
            self.found, self.value = dict(chosen), value
        self.steps += 1
        if number == len(self.wants) or value + self.rest[number] <= self.value or not self.is_finished:
            return
        state = (number, tuple(self.left.values()))
        if self.seen.get(state, -1) >= value:
            return  # the same rooms were left here before, with as much placed
        self.seen[state] = value
        want = self.wants[number]
        for option in want.options:
            if _fits(option, self.left):
                _take(option, self.left)
                chosen[want.server] = option
                self._follow(number + 1, chosen, value + self._value(want))
                del chosen[want.server]
                _take(option, self.left, -1)
        self._follow(number + 1, chosen, value)


def _more(want: Want, first: Option, left: dict[Pool, int]) -> list[Option]:
    """Further hosts of a server that have room left, unchanged ones only."""
    found = []
    for host in want.hosts:
        option = next((one for one in want.options if one.host == host and one.change is None), None)
        if option is not None and host != first.host and _fits(option, left):
            _take(option, left)
            found.append(option)
    return found


class _Reasons:
    """Sentences that show, with numbers, that there is no room."""

    def __init__(self, wants: Sequence[Want], rooms: Rooms) -> None:
        self.wants, self.rooms = wants, rooms
        self.places = {want.server: frozenset(option.host for option in want.options) for want in wants}
        self.crowds: dict[frozenset[str], str | None] = {}

    def of(self, want: Want) -> str:
        if not want.options:
            return want.lack or f"no host of its `on` can hold it: {', '.join(want.hosts) or 'there is none'}"
        if not any(_fits(option, self.rooms) for option in want.options):
            option = min(want.options, key=lambda one: one.bytes)
            return f"it alone is too large for every host it may go on: {_lack(option, self.rooms)}"
        hosts = self.places[want.server]
        if hosts not in self.crowds:
            self.crowds[hosts] = self._crowd(hosts)
        where = ", ".join(sorted(hosts))
        return self.crowds[hosts] or (
            f"no arrangement of {count_text(len(self.wants), 'server')} leaves "
            f"{size_text(_least(want))} on {where}"
        )

    def _crowd(self, hosts: frozenset[str]) -> str | None:
        """Servers that can go nowhere else and need more than is there; None where they do not."""
        rivals = [other for other in self.wants if other.options and self.places[other.server] <= hosts]
        # Each takes at least so much of the pools that servers like it fill first.
        pools = {(option.host, option.scarce) for other in rivals for option in other.options}
        need = sum(_least(other) for other in rivals)
        total = sum(self.rooms.get(pool, 0) for pool in pools)
        if len(rivals) < 2 or need <= total:
            return None
        names = ", ".join(other.server for other in rivals[:5]) + (
            f" and {len(rivals) - 5} more" if len(rivals) > 5 else ""
        )
        return (
            f"{names} can only go on {', '.join(sorted(hosts))}: they need {size_text(need)} at least, "
            f"{size_text(total)} are there"
        )


def _lack(option: Option, rooms: Rooms) -> str:
    short = next((pool, size) for pool, size in option.pools() if size > rooms.get(pool, 0))
    (host, name), size = short
    return f"{size_text(size)} of {name} on {host}, {size_text(rooms.get((host, name), 0))} are there"


def _least(want: Want) -> int:
    return min((option.bytes for option in want.options), default=0)


def _fits(option: Option, left: Rooms) -> bool:
    return all(left.get(pool, 0) >= size for pool, size in option.pools())


def _take(option: Option, left: dict[Pool, int], sign: int = 1) -> None:
    for pool, size in option.pools():
        left[pool] -= sign * size
