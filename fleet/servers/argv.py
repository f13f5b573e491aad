"""The arguments of a llama-server, every one written out, in the words of that very program."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fleet.core.errors import PlanError
from fleet.core.plan import Choice
from fleet.servers.capabilities import Capabilities
from fleet.servers.dialect import can_use_socket, speak
from fleet.servers.flags import judge, translate
from fleet.servers.settings import flags as chosen

if TYPE_CHECKING:
    from fleet.core.inventory import Server

SOCKET_PORT = "8080"  # ignored for a socket, but llama-server refuses 0 there
KINDS: dict[str, dict[str, object]] = {
    "chat": {},
    "embedding": {"embedding": True},
    "rerank": {"rerank": True},
}


def argv(
    server: str,
    wish: "Server",
    model_path: str,
    listen: str,
    key_path: str,
    choices: tuple[Choice, ...],
    known: Capabilities | None = None,
    backend_arguments: tuple[str, ...] = (),
    companions: Mapping[str, object] | None = None,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Everything after the program's name, and sentences about what was changed in it.

    Args:
        listen: an absolute socket path or ADDRESS:PORT.
        key_path: the API key file on the host; the key itself is never an argument.
        choices: what fleet recommends, see settings.recommend.
        known: the program that will take them; None is taken for one of today.
        backend_arguments: what the build's backend needs, as words: `--rpc HOST:PORT`.
        companions: flags of what is served with the model, see companions.flags.

    Raises:
        PlanError: a flag of `args` that is refused, a kind that is not known, or a socket for a
            program that cannot listen on one.
    """
    errors = judge(wish.args)
    if errors:
        raise PlanError(
            f"server {server}: {errors[0]}", next=f"edit [servers.{server}.args] in inventory.toml"
        )
    if wish.kind not in KINDS:
        raise PlanError(f"server {server}: no kind called {wish.kind!r}", next=f"one of: {', '.join(KINDS)}")
    if listen.startswith("/") and not can_use_socket(known):
        raise PlanError(
            f"server {server}: this build of llama.cpp cannot listen on a socket",
            next=f'set listen = "127.0.0.1:8080" in [servers.{server}], or a newer ref in [llama_cpp]',
        )
    host, port = address(listen)
    extra, said = translate(wish.args)
    own: dict[str, object] = {
        "model": model_path,
        "alias": wish.model,
        "host": host,
        "port": port,
        "api-key-file": key_path,
        "cors-origins": "localhost",
        "no-cors-credentials": True,
        "metrics": True,
        "slots": True,
        "no-ui": True,
        # At the default of 3 nothing tells which device is used. JSON lines would go to standard
        # output, and say no more than these lines do, which every build prints alike.
        "log-verbosity": 4,
        "log-colors": "off",
        "fit": "on",
    }
    own |= chosen(choices) | KINDS[wish.kind] | dict(companions or {})
    if "ui" in extra or "no-ui" in extra:
        del own["no-ui"]
    ours, left = speak({k: v for k, v in own.items() if k not in extra}, known, is_own=True)
    theirs, changed = speak(extra, known, is_own=False)
    # devices that another machine lends are known only after the words that name it
    return (*backend_arguments, *words(ours | theirs)), (*said, *left, *changed)


def address(listen: str) -> tuple[str, str]:
    """Host and port as llama-server takes them."""
    if listen.startswith("/"):
        return listen, SOCKET_PORT
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), port


def words(flags: Mapping[str, object]) -> tuple[str, ...]:
    """Flags as arguments: True bare, False as its no- form, a list joined by commas.

    llama-server takes only the last of a repeated flag, so a list is never repeated.
    """
    found: list[str] = []
    for name, value in flags.items():
        if value is True:
            found.append(f"--{name}")
        elif value is False:
            found.append(f"--no-{name}")
        elif isinstance(value, Sequence) and not isinstance(value, str):
            found += (f"--{name}", ",".join(str(item) for item in value))
        else:
            found += (f"--{name}", str(value))
    return tuple(found)


def listen_error(listen: str, private_networks: Sequence[str], args: Mapping[str, object]) -> str | None:
    """Why a server may not listen there; None where it may.

    Outside loopback an address must lie in `private_networks`, or have TLS (both of its flags:
    with one of the two llama-server would speak plain HTTP without a word).
    """
    tls = {"ssl-key-file", "ssl-cert-file"} & set(translate(args)[0])
    if len(tls) == 1:
        return "ssl-key-file and ssl-cert-file belong together: one alone means plain HTTP"
    if listen == "socket":
        return None
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdecimal() or not 1 <= int(port) <= 65535:
        return f'listen = "{listen}": must be "socket" or "ADDRESS:PORT"'
    try:
        place = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]"))
    except ValueError:
        return f'listen = "{listen}": {host or "nothing"} is not an IP address'
    networks = [ipaddress.ip_network(network, strict=False) for network in private_networks]
    if place.is_loopback or tls or any(place in network for network in networks if not place.is_unspecified):
        return None
    return f'listen = "{listen}": {place} is neither loopback nor in private_networks, and has no TLS'
