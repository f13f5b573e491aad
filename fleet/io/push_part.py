"""What a host has of one file, how it takes a chunk, and how the whole gets its name."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fleet.core.errors import StepError
from fleet.core.plan import size_text
from fleet.core.shell import quote
from fleet.core.text import safe_line, safe_text
from fleet.io.manifest import Manifest
from fleet.io.ports import Answer, Transport
from fleet.io.push_errors import explained
from fleet.io.shelltext import packaged

MIB = 1 << 20
LINES = 100  # that a host may say beside the hashes of chunks
HASH = re.compile("[0-9a-f]{64}")

# Standard input to a line that begins with its hash, by what `digest` of common.sh found there.
HASHERS = {
    "openssl": "{} dgst -sha256 -r",
    "python3": "{} -c 'import hashlib,sys; h=hashlib.sha256()\n"
    'for b in iter(lambda: sys.stdin.buffer.read(1 << 20), b""): h.update(b)\n'
    "print(h.hexdigest())'",
    "sha256sum": "{}",
    "shasum": "{} -a 256",
}
# So many bytes of standard input and not one more; `none` can only take all there are.
TAKERS = {
    "head": 'head -c "$length"',
    "perl": "perl -e '$n = shift; while ($n > 0) { $r = sysread STDIN, $b, $n < 1048576 ? $n : 1048576; "
    "last unless $r; $n -= $r; $o = 0; while ($o < $r) { $w = syswrite STDOUT, $b, $r - $o, $o; "
    'exit 1 unless $w; $o += $w } }\' "$length"',
    "none": "cat",
}
SPLITS = ("/dev/fd/3", "/proc/self/fd/3")


@dataclass(frozen=True, slots=True)
class Held:
    """What the host said when it was asked about a part."""

    right: frozenset[int]  # numbers of chunks that lie there as they should
    hasher: str  # shell: standard input to its hash
    taker: str  # a key of TAKERS
    split: str | None  # a path of SPLITS, where a stream can be hashed while it is written

    @property
    def is_exact(self) -> bool:
        """Many chunks may follow each other in one stream; else one stream carries one."""
        return self.taker != "none"


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

        script = packaged(
            "push_begin",
            **self._variables(),
            BLOCKS=self.wanted.chunk // MIB,
            META=self._meta(),
        )
        deadline = 60 + self.wanted.size / (2 * MIB)
        answer = await transport.run(script, deadline=deadline, on_line=take)
        lines += safe_text(answer.out).splitlines()
        self._refuse_short(lines)
        self.check(answer)
        if "have" in lines:
            return None
        return self._held(lines)

    def receiver(self, held: Held) -> str:
        """A line of shell that writes chunks from its standard input into the part.

        Each chunk comes as a line `NUMBER SEEK LENGTH` and then its bytes, which are hashed while
        they are written. For each it prints `chunk NUMBER`, `wrote STATUS`, and the hash.
        dd gathers short reads because ibs differs from obs; no GNU flag is needed.
        """
        seek = f'ibs=65536 obs={MIB} seek="$seek" conv=notrunc'
        if held.split is None:
            blocks = self.wanted.chunk // MIB
            hashing = (
                f'{TAKERS[held.taker]} | {{ dd of="$p" {seek}; echo "wrote $?"; }}; '
                f'dd if="$p" bs={MIB} skip="$seek" count={blocks} 2>/dev/null | {held.hasher}'
            )
        else:
            hashing = (
                f"{{ {{ {TAKERS[held.taker]} | tee {held.split} | {held.hasher} >&5; }} 3>&1 | "
                f'{{ dd of="$p" {seek}; echo "wrote $?" >&5; }}; }} 5>&1'
            )
        part = quote(f"{self.root}/parts/{self.wanted.sha256}.part")
        body = (
            f"LC_ALL=C; export LC_ALL; p={part}\n"
            "while read -r number seek length; do\n"
            '[ ! -L "$p" ] && [ -f "$p" ] || exit 74\n'
            f"said=$({hashing})\n"
            'printf "chunk %s\\n%s\\n" "$number" "$said"\n'
            "status=${said##*wrote }; status=${status%%[!0-9]*}\n"
            '[ "$status" = 0 ] || exit "${status:-1}"\n'
            "done"
        )
        # A line it has to be, because what follows it is data.
        return (
            f'eval "$(printf %b {quote(body.replace(chr(92), chr(92) * 2).replace(chr(10), chr(92) + "n"))})"'
        )

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
        script = packaged("push_end", **self._variables(), META=self._meta())
        self.check(await transport.run(script, deadline=120 + self.wanted.size / (5 * MIB)))

    def check(self, answer: Answer) -> None:
        if answer.status:
            raise explained(answer, self.root)

    def _held(self, lines: Iterable[str]) -> Held:
        words = [line.split(" ", 2) for line in lines]
        said = {word[0]: word[1:] for word in words if word[0] in ("tool", "take", "split")}
        tool, path = (said.get("tool") or ["", ""])[0], (said.get("tool") or ["", ""])[-1]
        taker, split = (said.get("take") or ["none"])[0], (said.get("split") or ["none"])[0]
        if tool not in HASHERS:
            raise StepError("it did not say how it hashes", next="fleet doctor", kind="probe")
        hashes = {int(word[1]): word[2] for word in words if word[0] == "chunk" and is_chunk(word)}
        right = frozenset(n for n in self.numbers if hashes.get(n) == self.wanted.chunks[n])
        return Held(
            right,
            HASHERS[tool].format(quote(path)),
            taker if taker in TAKERS else "none",
            split if split in SPLITS else None,
        )

    def _refuse_short(self, lines: Iterable[str]) -> None:
        short = next((line.split() for line in lines if line.startswith("short ")), None)
        if short is not None and len(short) == 3 and short[1].isdigit() and short[2].isdigit():
            raise StepError(
                f"the disk has {size_text(int(short[1]))} free, {size_text(int(short[2]))} are to come",
                kind="disk-full",
                next=f"free space on the disk of {self.root}, or set root to a folder on a larger one",
            )

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


def is_chunk(words: list[str]) -> bool:
    return len(words) == 3 and words[1].isdigit() and HASH.fullmatch(words[2]) is not None


def chunk_size(size: int) -> int:
    """Bytes of a chunk of a file of that size: what a lost link may cost, and what a host compares."""
    return 16 * MIB if size <= 4 << 30 else 32 * MIB if size <= 16 << 30 else 64 * MIB
