"""HTTP to a server on a host, through the connection that is already there.

No local port is opened: each HTTP connection is a channel to the server's socket.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpcore

from fleet.core.errors import DeadlineError, StepError
from fleet.core.secret import Secret
from fleet.core.text import safe_line
from fleet.io.ports import Stream, Transport
from fleet.io.process import within

OPEN = 10.0  # seconds to reach the server's socket


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes
    headers: Mapping[str, str]  # names in lower case


async def request(
    transport: Transport,
    listen: str,
    method: str,
    path: str,
    *,
    key: Secret | None = None,
    body: bytes | None = None,
    deadline: float,
    cap: int = 1 << 20,
) -> Response:
    """One request on a connection of its own.

    Args:
        listen: `ADDRESS:PORT` or the path of a unix socket, on the host.
        body: JSON, already rendered.
        deadline: seconds for all of it, however slowly bytes drip.
        cap: bytes of the answer's body; more is an error of kind "too-much-output".
    """
    async with within(deadline), _answering(transport, listen, method, path, key, body) as answer:
        return Response(answer.status, await _whole(answer, cap), _headers(answer))


async def stream_lines(
    transport: Transport,
    listen: str,
    method: str,
    path: str,
    *,
    key: Secret | None = None,
    body: bytes | None = None,
    idle: float,
    deadline: float,
    cap: int = 1 << 20,
) -> AsyncIterator[bytes]:
    """The lines of an answer as they come, without their line ends: SSE of a completion.

    Args:
        idle: seconds without a byte.
        deadline: seconds for all of it.
        cap: bytes of one line.

    Raises:
        StepError: of kind "http" where the status is not 2xx; the server's words are told.
        DeadlineError: by which of the two, is said.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline
    async with contextlib.AsyncExitStack() as stack:
        # However its head drips, and whether or not it takes what we send.
        async with within(min(idle, deadline)):
            answer = await stack.enter_async_context(_answering(transport, listen, method, path, key, body))
        if not 200 <= answer.status < 300:
            async with within(min(idle, deadline)):
                said = safe_line(await _whole(answer, 1 << 16), 400)
            raise StepError(
                f"{method} {path} answered {answer.status}: {said}", kind="http", next="fleet status"
            )
        buffer = bytearray()
        chunks = answer.aiter_stream().__aiter__()
        while (chunk := await _next(chunks, idle, end - loop.time())) is not None:
            buffer += chunk
            *lines, rest = bytes(buffer).split(b"\n")
            buffer = bytearray(rest)
            for line in lines:
                yield line.removesuffix(b"\r")
            if len(buffer) > cap:
                raise StepError(f"{path} sent a line of more than {cap} bytes", kind="too-much-output")
        if buffer:
            yield bytes(buffer)


async def _next(chunks: AsyncIterator[bytes], idle: float, left: float) -> bytes | None:
    try:
        async with asyncio.timeout(max(0.0, min(idle, left))):
            return await anext(chunks, None)
    except TimeoutError as error:
        what = f"no byte for {idle:g} s" if idle < left else "no end within its time"
        raise DeadlineError(f"the server's answer: {what}", next="fleet status") from error


@asynccontextmanager
async def _answering(
    transport: Transport,
    listen: str,
    method: str,
    path: str,
    key: Secret | None,
    body: bytes | None,
) -> AsyncIterator[httpcore.Response]:
    headers: dict[bytes | str, bytes | str] = {"Host": "localhost", "Connection": "close", "Accept": "*/*"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key.reveal()}"
    if body is not None:
        headers["Content-Type"] = "application/json"
    async with httpcore.AsyncConnectionPool(network_backend=Channels(transport, listen)) as pool:
        try:
            async with pool.stream(
                method, f"http://localhost{path}", headers=headers, content=body
            ) as answer:
                yield answer
        except (httpcore.ProtocolError, httpcore.NetworkError) as error:
            reason = safe_line(str(error), 200) or type(error).__name__
            raise StepError(
                f"what listens on {listen} does not answer in HTTP: {reason}",
                kind="http",
                next="fleet status",
            ) from error
        except httpcore.TimeoutException as error:
            raise DeadlineError(f"no answer to {method} {path}", next="fleet status") from error


async def _whole(answer: httpcore.Response, cap: int) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_stream():
        body += chunk
        if len(body) > cap:
            raise StepError(
                f"the answer is larger than {cap} bytes", kind="too-much-output", next="fleet status"
            )
    return bytes(body)


def _headers(answer: httpcore.Response) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}


class Channels(httpcore.AsyncNetworkBackend):
    """Connects to one place on one host, whatever the URL says."""

    def __init__(self, transport: Transport, listen: str) -> None:
        self._transport = transport
        self._listen = listen

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.AsyncNetworkStream:
        return Channel(await self._transport.open(self._listen, deadline=timeout or OPEN))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Channel(httpcore.AsyncNetworkStream):
    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            async with asyncio.timeout(timeout):
                return await self._stream.read(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer:
            await self._stream.write(buffer)

    async def aclose(self) -> None:
        await self._stream.close()
