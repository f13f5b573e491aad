"""What a schema cannot say about an inventory: names that must exist, addresses that must be private."""

import ipaddress
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet.core.errors import InventoryError, UsageError
from fleet.core.inventory_words import LOCKED
from fleet.core.names import nearest
from fleet.core.selectors import declared
from fleet.core.text import safe_line

if TYPE_CHECKING:
    from fleet.core.inventory import Host, LlamaCpp, Model, Server

Judge = Callable[[Mapping[str, Any]], Sequence[str]]  # sentences about llama-server flags

Options = Callable[["Host"], Sequence[str]]  # sentences about CMake options

SHOWN = 40  # problems printed; more are counted
PINNED = ("archive", "sdist", "prebuilt")  # trees that a hash must name
TLS = ("ssl-key-file", "ssl-cert-file")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the file. `place` is a dotted key, empty for the file itself."""

    place: str
    what: str
    next: str | None = None

    def line(self, path: str) -> str:
        return ": ".join(part for part in (path, safe_line(self.place, 120), safe_line(self.what)) if part)


def error(problems: Sequence[Problem], path: str) -> InventoryError:
    """All problems of a file as one error. The remedy of a single one becomes its `next`."""
    if len(problems) == 1:
        only = problems[0]
        return InventoryError(only.line(path), next=only.next or "fleet config show")
    lines = []
    for problem in problems[:SHOWN]:
        lines.append(problem.line(path) + (f" ({problem.next})" if problem.next else ""))
    if len(problems) > SHOWN:
        lines.append(f"{path}: and {len(problems) - SHOWN} more")
    return InventoryError("\n".join(lines), next="fleet config show")


def llama_cpp(value: "LlamaCpp") -> Iterator[Problem]:
    kind, _, rest = value.source.partition(":")
    if kind in PINNED and value.sha256 is None and not (kind == "prebuilt" and value.assets):
        yield Problem(
            "llama_cpp.sha256", f"required for {kind}: sources", "set sha256 to the hash of that file"
        )
    if kind != "prebuilt" and value.assets:
        yield Problem("llama_cpp.assets", f"only prebuilt: has assets, this one is {kind}:", "remove assets")
    if kind != "git" and value.ref is not None:
        yield Problem("llama_cpp.ref", f"only git: sources have a ref, this one is {kind}:", "remove ref")
    if kind == "git" and "::" in rest:
        yield Problem("llama_cpp.source", "transport helpers of git are refused", "use https:// or ssh://")


def host(name: str, value: "Host") -> Iterator[Problem]:
    place = f"hosts.{name}"
    ways = [key for key in ("address", "ssh") if getattr(value, key) is not None]
    if value.transport == "local":
        ways.append('transport = "local"')
    if len(ways) > 1:
        yield Problem(place, f"{' and '.join(ways)} exclude each other", "keep one of them")
    elif not ways:
        yield Problem(
            place, "no way to reach it", f'set {place}.address, {place}.ssh or {place}.transport = "local"'
        )
    if value.pull and value.quiet_hours is not None:
        what = "a host that pulls keeps limit_rate, but no quiet_hours"
        yield Problem(
            f"{place}.pull", what, f"set {place}.pull = false, or limit_rate in place of quiet_hours"
        )


def build(name: str, value: "Host", networks: Sequence[str], options: Options) -> Iterator[Problem]:
    """What is wrong with how llama.cpp is to be built for a host, and whose devices it is to use."""
    place = f"hosts.{name}"
    for key, setting in value.cmake.items():
        for what in _argument(key, setting, "name of a CMake option"):
            yield Problem(f"{place}.cmake.{key}", what)
    for sentence in options(value):
        what, _, following = sentence.partition(" -> ")
        yield Problem(f"{place}.cmake", what, following or None)
    if value.backend == "rpc" and not value.rpc:
        yield Problem(f"{place}.rpc", 'required for backend = "rpc"', 'rpc = ["127.0.0.1:50052"]')
    elif value.rpc and value.backend != "rpc":
        yield Problem(f"{place}.rpc", "used by no other backend", f'set {place}.backend = "rpc"')
    for each in value.rpc:
        yield from _lender(f"{place}.rpc", each, networks)


def model(name: str, value: "Model", models: Iterable[str]) -> Iterator[Problem]:
    place = f"models.{name}"
    is_locked = value.source.startswith(LOCKED)
    is_pinned = value.sha256 is not None or value.parts or is_locked
    if not is_pinned and not value.allow_unpinned:
        yield Problem(f"{place}.sha256", "required", f"allow_unpinned = true, then fleet models pin {name}")
    if value.sha256 is not None and value.parts:
        yield Problem(f"{place}.parts", "sha256 and parts exclude each other", "keep parts for several files")
    elif len(value.parts) == 1:
        yield Problem(f"{place}.parts", "a model of one file has a sha256", f'sha256 = "{value.parts[0]}"')
    for key, other in value.companions:
        if other == name:
            yield Problem(f"{place}.{key}", "a model cannot be served with itself", f"remove {key}")
        elif other not in models:
            yield Problem(f"{place}.{key}", f"no model called {other!r}", _one_of(other, models))


def server(
    name: str,
    value: "Server",
    hosts: Mapping[str, Sequence[str]],
    models: Iterable[str],
    networks: Sequence[str],
    judge: Judge,
) -> Iterator[Problem]:
    """What is wrong with one server.

    Args:
        hosts: tags of every host in the file, of those with problems too.
        models: names in the file.
        networks: private_networks.
        judge: says what is wrong with llama-server flags.
    """
    place = f"servers.{name}"
    if value.model not in models:
        yield Problem(f"{place}.model", f"no model called {value.model!r}", _one_of(value.model, models))
    try:
        declared(value.on, hosts)
    except UsageError as wrong:
        yield Problem(f"{place}.on", wrong.what, wrong.next)
    yield from _listen(f"{place}.listen", value, networks)
    for key, setting in value.args.items():
        for what in _argument(key, setting):
            yield Problem(f"{place}.args.{key}", what)
    for sentence in judge(value.args):
        yield Problem(f"{place}.args", sentence)


def crowded(servers: Mapping[str, "Server"], on: Callable[[str], Iterable[str]]) -> Iterator[Problem]:
    """Two servers that would listen at one address of one host. `on` gives the hosts of a server."""
    taken: dict[tuple[str, str], str] = {}
    for name, value in servers.items():
        if value.listen == "socket":
            continue
        for place in on(name):
            other = taken.setdefault((place, value.listen), name)
            if other != name:
                what = f"{value.listen} on {place} is taken by servers.{other}"
                yield Problem(f"servers.{name}.listen", what, "choose another port")
                break


def address(listen: str) -> tuple[str, int]:
    """`ADDRESS:PORT` or `[IPv6]:PORT` in parts.

    Raises:
        ValueError: it is neither.
    """
    left, _, right = listen.rpartition(":")
    left = left.removeprefix("[").removesuffix("]") if left.startswith("[") else left
    if not left or not right.isascii() or not right.isdigit() or not 1 <= int(right[:6]) <= 65535:
        raise ValueError
    return ("127.0.0.1" if left == "localhost" else str(ipaddress.ip_address(left))), int(right)


def _listen(place: str, value: "Server", networks: Sequence[str]) -> Iterator[Problem]:
    if value.listen == "socket":
        return
    try:
        where = ipaddress.ip_address(address(value.listen)[0])
    except ValueError:
        yield Problem(place, 'should be "socket" or "ADDRESS:PORT" with an IP address', 'set it to "socket"')
        return
    is_private = _is_in(where, networks)
    has_tls = all(value.args.get(key) for key in TLS)
    if not (where.is_loopback or is_private or has_tls):
        what = f"{where} is neither loopback nor in private_networks, and there is no TLS"
        yield Problem(place, what, f"defaults.private_networks, or args {' and '.join(TLS)}")


def _lender(place: str, each: str, networks: Sequence[str]) -> Iterator[Problem]:
    """RPC knows neither password nor encryption: whoever reaches the port owns the process behind it."""
    try:
        where = ipaddress.ip_address(address(each)[0])
    except ValueError:
        what = f'{each!r} should be "ADDRESS:PORT" with an IP address'
        yield Problem(place, what, 'rpc = ["127.0.0.1:50052"]')
        return
    if where.is_unspecified or not (where.is_loopback or _is_in(where, networks)):
        what = f"{where} is neither loopback nor in private_networks, and RPC has no password"
        yield Problem(place, what, "add its network to defaults.private_networks, if nobody else is in it")


def in_networks(where: str, networks: Sequence[str]) -> bool | None:
    """Whether an address lies in one of the networks; None where it is a name."""
    try:
        return _is_in(ipaddress.ip_address(where), networks)
    except ValueError:
        return None


def _is_in(where: ipaddress.IPv4Address | ipaddress.IPv6Address, networks: Sequence[str]) -> bool:
    return any(where in ipaddress.ip_network(network, strict=False) for network in networks)


def _argument(key: str, setting: Any, word: str = "long name of a llama-server flag") -> Iterator[str]:
    if not key.isprintable() or not key or len(key) > 100:
        yield f"should be the {word}"
    values = setting if isinstance(setting, (list, tuple)) else [setting]
    for value in values:
        if not isinstance(value, (str, int, float, bool)):
            yield "should be a text, number, truth value or a list of those"
        elif isinstance(value, str) and (not value.isprintable() or len(value) > 4096):
            yield "should be a line of text without control characters"
        elif isinstance(value, float) and not math.isfinite(value):
            yield "should be a finite number"
        elif isinstance(value, int) and abs(value) >= 2**63:
            yield "should fit in 64 bits"


def _one_of(text: str, known: Iterable[str]) -> str:
    names = nearest(text, known)
    return f"one of: {', '.join(names)}" if names else f'add [models."{safe_line(text, 64)}"]'
