"""What a host has of one file, how it takes a chunk, and how the whole gets its name."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fleet.core.errors import StepError
from fleet.core.plan import size_text
from fleet.core.shell import packaged as shipped
from fleet.core.text import safe_line, safe_text
from fleet.io.ports import Answer, Transport
from fleet.io.push.errors import explained
from fleet.io.push.manifest import Manifest
from fleet.io.push.receivers import HASH, Means, means, receiver
from fleet.io.shelltext import packaged
from fleet.platforms.base import program

MIB = 1 << 20
LINES = 100  # that a host may say beside the hashes of chunks


@dataclass(frozen=True, slots=True)
class Held:
    """What the host said when it was asked about a part."""

    right: frozenset[int]  # numbers of chunks that lie there as they should
    means: Means

    @property
    def is_exact(self) -> bool:
        """Many chunks may follow each other in one stream; else one stream carries one."""
        return self.means.is_exact


@dataclass(frozen=True, slots=True)
class Part:
    """One file on its way to one host, under the name of its hash in `parts`.

    Any number of streams may write chunks into it at the same time, from wherever they come.
    """

    wanted: Manifest
    to: str  # below the root
    root: str  # absolute, as the host said
    generation: str  # of the host's lock

    @property
    def path(self) -> str:
        """Absolute, on the host."""
        return f"{self.root}/parts/{self.wanted.sha256}.part"

    @property
    def numbers(self) -> range:
        """Of all chunks."""
        return range(len(self.wanted.chunks))

    def length(self, number: int) -> int:
        """Bytes of a chunk; the last may be shorter."""
        return min(self.wanted.chunk, self.wanted.size - number * self.wanted.chunk)

    async def look(self, transport: Transport, beat: Callable[[], None] = lambda: None) -> Held | None:
        """What is right of the part, which is made ready to take the rest; None: the host has the file.

        Room and inodes are there when it returns.

        Args:
            beat: told of each sign of life.

        Raises:
            StepError: the host cannot take the file; says why.
        """
        lines: list[str] = []
        most = len(self.wanted.chunks) + LINES

        def take(line: bytes) -> None:
            beat()
            if len(lines) > most:
                raise StepError("it says more than it was asked", kind="too-much-output", next="fleet status")
            lines.append(safe_line(line, 200))

        script = program(
            shipped("fleet.io.push", "room.sh", "begin.sh"),
            **self._variables(),
            BLOCKS=self.wanted.chunk // MIB,
            META=self._meta(),
        )
        deadline = 60 + self.wanted.size / (2 * MIB)
        answer = await transport.run(script, deadline=deadline, on_line=take)
        lines += safe_text(answer.out).splitlines()
        refuse_short(lines, self.root)
        self.check(answer)
        if "have" in lines:
            return None
        return self._held(lines)

    def receiver(self, held: Held) -> str:
        """A line of shell that writes chunks from its standard input into the part.

        Each chunk comes as a line `NUMBER SEEK LENGTH`, SEEK in MiB, and then its bytes, which are
        hashed while they are written. For each it prints `chunk NUMBER`, `wrote STATUS` and the hash.
        """
        return receiver(self.path, self.wanted.chunk // MIB, held.means)

    def header(self, number: int) -> bytes:
        """What stands before the bytes of a chunk."""
        seek = number * self.wanted.chunk // MIB
        return b"%d %d %d\n" % (number, seek, self.length(number))

    def right(self, out: bytes) -> frozenset[int]:
        """The chunks that arrived as they should, from what a receiver printed."""
        found, number, said = set(), -1, {""}
        for line in safe_text(out).splitlines():
            words = line.split()
            if words[:1] == ["chunk"] and words[1:2] and words[1].isdigit():
                number, said = int(words[1]), set()
            said |= {line} if words[:1] == ["wrote"] else set(words[:1])
            if number in self.numbers and said >= {"wrote 0", self.wanted.chunks[number]}:
                found.add(number)
        return frozenset(found)

    async def publish(self, transport: Transport) -> None:
        """The final name, once every chunk is right; by size, fsync and rename."""
        script = packaged("push/end", **self._variables(), META=self._meta())
        self.check(await transport.run(script, deadline=120 + self.wanted.size / (5 * MIB)))

    def check(self, answer: Answer) -> None:
        if answer.status:
            raise explained(answer, self.root)

    def _held(self, lines: Iterable[str]) -> Held:
        words = [line.split(" ", 2) for line in lines]
        said = {word[0]: word[1:] for word in words if word[0] in ("tool", "take", "split", "python3")}
        hashes = {int(word[1]): word[2] for word in words if word[0] == "chunk" and is_chunk(word)}
        right = frozenset(n for n in self.numbers if hashes.get(n) == self.wanted.chunks[n])
        return Held(right, means(said))

    def _meta(self) -> str:
        """META.json of a model; empty for what has none."""
        if not self.to.startswith("models/"):
            return ""
        wanted = self.wanted
        return json.dumps(
            {"sha256": wanted.sha256, "size": wanted.size, "chunk": wanted.chunk, "chunks": wanted.chunks}
        )

    def _variables(self) -> dict[str, str | int]:
        return {
            "FLEET_ROOT": self.root,
            "FLEET_GENERATION": self.generation,
            "NAME": self.wanted.sha256,
            "SIZE": self.wanted.size,
            "TO": self.to,
        }


def refuse_short(lines: Iterable[str], root: str) -> None:
    """Raises where room.sh found too little room."""
    short = next((line.split() for line in lines if line.startswith("short ")), None)
    if short is not None and len(short) == 3 and short[1].isdigit() and short[2].isdigit():
        raise StepError(
            f"the disk has {size_text(int(short[1]))} free, {size_text(int(short[2]))} are to come",
            kind="disk-full",
            next=f"free space on the disk of {root}, or set root to a folder on a larger one",
        )


def is_chunk(words: list[str]) -> bool:
    return len(words) == 3 and words[1].isdigit() and HASH.fullmatch(words[2]) is not None


def chunk_size(size: int) -> int:
    """Bytes of a chunk of a file of that size: what a lost link may cost, and what a host compares."""
    return 16 * MIB if size <= 4 << 30 else 32 * MIB if size <= 16 << 30 else 64 * MIB
