"""A shell as a door: events on standard error, results on standard output, questions at a terminal."""

import asyncio
import contextlib
import os
import shutil
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TextIO

from fleet.core.errors import DeclinedError
from fleet.core.events import Event, HostFailed, RunEnded, StepDone, StepFailed, StepProgress, StepStarted
from fleet.core.render import plan_lines
from fleet.io.door import Question
from fleet.watch.lines import line

QUIET = 5.0  # seconds between two progress lines of one host
LIVELY = 1.0  # the same, where the new line takes the place of the old one
INSTEAD = "\x1b[1A\x1b[2K"  # a line up, and nothing on it


@dataclass(slots=True)
class Console:
    """How one command talks.

    Args:
        mode: "lines", "json" (one document at the end), "jsonl" (the events).
        yes: agree to the plan.
        max_hosts: how many hosts --yes may change.
        confirm_name: the name typed with --confirm, for what cannot be undone.
    """

    mode: str = "lines"
    yes: bool = False
    max_hosts: int | None = None
    confirm_name: str | None = None
    is_verbose: bool = False
    is_quiet: bool = False  # nothing about the run
    is_live: bool = False  # a terminal: what becomes of a step takes the place of its line
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)
    under_way: dict[str, str] = field(default_factory=dict)  # host -> title of its step
    _open: str | None = None  # host of the step that the last line speaks of
    _last: dict[str, float] = field(default_factory=dict)
    _declined: set[str] = field(default_factory=set)
    _typed: bytearray = field(default_factory=bytearray)  # and not asked for yet

    @property
    def is_interactive(self) -> bool:
        return sys.stdin is not None and sys.stdin.isatty() and self.err.isatty()

    def say(self, event: Event) -> None:
        host = event.host or ""
        match event:
            case StepStarted(step=step):
                self.under_way[host] = step
                self._last[host] = time.monotonic()
            case StepDone() | StepFailed():
                self.under_way.pop(host, None)
            case _:
                pass
        if self.mode == "jsonl":
            print(event.to_json(), file=self.out, flush=True)
            return
        if self.is_quiet or (isinstance(event, StepProgress) and not self._is_due(host)):
            return
        if isinstance(event, RunEnded):
            return
        if isinstance(event, HostFailed) and event.kind in ("declined", "nobody"):
            # One answer for all hosts is told once.
            event = replace(event, host=None)
            if event.message in self._declined:
                return
            self._declined.add(event.message)
        text = line(event, self.is_verbose)
        if text is not None:
            is_step = isinstance(event, StepStarted | StepProgress | StepDone | StepFailed)
            instead = INSTEAD if is_step and host and self._open == host else ""
            print(instead + text, file=self.err, flush=True)
            is_open = self.is_live and isinstance(event, StepStarted | StepProgress) and _fits(text)
            self._open = host if is_open else None

    async def confirm(self, question: Question) -> bool:
        for text in plan_lines(question.plans) if not self.is_quiet else ():
            print(text, file=self.err)
        if question.is_repeat:
            print("This step was not in the plan that you agreed to.", file=self.err)
        count = len(question.plans)
        self._open = None
        self._check_level(question, count)
        if self.yes:
            self._check_yes(question, count)
            return True
        if not self.is_interactive:
            raise DeclinedError("nobody is at the terminal to confirm the plan", next=_again(question, count))
        if question.level <= 1:
            return await self.ask("Carry this out? [y/N] ", "y")
        if question.level == 2:
            return await self.ask(
                f"Type the number of hosts to change ({count}) to carry this out: ", str(count)
            )
        name = question.plans[0].host
        return await self.ask(f"This cannot be undone. Type {name} to carry it out: ", name)

    async def ask(self, question: str, expected: str) -> bool:
        if self.yes and expected in ("y", self.confirm_name):
            return True
        if not self.is_interactive:
            raise DeclinedError(
                f"nobody is at the terminal to answer: {question.strip()}",
                next="run it at a terminal, or with --yes"
                + ("" if expected == "y" else f" --confirm {expected}"),
                kind="nobody",
            )
        answer = await self.read_line(question)
        agreed = (answer or "").strip().lower() == expected.lower()
        if not agreed:
            raise DeclinedError("declined; nothing was changed")
        return True

    async def read_line(self, prompt: str) -> str | None:
        self._open = None
        if self.is_interactive:
            print(prompt, end="", file=self.err, flush=True)
        while b"\n" not in self._typed:
            data = await _read_input()
            if not data:
                break
            self._typed += data
        text, newline, rest = self._typed.partition(b"\n")
        self._typed = rest
        return text.decode("utf-8", "replace") if text or newline else None

    def print(self, text: str, end: str = "\n") -> None:
        self._open = None
        if self.mode == "lines":
            print(text, end=end, file=self.out, flush=True)

    def interrupted(self) -> None:
        """What a person must know who pressed ctrl+c."""
        print("interrupted", file=self.err)
        for host, step in self.under_way.items():
            print(f"{host}: during: {step}. The same command goes on from there.", file=self.err)

    def _check_level(self, question: Question, count: int) -> None:
        if question.level >= 3 and count > 1:
            raise DeclinedError(
                f"{question.verb.replace('-', ' ')} cannot be undone and is done on one host at a time",
                next=f"fleet {question.verb.replace('-', ' ')} {question.plans[0].host}",
            )

    def _check_yes(self, question: Question, count: int) -> None:
        if question.level >= 3 and self.confirm_name != question.plans[0].host:
            name = question.plans[0].host
            raise DeclinedError("this cannot be undone", next=f"add --confirm {name} beside --yes")
        if count > 1 and self.max_hosts is None:
            raise DeclinedError(
                f"the plan changes {count} hosts and --max-hosts was not given",
                next=f"add --max-hosts {count}",
            )
        if self.max_hosts is not None and count > self.max_hosts:
            raise DeclinedError(
                f"the plan changes {count} hosts, --max-hosts allows {self.max_hosts}",
                next=f"--max-hosts {count}, or fewer hosts",
            )

    def _is_due(self, host: str) -> bool:
        now = time.monotonic()
        if now - self._last.get(host, 0.0) < (LIVELY if self._open == host else QUIET):
            return False
        self._last[host] = now
        return True


async def _read_input() -> bytes:
    """What comes next on standard input; empty at its end.

    A thread of its own, which nobody waits for: ctrl+c must not hang until a line is typed.
    It leaves sys.stdin alone, whose lock could not be taken when the program ends.
    """
    if sys.stdin is None:
        return b""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[bytes] = loop.create_future()

    def tell(data: bytes) -> None:
        if not found.done():
            found.set_result(data)

    def read(descriptor: int) -> None:
        try:
            data = os.read(descriptor, 1 << 16)
        except OSError:
            data = b""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(tell, data)

    threading.Thread(target=read, args=(sys.stdin.fileno(),), daemon=True).start()
    return await found


def _fits(text: str) -> bool:
    """Whether it is one line on this terminal, so that one line up is its beginning."""
    return text.isascii() and text.isprintable() and len(text) < shutil.get_terminal_size().columns


def _again(question: Question, count: int) -> str:
    flags = "--yes" if count == 1 else f"--yes --max-hosts {count}"
    if question.level >= 3:
        flags += f" --confirm {question.plans[0].host}"
    return f"read the plan, then add {flags}"
