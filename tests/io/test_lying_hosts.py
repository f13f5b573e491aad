"""Hosts that answer nonsense: the controller says so, about that host, and goes on."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from fleet.core.errors import FleetError, StepError
from fleet.core.inventory import Inventory
from fleet.core.plan import Artifact, Fetch, Run
from fleet.core.talks import Complete
from fleet.io import talk
from fleet.io.artifacts import Artifacts
from fleet.io.clock import SystemClock, SystemRandom
from fleet.io.console import Console
from fleet.io.crash import bug
from fleet.io.folders import SystemFolders
from fleet.io.framing import Frame
from fleet.io.jobs import _Follower, run_job
from fleet.io.locks import Owner, hold
from fleet.io.ports import Answer
from fleet.io.push.file import push
from fleet.io.runs import world
from fleet.io.world import World
from tests.io.near import Near, near
from tests.io.test_http import serving


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


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[World, Near]]:
    """A run of fleet with one embedded host, and what it prints."""
    (folder / "near").mkdir()
    async with near(folder / "near") as here:
        host = here.host(known_hosts=str(here.known()))
        inventory = Inventory(hosts={"h1": host}, path=str(folder / "inventory.toml"))
        (folder / "f").mkdir()
        places = SystemFolders(folder / "f", folder / "f", folder / "f")
        async with world(inventory, Console(out=StringIO(), err=StringIO()), "chat", places) as one:
            yield one, here


def service(here: Near, key: bytes) -> Path:
    root = here.home / ".local" / "share" / "fleet"
    (root / "services" / "chat").mkdir(parents=True)
    (root / "services" / "chat" / "key").write_bytes(key)
    return root


@pytest.mark.parametrize(
    "key",
    [b"", b"short", b"k" * 300, b"two words are not one", "schlüssel-12345".encode(), b"key\x1b[2J-1234"],
)
async def test_what_cannot_be_a_key_is_no_key(tmp_path: Path, key: bytes) -> None:
    async with opened(tmp_path) as (one, here):
        service(here, key)
        with pytest.raises(FleetError, match="no API key") as refused:
            await one.key("h1", "chat")
        assert key.decode() not in str(refused.value) or not key


def said(*chunks: bytes) -> Callable[..., Any]:
    async def say(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = b"".join(b"data: " + chunk + b"\n\n" for chunk in chunks)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    return say


@pytest.mark.parametrize(
    "chunk",
    [
        b"[" * 100_000,
        b'{"choices": 7}',
        b'{"choices": ["x", null, 3, [], {"delta": "x"}, {"delta": {"content": ["\\u001b[2J"]}}]}',
        b'{"choices": [{"delta": {"content": "\\u001b]52;c;x\\ud800"}, "finish_reason": ["\\u001b"]}]}',
        b'{"timings": [1], "error": "x"}',
        b'{"timings": {"predicted_n": 1%s, "predicted_per_second": 1%s}}' % (b"0" * 400, b"0" * 400),
        b'{"timings": {"predicted_n": -1, "predicted_per_second": NaN, "prompt_per_second": Infinity}}',
        b'{"error": {"message": {"a": "\\u001b[31m"}}}',
        b"\xff\xfe\x00",
    ],
)
async def test_an_answer_of_nonsense_is_text_or_a_refusal(tmp_path: Path, chunk: bytes) -> None:
    async with opened(tmp_path) as (one, here), serving(tmp_path, said(chunk, b"[DONE]")) as listen:
        service(here, b"k" * 64)
        need = Complete("h1", "chat", listen, (("user", "hi"),), 5, None)
        try:
            answer = await talk.complete(one, need)
        except FleetError as error:
            assert str(error).isprintable()
        else:
            assert (answer.tokens, answer.generation_tps, answer.prompt_tps) == (None, None, None)
            assert answer.text.isprintable() and (answer.finish or "").isprintable()
            json.dumps({"text": answer.text, "finish": answer.finish}, allow_nan=False).encode()


async def test_a_build_that_never_ends_fills_no_disk(tmp_path: Path) -> None:
    async with opened(tmp_path) as (one, _):

        class Endless(Liar):
            async def drain(self, script: str, to: Callable[[bytes], None], *, deadline: float) -> int:
                for _ in range(99):
                    to(b"x" * 1000)
                raise AssertionError("nobody stopped it")

        store = Artifacts(one, largest=5000)
        fetch = Fetch(Artifact("build", "0123456789abcdef", "b1", None), "builds/0123456789abcdef")
        with pytest.raises(StepError, match="larger than"):
            await store.keep(Endless(b""), fetch, "/r", lambda done, total: None)
        assert [path.name for path in (one.cache.folder / "incoming").iterdir()] == []


async def test_a_host_that_lists_chunks_for_ever_is_stopped(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.write_bytes(b"m" * 1000)
    wanted = hashlib.sha256(b"m" * 1000).hexdigest()
    liar = Liar(b"", lines=tuple(b"chunk %d x" % number for number in range(5000)))
    with pytest.raises(StepError) as stopped:
        await push(
            liar,  # type: ignore[arg-type]
            model,
            wanted,
            1000,
            "models/x/model.gguf",
            root="/r",
            generation="1",
            say=lambda *numbers: None,
            clock=SystemClock(),
        )
    assert stopped.value.kind == "too-much-output"


def test_a_crash_is_told_without_control_characters_and_kept_for_us_alone(tmp_path: Path) -> None:
    told = bug(RuntimeError("\x1b]0;x\x07 \ud800"), "h1", tmp_path)
    assert told.what.isprintable()
    assert (tmp_path / "crash.txt").stat().st_mode & 0o077 == 0
