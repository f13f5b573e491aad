"""Hosts that answer nonsense: the controller says so, about that host, and goes on."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleet.core.errors import FleetError, StepError
from fleet.core.plan import Run
from fleet.io.clock import SystemClock, SystemRandom
from fleet.io.framing import Frame
from fleet.io.jobs import _Follower, run_job
from fleet.io.locks import Owner, hold
from fleet.io.ports import Answer


class Liar:
    """A transport whose host answers what it wants."""

    name = "h1"

    def __init__(self, *answers: bytes, lines: tuple[bytes, ...] = ()) -> None:
        self.answers = list(answers)
        self.lines = lines
        self.asked = 0

    async def run(
        self,
        script: str,
        *,
        deadline: float,
        cap: int = 1 << 20,
        on_line: Callable[[bytes], None] | None = None,
    ) -> Answer:
        self.asked += 1
        for line in self.lines if on_line else ():
            on_line(line)
        return Answer(0, self.answers.pop(0) if len(self.answers) > 1 else self.answers[0], b"")


class Hurried(SystemClock):
    """Nobody waits for real time."""

    async def sleep(self, seconds: float) -> None:
        self.slept = getattr(self, "slept", 0.0) + seconds
        await asyncio.sleep(0)


def reaching(liar: Liar) -> Any:
    async def reach() -> Any:
        return liar

    return reach


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"acquired\n",
        b"acquired one\n",
        b"acquired 1; touch /tmp/x\n",
        b"held\n",
        b"held 3\n",
        b"held 9999999999999999999999 1\n",
        b"lost\n",
        b"hello\n" * 9,
    ],
)
async def test_a_host_that_does_not_say_whether_it_is_locked_is_an_error(tmp_path: Path, said: bytes) -> None:
    owner = Owner(tmp_path, "run1", "deploy")
    try:
        with pytest.raises(StepError, match="lock"):
            async with hold("h1", reaching(Liar(said)), "/r", owner, Hurried(), lambda text: None):
                raise AssertionError("nothing was locked")
    finally:
        owner.close()


@pytest.mark.parametrize(
    "owner_line",
    [
        b"[" * 100_000,
        b'{"controller": "%s", "run": "../../../etc/passwd"}',
        b'{"controller": "%s", "run": "a\\u0000b"}',
        b'{"controller": "%s", "run": ["x"], "user": 1, "machine": null}',
        b'{"controller": "%s", "run": "\\u001b]0;x\\u0007", "user": "\\u001b[2J"}',
    ],
)
async def test_an_owner_in_the_lock_is_data(tmp_path: Path, owner_line: bytes) -> None:
    owner = Owner(tmp_path, "run1", "deploy")
    ours = json.loads(owner.line)["controller"].encode()
    liar = Liar(*(b"held 4 %d\n" % beat + owner_line.replace(b"%s", ours) for beat in range(3)))
    try:
        with pytest.raises(FleetError) as refused:
            async with hold("h1", reaching(liar), "/r", owner, Hurried(), lambda text: None):
                raise AssertionError("nothing was locked")
        assert str(refused.value).replace("\n", "").isprintable()
    finally:
        owner.close()


def test_an_exit_status_of_any_length_is_no_mistake_of_ours() -> None:
    frame = Frame("abc", 1 << 20)
    frame.take(b"abc\nout\nabc " + b"9" * 5000 + b"\n")
    frame.out()
    assert frame.status is None


@pytest.mark.parametrize(
    "line", [b"[" + b"9" * 400 + b"/1] x", b"[1/" + b"9" * 400 + b"] x", "[٣/٤] x".encode()]
)
def test_progress_without_end_is_no_progress(line: bytes) -> None:
    told: list[tuple[float, float]] = []
    _Follower("n", lambda text: None, lambda done, total: told.append((done, total))).line(line)
    assert told == []


def test_an_exit_code_of_a_job_without_end_is_none() -> None:
    follower = _Follower("n", lambda text: None, lambda done, total: None)
    follower.line(b"n rc " + b"9" * 5000)
    assert follower.ended is None


async def test_a_log_that_breaks_off_is_followed_anew_at_leisure() -> None:
    class Clock(Hurried):
        def monotonic(self) -> float:
            return getattr(self, "slept", 0.0)

    liar = Liar(b"started\n")
    run = Run("true", deadline=20, job="j")
    with pytest.raises(FleetError, match="still running"):
        await run_job(
            reaching(liar),
            run,
            "/r",
            "1",
            clock=Clock(),
            random=SystemRandom(),
            on_line=lambda line: None,
            on_progress=lambda done, total: None,
        )
    assert liar.asked <= 22
