"""A shell as a door: events on standard error, results on standard output, questions at a terminal."""

import asyncio
import sys
import time
from dataclasses import dataclass, field
from typing import TextIO

from fleet.core.errors import DeclinedError
from fleet.core.events import Event, RunEnded, StepDone, StepFailed, StepProgress, StepStarted
from fleet.io.door import Question
from fleet.watch.lines import line

QUIET = 5.0  # seconds between two progress lines of one host


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
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)
    under_way: dict[str, str] = field(default_factory=dict)  # host -> title of its step
    _last: dict[str, float] = field(default_factory=dict)

    @property
    def is_interactive(self) -> bool:
        return sys.stdin.isatty() and self.err.isatty()

    def say(self, event: Event) -> None:
        host = event.host or ""
        match event:
            case StepStarted(step=step):
                self.under_way[host] = step
            case StepDone() | StepFailed():
                self.under_way.pop(host, None)
            case _:
                pass
        if self.mode == "jsonl":
            print(event.to_json(), file=self.out, flush=True)
            return
        if isinstance(event, StepProgress) and not self._is_due(host):
            return
        if isinstance(event, RunEnded):
            return
        text = line(event, self.is_verbose)
        if text is not None:
            print(text, file=self.err, flush=True)

    async def confirm(self, question: Question) -> bool:
        for plan in question.plans:
            print(plan, file=self.err)
        if question.is_repeat:
            print("This step was not in the plan that you agreed to.", file=self.err)
        count = len(question.plans)
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
        if self.is_interactive:
            print(prompt, end="", file=self.err, flush=True)
        text = await asyncio.to_thread(sys.stdin.readline)
        return text.rstrip("\n") if text else None

    def print(self, text: str, end: str = "\n") -> None:
        if self.mode == "lines":
            print(text, end=end, file=self.out, flush=True)

    def interrupted(self) -> None:
        """What a person must know who pressed ctrl+c."""
        print("interrupted", file=self.err)
        for host, step in self.under_way.items():
            print(f"{host}: during: {step}. The same command goes on from there.", file=self.err)

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
        if now - self._last.get(host, 0.0) < QUIET:
            return False
        self._last[host] = now
        return True


def _again(question: Question, count: int) -> str:
    flags = "--yes" if count == 1 else f"--yes --max-hosts {count}"
    if question.level >= 3:
        flags += f" --confirm {question.plans[0].host}"
    return f"read the plan, then add {flags}"
