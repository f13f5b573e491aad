"""Long conversations with one host: logs, a streamed completion, a forwarded port."""

import asyncio
import json
import math
from typing import Any

from fleet.core.errors import FleetError, StepError
from fleet.core.events import Notice
from fleet.core.flow import Tail
from fleet.core.talks import Complete, Completion, Forward
from fleet.core.text import safe_line, safe_text
from fleet.io.http import stream_lines
from fleet.io.ports import Stream
from fleet.io.shelltext import placed
from fleet.io.world import World
from fleet.platforms.base import program

IDLE = 120.0  # seconds without a byte of an answer; llama-server pings every 30
LONGEST = 3600.0  # seconds for one answer
PIECE = 1 << 16  # bytes
LINES = 1_000_000  # of a log, unless it is followed
TEXT = 16 << 20  # characters of one answer
MOST = 2**53  # of any number a server tells


async def tail(world: World, need: Tail) -> tuple[str, ...]:
    """Lines of a log, printed as they come when followed, else returned."""
    lines: list[str] = []

    beat = world.random.token(8)  # a line that shows that somebody reads, and is not shown

    def line(raw: bytes) -> None:
        if raw.endswith(beat.encode()):
            raw = raw.removesuffix(beat.encode())
            if not raw:
                return
        text = safe_text(raw, 8192)
        if need.follow and need.noise is not None and need.noise in text:
            return
        if need.follow:
            world.door.print(text)
        elif len(lines) < LINES:
            lines.append(text)
        else:
            raise StepError(f"more than {LINES} lines came", kind="too-much-output", next="fewer --lines")

    transport = await world.transport(need.host)
    deadline = math.inf if need.follow else need.deadline
    script = placed(program(need.script, FLEET_BEAT=beat), world.root(need.host))
    answer = await transport.run(script, deadline=deadline, on_line=line, cap=1 << 26)
    if answer.status:
        raise StepError(
            safe_line(answer.err) or f"reading the log ended with {answer.status}", host=need.host
        )
    return tuple(lines)


async def complete(world: World, need: Complete) -> Completion:
    """One streamed answer; its text is printed piece by piece.

    Raises:
        StepError: the server refused; its own message is told.
        DeadlineError: nothing came for two minutes.
    """
    transport = await world.transport(need.host)
    key = await world.key(need.host, need.server)
    body: dict[str, object] = {
        "messages": [{"role": role, "content": content} for role, content in need.messages],
        "max_tokens": need.max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
        "timings_per_token": False,
    }
    if need.temperature is not None:
        body["temperature"] = need.temperature
    started = world.clock.monotonic()
    first: float | None = None
    text: list[str] = []
    length = 0
    timings: dict[str, Any] = {}
    finish: str | None = None
    async for line in stream_lines(
        transport,
        need.listen,
        "POST",
        "/v1/chat/completions",
        key=key,
        body=json.dumps(body).encode(),
        idle=IDLE,
        deadline=LONGEST,
    ):
        if not line.startswith(b"data: ") or line == b"data: [DONE]":
            continue
        chunk = _chunk(line[6:])
        timings = _table(chunk.get("timings")) or timings
        if refusal := _table(chunk.get("error")):
            raise StepError(safe_line(str(refusal.get("message", "the server refused")), 500))
        choices = chunk.get("choices")
        for choice in map(_table, choices if isinstance(choices, list) else ()):
            delta = _table(choice.get("delta"))
            piece = safe_text(str(delta.get("content") or delta.get("reasoning_content") or ""))
            finish = safe_line(str(choice.get("finish_reason") or ""), 40) or finish
            if piece:
                first = first if first is not None else world.clock.monotonic() - started
                text.append(piece)
                length += len(piece)
                if not need.is_quiet:
                    world.door.print(piece, "")
        if length > TEXT:
            raise StepError(f"its answer has more than {TEXT} characters", kind="too-much-output")
    return Completion(
        text="".join(text),
        tokens=_integer(timings.get("predicted_n")),
        generation_tps=_number(timings.get("predicted_per_second")),
        prompt_tps=_number(timings.get("prompt_per_second")),
        ttft=first,
        finish=finish,
    )


async def forward(world: World, need: Forward) -> None:
    """127.0.0.1:port here to a server there, until cancelled."""
    pumps: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        pumps.add(task)
        try:
            transport = await world.transport(need.host)
            stream = await transport.open(need.listen, deadline=10)
            try:
                await _pump(reader, writer, stream)
            finally:
                await stream.close()
        except (FleetError, OSError) as error:
            world.say(
                Notice(
                    ts=world.clock.now(),
                    run=world.run,
                    host=need.host,
                    message=f"a connection failed: {error}",
                )
            )
        finally:
            writer.close()
            pumps.discard(task)

    try:
        server = await asyncio.start_server(serve, "127.0.0.1", need.port)
    except OSError as error:
        raise StepError(
            f"cannot listen on 127.0.0.1:{need.port}: {error.strerror}",
            next=f"fleet forward {need.server}@{need.host} 0",
        ) from error
    port = server.sockets[0].getsockname()[1]
    await world.key(need.host, need.server)
    # Before the URL: whoever reads that line looks for the key next.
    key_file = _key_file(world, need)
    world.door.print(f"http://127.0.0.1:{port}/v1")
    world.say(
        Notice(
            ts=world.clock.now(),
            run=world.run,
            host=need.host,
            message=f"{need.server} is at 127.0.0.1:{port} until ctrl+c; its key: {key_file}",
        )
    )
    async with server:
        await server.serve_forever()


def _key_file(world: World, need: Forward) -> str:
    """The key in a 0600 file of ours, so that it is never on a screen or a command line."""
    path = world.folders.state / "keys" / f"{need.server}@{need.host}"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(world.keys[need.host, need.server].reveal() + "\n")
    return str(path)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: Stream) -> None:
    async def up() -> None:
        while data := await reader.read(PIECE):
            await stream.write(data)

    async def down() -> None:
        while data := await stream.read(PIECE):
            writer.write(data)
            await writer.drain()

    tasks = {asyncio.create_task(up()), asyncio.create_task(down())}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _chunk(data: bytes) -> dict[str, Any]:
    try:
        return _table(json.loads(data))
    except (ValueError, RecursionError):
        return {}


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value < MOST else None


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and 0 <= value < MOST else None
