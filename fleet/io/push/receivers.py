"""Lines of shell that take chunks on a host, made of what is installed there."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fleet.core.errors import StepError
from fleet.core.shell import quote

HASH = re.compile("[0-9a-f]{64}")
BLOCK = 1 << 20  # bytes that dd writes at once

# Standard input to a line that begins with its hash, by what `digest` of common.sh found.
HASHERS = {
    "openssl": "{} dgst -sha256 -r",
    "python3": "{} -c 'import hashlib,sys; h=hashlib.sha256()\n"
    'for b in iter(lambda: sys.stdin.buffer.read(1 << 20), b""): h.update(b)\n'
    "print(h.hexdigest())'",
    "sha256sum": "{}",
    "shasum": "{} -a 256",
}
SPLITS = ("/dev/fd/3", "/proc/self/fd/3")

# So many bytes of standard input and not one more, to standard output and to descriptor 3.
PERL = """perl -e 'open $t, ">&=3"; $n = shift; while ($n > 0) {
$r = sysread STDIN, $b, $n < 262144 ? $n : 262144; last unless $r; $n -= $r;
for $f (STDOUT, $t) { $o = 0; while ($o < $r) {
$w = syswrite $f, $b, $r - $o, $o; exit 1 unless $w; $o += $w } } }
' "$length\""""

# All of it in one process: half the CPU of the programs above, which copy through pipes. What was
# written goes to the disk meanwhile, so that the end has little to wait for, and memory is not
# filled with what waits to be written.
PYTHON = """import hashlib, os, sys, threading
path, source, piece = sys.argv[1], sys.stdin.buffer, memoryview(bytearray(1 << 18))
written, sync = threading.Event(), getattr(os, "fdatasync", os.fsync)
def flush():
    while True:
        written.wait()
        written.clear()
        try:
            part = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
            sync(part)
            os.close(part)
        except OSError as error: # said now, since the kernel says it once
            print(error, file=sys.stderr, flush=True)
            os._exit(74 if isinstance(error, FileNotFoundError) else 1)
threading.Thread(target=flush, daemon=True).start()
for line in source:
    number, seek, left = map(int, line.split())
    if os.path.islink(path) or not os.path.isfile(path): sys.exit(74)
    part, digest, at = os.open(path, os.O_WRONLY), hashlib.sha256(), seek << 20
    while left:
        count = source.readinto(piece[:min(left, len(piece))])
        if not count: sys.exit(1)
        digest.update(piece[:count])
        done = 0
        while done < count: done += os.pwrite(part, piece[done:count], at + done)
        at, left = at + count, left - count
    os.close(part)
    written.set()
    print("chunk %d\\nwrote 0\\n%s" % (number, digest.hexdigest()), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Means:
    """What a host can take chunks with."""

    python: str | None  # path, where it may be used
    hasher: str  # shell: standard input to its hash
    taker: str  # perl, head, or none: nothing there leaves alone what comes behind a chunk
    split: str | None  # one of SPLITS: a stream can be hashed while it is written

    @property
    def is_exact(self) -> bool:
        return self.python is not None or self.taker != "none"


def means(said: Mapping[str, Sequence[str]]) -> Means:
    """From the words that begin.sh printed, by the first of each line.

    Raises:
        StepError: it did not say how it hashes.
    """
    tool, *path = said.get("tool", ("",))
    if tool not in HASHERS:
        raise StepError("it did not say how it hashes", next="fleet doctor", kind="probe")
    taker, split = (" ".join(said.get(word, ())) for word in ("take", "split"))
    return Means(
        python=" ".join(said.get("python3", ())) or None,
        hasher=HASHERS[tool].format(quote(" ".join(path))),
        taker=taker if taker in ("perl", "head") else "none",
        split=split if split in SPLITS else None,
    )


def receiver(path: str, blocks: int, means: Means) -> str:
    """The line; blocks: MiB of a chunk.

    dd gathers short reads because ibs differs from obs; no GNU flag is needed.
    """
    if means.python is not None:
        return _line(f"exec {quote(means.python)} -I -S -c {quote(PYTHON)} {quote(path)}")
    write = f'dd of="$p" ibs=65536 obs={BLOCK} seek="$seek" conv=notrunc'
    if means.taker == "perl":
        twice = PERL
    else:
        twice = f"{TAKE[means.taker]} | tee {means.split}"
    if means.taker == "perl" or means.split is not None:
        taking = f'{{ {{ {twice} | {means.hasher} >&5; }} 3>&1 | {{ {write}; echo "wrote $?" >&5; }}; }} 5>&1'
    else:
        taking = (
            f'{TAKE[means.taker]} | {{ {write}; echo "wrote $?"; }}; '
            f'dd if="$p" bs={BLOCK} skip="$seek" count={blocks} 2>/dev/null | {means.hasher}'
        )
    return _line(
        f"LC_ALL=C; export LC_ALL; p={quote(path)}\n"
        "while read -r number seek length; do\n"
        '[ ! -L "$p" ] && [ -f "$p" ] || exit 74\n'
        f"said=$({taking})\n"
        'printf "chunk %s\\n%s\\n" "$number" "$said"\n'
        "status=${said##*wrote }; status=${status%%[!0-9]*}\n"
        '[ "$status" = 0 ] || exit "${status:-1}"\n'
        "done"
    )


TAKE = {"head": 'head -c "$length"', "none": "cat"}


def _line(program: str) -> str:
    """A program in one line, because what follows it is data."""
    return (
        f'eval "$(printf %b {quote(program.replace(chr(92), chr(92) * 2).replace(chr(10), chr(92) + "n"))})"'
    )
