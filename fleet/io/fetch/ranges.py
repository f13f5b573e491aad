"""The header of a GGUF file behind http: as much of its beginning as is needed, and no more."""

import asyncio

import httpx

from fleet.core.errors import DeadlineError, PlanError
from fleet.core.plan import size_text
from fleet.core.secret import Secret
from fleet.io.fetch import answers
from fleet.models import gguf

FIRST = 1 << 20  # bytes that are asked for first
DEADLINE = 120.0  # seconds for one header, all requests together
UNKNOWN = 1 << 60  # bytes of a file whose server does not say; no model is so large


def client(idle: float = 20.0, key: Secret | None = None) -> httpx.AsyncClient:
    return answers.client(idle, key)


async def header(
    client: httpx.AsyncClient,
    url: str,
    *,
    deadline: float = DEADLINE,
    first: int = FIRST,
    check: answers.Check = answers.check,
) -> tuple[gguf.Header, int | None]:
    """The header, and the bytes of the whole file where the server says.

    Raises:
        PlanError: not a model, or the server refuses.
        DeadlineError: it took too long.
        FleetError: no connection.
    """
    data, need, total = b"", first, None
    try:
        async with asyncio.timeout(deadline):
            while True:
                data, total = await _more(client, url, data, need, check)
                try:
                    return gguf.header(data, total or UNKNOWN), total
                except gguf.Short as short:
                    if len(data) < need:
                        raise PlanError(
                            f"{answers.shown(url)} ends after {size_text(len(data))}, inside its header",
                            next=f"curl -I {answers.shown(url)}",
                        ) from None
                    need = max(short.need, min(2 * need, gguf.MOST_HEADER))
    except TimeoutError as error:
        raise DeadlineError(
            f"no whole header from {answers.shown(url)} in {deadline:g} s", next="the same command again"
        ) from error
    except httpx.TransportError as error:
        raise answers.broken(url, error) from error


async def _more(
    client: httpx.AsyncClient, url: str, held: bytes, need: int, check: answers.Check
) -> tuple[bytes, int | None]:
    """The first `need` bytes, by asking for those that are not held; and the file's length."""
    asked = {"Range": f"bytes={len(held)}-{need - 1}"}
    async with client.stream("GET", url, headers=asked) as response:
        if response.status_code == 416:
            return held, answers.range_total(response) or len(held)
        check(url, response)
        is_part = response.status_code == 206
        whole = answers.count(response.headers.get("content-length"))
        total = answers.range_total(response) if is_part else whole
        data = bytearray(held if is_part and answers.range_start(response) == len(held) else b"")
        async for piece in response.aiter_raw():
            data += piece
            if len(data) >= need:
                break
    return bytes(data[:need]), total
