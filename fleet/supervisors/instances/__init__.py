"""What a host answered about its servers, as Instances."""

from fleet.core.facts import Instance
from fleet.core.inventory_checks import address
from fleet.core.names import is_name
from fleet.core.proof import parse as parse_proof
from fleet.core.text import safe_line
from fleet.supervisors.base import packaged

STATES = ("running", "starting", "failed", "stopped")
LOG_LINES = 50
SOCKET_MOST = 107  # bytes of a unix socket path, on any system


def script() -> str:
    """Shell functions for the probe: call `fleet_instances`. They need common.sh and $FLEET_ROOT."""
    return packaged("own", "instances")


def parse_instances(text: str) -> tuple[Instance, ...]:
    """The instances in what `fleet_instances` printed, in the order it did.

    A block that was cut off before its `end` is left out: half an answer is no answer. So is
    one whose name no inventory could give: names become paths and commands to type.
    """
    found = []
    values: dict[str, str] = {}
    log: list[str] = []
    weights: list[str] = []
    for line in text.split("\n"):
        key, _, value = line.partition(" ")
        if key == "server":
            values, log, weights = {"server": safe_line(value)}, [], []
        elif key == "log":
            log.append(safe_line(value))
        elif key == "weights":
            weights.append(safe_line(value))
        elif key == "end" and "server" in values:
            if is_name(values["server"]):
                found.append(instance(values, log, weights))
            values, log, weights = {}, [], []
        elif "server" in values:
            values[key] = safe_line(value)
    return tuple(found)


def instance(values: dict[str, str], log: list[str], weights: list[str]) -> Instance:
    state = values.get("state", "")
    return Instance(
        server=values["server"],
        release=values.get("running") or values.get("release"),
        previous=values.get("previous"),
        supervisor=values.get("supervisor", "supervise"),
        state=state if state in STATES else "stopped",
        is_proven=values.get("proven") == "yes",
        held=values.get("held"),
        pid=number(values.get("pid")),
        since=number(values.get("since")),
        restarts=number(values.get("restarts")),
        exit_code=number(values.get("exit")),
        listen=listener(values.get("listen", "")),
        model=values.get("model"),
        backend=values.get("backend"),
        log_tail=tuple(log[-LOG_LINES:]),
        key=values.get("key"),
        boot=values.get("boot"),
        device=values.get("device") or None,
        proof=parse_proof(values.get("proof", "")),
        weights=tuple(weights[-LOG_LINES:]),
    )


def listener(text: str) -> str | None:
    """A socket's path or ADDRESS:PORT; None where it is neither."""
    if text.startswith("/"):
        return text if len(text.encode()) <= SOCKET_MOST else None
    try:
        address(text)
    except ValueError:
        return None
    return text


def number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) < 16 else None
