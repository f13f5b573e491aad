"""Open a server on this machine's loopback, for any OpenAI client."""

import re
from typing import TYPE_CHECKING

from fleet.commands.base import Option, Request, Verb
from fleet.commands.chat import running
from fleet.core.errors import UsageError
from fleet.core.flow import Flow, probe
from fleet.core.talks import Forward

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


def forward(request: Request, inventory: "Inventory", host: str) -> Flow[None]:
    """127.0.0.1 here to the server there, until interrupted; the base URL is printed."""
    port = _port(request["port"])
    found = yield from probe(host)
    instance = running(found, request.servers, host)
    yield Forward(host, instance.server, str(instance.listen), port)


def _port(text: object) -> int:
    """The port; 0 lets the system choose.

    Raises:
        UsageError: not a number from 0 to 65535.
    """
    if text is None:
        return 0
    if not re.fullmatch("[0-9]{1,5}", str(text)) or int(str(text)) > 65535:
        raise UsageError(
            f"{text!r} is not a port", next="a number from 1 to 65535; 0 or nothing takes a free one"
        )
    return int(str(text))


verb = Verb(
    help="Open a server at 127.0.0.1 here and print its OpenAI base URL.",
    level=0,
    flow=forward,
    selects="server",
    options=(Option("PORT", "port on this machine; a free one without it"),),
)
