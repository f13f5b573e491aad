"""The arguments of a llama-server, every one written out."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fleet.backends.base import BACKENDS
from fleet.core.errors import PlanError
from fleet.core.facts import Facts
from fleet.servers.flags import judge, translate

if TYPE_CHECKING:
    from fleet.core.inventory import Server

GIB = 2**30
SOCKET_PORT = "8080"  # ignored for a socket, but llama-server refuses 0 there
PARALLEL = 4  # llama-server's own default, with a cache that all slots share
CACHE_SHARE = 16  # of the host's memory one part in so many is lent to cached prompts
CACHE_MOST = 2048  # MiB; llama-server's default of 8192 is more than a laptop can lend
KINDS: dict[str, tuple[str, ...]] = {"chat": (), "embedding": ("--embedding",), "rerank": ("--rerank",)}


def argv(
    server: str,
    wish: "Server",
    model_path: str,
    listen: str,
    key_path: str,
    facts: Facts,
    backend: str,
) -> tuple[str, ...]:
    """Everything after the program's name.

    Args:
        listen: an absolute socket path or ADDRESS:PORT.
        key_path: the API key file on the host; the key itself is never an argument.
        backend: what the build computes with.

    Raises:
        PlanError: a flag of `args` that is refused, or a kind that is not known.
    """
    errors = judge(wish.args)
    if errors:
        raise PlanError(
            f"server {server}: {errors[0]}", next=f"edit [servers.{server}.args] in inventory.toml"
        )
    if wish.kind not in KINDS:
        raise PlanError(f"server {server}: no kind called {wish.kind!r}", next=f"one of: {', '.join(KINDS)}")
    host, port = address(listen)
    extra, _ = translate(wish.args)
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
        "no-webui": True,
        "log-verbosity": 4,  # at the default of 3 nothing tells which device is used
        "log-colors": "off",
        "fit": "on",
        "cache-ram": cache_ram(facts),
    }
    if wish.context is not None:
        own["ctx-size"] = wish.context
    own["parallel"] = wish.parallel or PARALLEL
    if wish.parallel is None:
        own["kv-unified"] = True
    if wish.kv_type is not None:
        own |= {"cache-type-k": wish.kv_type, "cache-type-v": wish.kv_type}
    own |= compute(wish.devices, facts, backend)
    if "ui" in extra or "webui" in extra or "no-ui" in extra:
        del own["no-webui"]
    return (*words(own | extra), *KINDS[wish.kind])


def address(listen: str) -> tuple[str, str]:
    """Host and port as llama-server takes them."""
    if listen.startswith("/"):
        return listen, SOCKET_PORT
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), port


def compute(devices: str | None, facts: Facts, backend: str) -> dict[str, object]:
    """Which devices, layers and threads.

    A named device that is not there ends the start with `invalid device`, where an unnamed
    one would mean a silent fall back to the CPU.
    """
    found: dict[str, object] = {"device": devices or device_names(facts, backend)}
    if device(backend) is not None:
        found["gpu-layers"] = "auto"  # all that fit, as --fit finds
    threads = facts.cpu.cores_performance
    if threads:
        found["threads"] = threads
    return found


def device_names(facts: Facts, backend: str) -> str:
    """`CUDA0,CUDA1`, or `none` for the CPU."""
    prefix = device(backend)
    if prefix is None:
        return "none"
    count = sum(1 for gpu in facts.gpus if gpu.api == backend) or 1
    return ",".join(f"{prefix}{number}" for number in range(count))


def device(backend: str) -> str | None:
    """The prefix that a device of this backend has; None for the CPU."""
    return BACKENDS.take(backend).device


def cache_ram(facts: Facts) -> int:
    """MiB of host memory for cached prompts: a sixteenth of it, at most 2048, 0 where unknown."""
    if facts.memory.total is None:
        return 0
    whole = round(facts.memory.total / GIB)  # so that the kernel's share changes nothing
    return min(CACHE_MOST, whole * 1024 // CACHE_SHARE)


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
