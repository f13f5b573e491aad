"""Asking one server the same question again and again, cheaply."""

import contextlib

import h11

from fleet.core.errors import FleetError, StepError, UnreachableError
from fleet.core.secret import Secret
from fleet.core.text import safe_line
from fleet.io.ports import Stream, Transport
from fleet.io.process import within

PIECE = 64 << 10  # bytes read at once
OPEN = 5.0  # seconds to reach the server's socket


class Poller:
    """One kept-alive channel to one server; it is opened anew when it was closed.

    Not for two questions at once.
    """

    def __init__(
        self,
        transport: Transport,
        listen: str,
        *,
        key: Secret | None = None,
        deadline: float = 5.0,
        cap: int = 1 << 20,
    ) -> None:
        self._transport = transport
        self._listen = listen
        self._deadline = deadline
        self._cap = cap
        self._headers = [("Host", "localhost"), ("Accept", "application/json")]
        if key is not None:
            self._headers.append(("Authorization", f"Bearer {key.reveal()}"))
        self._stream: Stream | None = None
        self._http = h11.Connection(h11.CLIENT)

    async def get(self, path: str) -> tuple[int, bytes]:
        """Status and body.

        Raises:
            StepError: nothing listens there, or it does not speak HTTP.
            UnreachableError: the connection to the host is lost.
            DeadlineError: no whole answer in time.
        """
        is_used = self._stream is not None
        try:
            async with within(self._deadline):
                try:
                    return await self._ask(path)
                except (StepError, UnreachableError) as error:
                    await self.close()
                    # A server may close a channel that it was not asked on for a while.
                    if not is_used or error.kind not in ("http", "link-lost"):
                        raise
                    return await self._ask(path)
        except FleetError:
            await self.close()
            raise

    async def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            with contextlib.suppress(FleetError):
                await stream.close()

    async def _ask(self, path: str) -> tuple[int, bytes]:
        if self._stream is None:
            self._stream = await self._transport.open(self._listen, deadline=OPEN)
            self._http = h11.Connection(h11.CLIENT)
        try:
            question = h11.Request(method="GET", target=path, headers=self._headers)
            await self._stream.write(self._http.send(question) + self._http.send(h11.EndOfMessage()))
            answer = await self._answer(self._stream)
            if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
                self._http.start_next_cycle()
            else:
                await self.close()
        except h11.ProtocolError as error:
            raise StepError(
                f"what listens on {self._listen} does not answer in HTTP: {safe_line(str(error), 200)}",
                kind="http",
                next="fleet status",
            ) from error
        return answer

    async def _answer(self, stream: Stream) -> tuple[int, bytes]:
        status, body = 0, bytearray()
        while True:
            match self._http.next_event():
                case h11.NEED_DATA:
                    self._http.receive_data(await stream.read(PIECE))
                case h11.Response(status_code=code):
                    status = code
                case h11.Data(data=data):
                    body += data
                    if len(body) > self._cap:
                        raise StepError(
                            f"the answer is larger than {self._cap} bytes", kind="too-much-output"
                        )
                case h11.EndOfMessage():
                    return status, bytes(body)
                case h11.ConnectionClosed() | h11.PAUSED:
                    raise h11.RemoteProtocolError("it closed the connection without an answer")
                case _:
                    pass  # 100 Continue and its like
