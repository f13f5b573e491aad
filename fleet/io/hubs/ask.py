"""One bounded question to a hub or a registry."""

import asyncio

import httpx

from fleet.core.errors import DeadlineError, FleetError
from fleet.core.secret import Secret
from fleet.io.fetch import answers


async def ask(
    url: str, *, deadline: float, cap: int, setting: str, key: Secret | None = None, accept: str = "*/*"
) -> tuple[httpx.Response, bytes]:
    """The answer and its body.

    Args:
        cap: bytes of the body.
        setting: where a person names the server, for messages.

    Raises:
        DeadlineError: it did not come in time.
        FleetError: no connection, too much of an answer, or a way that leads nowhere.
    """
    body, host = bytearray(), answers.host(url)
    try:
        async with (
            asyncio.timeout(deadline),
            answers.client(deadline, key) as client,
            client.stream("GET", url, headers={"Accept": accept}) as response,
        ):
            if url.startswith("https:") and response.url.scheme != "https":
                raise FleetError(
                    f"{host} sends us to {response.url.host} without https", next=f"look at {setting}"
                )
            async for data in response.aiter_raw():
                body += data
                if len(body) > cap:
                    raise FleetError(
                        f"{host} answers with more than {cap >> 20} MiB",
                        kind="too-much-output",
                        next='source = "url:…" of the file, with its sha256',
                    )
            return response, bytes(body)
    except (TimeoutError, httpx.TimeoutException) as error:
        raise DeadlineError(
            f"no answer from {host} in {deadline:g} s", next="the same command again"
        ) from error
    except httpx.TransportError as error:
        raise answers.broken(url, error) from error
    except (httpx.TooManyRedirects, httpx.InvalidURL) as error:
        raise FleetError(f"{host} sends us in circles", next=f"look at {setting}") from error
