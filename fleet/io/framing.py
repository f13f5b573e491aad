"""Telling a program's own output from what login shells print around it.

A banner of `.bashrc` lands on the standard output of every command. So a program is
sent between two lines that hold a random nonce, and only what stands between them is
its output. The second line also carries its exit status.
"""

from collections.abc import Callable

from fleet.core.errors import StepError
from fleet.core.shell import quote
from fleet.core.text import safe_line

SHELL = "sh -s"
# Without `exec`, which a restricted shell refuses. Blank lines before the program are
# skipped, so that a `read` in `.bashrc` may eat one.
FEED = 'sh -c \'while IFS= read -r line && [ -z "$line" ]; do :; done; eval "$line"\''
NOISE = 4096  # bytes of it kept, for the message


def wrapped(script: str, nonce: str) -> bytes:
    """The program as it is sent to `sh -s`.

    It runs in a subshell, so that `exit` in it does not skip the last line, and with
    an empty standard input, so that it cannot read the rest of itself.
    """
    return (
        f"\nprintf '%s\\n' {nonce}\n(:\n{script}\n) </dev/null\n"
        f'fleet_status=$?; printf \'%s %s\\n\' {nonce} "$fleet_status"; exit "$fleet_status"\n'
    ).encode()


def wrapped_data(script: str, nonce: str) -> bytes:
    """As `wrapped`, for a program whose output is data: nothing comes after it."""
    return f"\nprintf '%s\\n' {nonce}\n(:\n{script}\n) </dev/null\nexit $?\n".encode()


def wrapped_line(line: str, nonce: str) -> bytes:
    """One line of shell as the first line of a stream of data.

    Raises:
        ValueError: it is more than one line.
    """
    if "\n" in line:
        raise ValueError("a program that is fed data must be one line")
    return (
        f"\nprintf '%s\\n' {nonce}; (eval {quote(line)}); "
        f'fleet_status=$?; printf \'%s %s\\n\' {nonce} "$fleet_status"; exit "$fleet_status"\n'
    ).encode()


class Frame:
    """Takes standard output in pieces and keeps what the program said.

    Args:
        nonce: as given to `wrapped`.
        cap: bytes kept; one more is an error of kind "too-much-output".
        on_line: called with each line, without its newline, as it comes.
    """

    def __init__(self, nonce: str, cap: int, on_line: Callable[[bytes], None] | None = None) -> None:
        self.nonce = nonce.encode()
        self.cap = cap
        self.on_line = on_line
        self.has_begun = False
        self.status: int | None = None  # what the last line said
        self._buffer = bytearray()

    def take(self, data: bytes) -> None:
        """Raises StepError of kind "too-much-output"."""
        if self.status is not None:
            return
        self._buffer += data
        if not self.has_begun and not self._begin():
            return
        if self.on_line:
            self._tell(self.on_line)
        if len(self._buffer) > self.cap + len(self.nonce) + 8:
            raise StepError(
                f"it printed more than {self.cap} bytes",
                kind="too-much-output",
                next="fleet status",
            )

    def out(self) -> bytes:
        """The program's output after everything came; with `on_line` the unfinished line."""
        if not self.has_begun:
            return b""
        if self.status is None:
            self._end(self._buffer.rfind(self.nonce + b" "))
        if len(self._buffer) > self.cap:
            raise StepError(
                f"it printed more than {self.cap} bytes", kind="too-much-output", next="fleet status"
            )
        return bytes(self._buffer)

    def noise(self) -> str:
        """What came instead of the first line."""
        return safe_line(bytes(self._buffer[:NOISE]), 300)

    def _begin(self) -> bool:
        start = self._buffer.find(self.nonce + b"\n")
        if start < 0:
            del self._buffer[: max(0, len(self._buffer) - 2 * NOISE)]
            return False
        del self._buffer[: start + len(self.nonce) + 1]
        self.has_begun = True
        return True

    def _tell(self, on_line: Callable[[bytes], None]) -> None:
        *lines, rest = self._buffer.split(b"\n")
        for number, line in enumerate(lines):
            if self.nonce in line:
                self._buffer = bytearray(b"\n".join(lines[number:]) + b"\n")
                self._end(self._buffer.find(self.nonce + b" "))
                return
            on_line(bytes(line))
        self._buffer = rest

    def _end(self, at: int) -> None:
        if at < 0:
            return
        word = bytes(self._buffer[at + len(self.nonce) :]).split()[:1]
        if word and word[0].isdigit() and len(word[0]) < 10:
            self.status = int(word[0])
            del self._buffer[at:]


class Sieve:
    """Drops the noise before the first line and hands on the rest, any size."""

    def __init__(self, nonce: str, to: Callable[[bytes], None]) -> None:
        self.mark = nonce.encode() + b"\n"
        self.to = to
        self.has_begun = False
        self._buffer = bytearray()

    def take(self, data: bytes) -> None:
        if self.has_begun:
            self.to(data)
            return
        self._buffer += data
        start = self._buffer.find(self.mark)
        if start < 0:
            del self._buffer[: max(0, len(self._buffer) - 2 * NOISE)]
            return
        self.has_begun = True
        rest = bytes(self._buffer[start + len(self.mark) :])
        self._buffer.clear()
        if rest:
            self.to(rest)

    def noise(self) -> str:
        return safe_line(bytes(self._buffer[:NOISE]), 300)
