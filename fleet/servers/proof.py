"""What a start proves: where the weights are, what memory it took, and what is less than planned."""

from collections.abc import Iterable, Sequence

from fleet.core.facts import Instance
from fleet.core.plan import size_text
from fleet.core.proof import Expected, Proof
from fleet.models import buffers
from fleet.models.buffers import HOST, Buffers


def proof(
    host: str,
    server: str,
    release: str,
    device: str | None,
    lines: Iterable[str],
    tps: float | None,
    expected: Expected,
    at: float,
) -> Proof:
    """The record of a start that got ready.

    Args:
        device: prefix of the device that must be used; None for the CPU.
        lines: of its log, since it was started.
        tps: tokens/s of its first completion; None where it was not measured.
        at: Unix time.
    """
    found = buffers.read(lines)
    sums = {name: sum(kinds.values()) for name, kinds in found.by_device().items()}
    shortfall, following = _shortfall(host, server, device, found, expected)
    return Proof(
        release=release,
        at=at,
        devices=tuple(sums.items()),
        weights=weights(found),
        kv=_sum(found.kv, found.recurrent),
        compute=_sum(found.compute, found.output),
        layers=found.offloaded if device is not None else None,
        projected=found.projected,
        tps=tps,
        expected=expected,
        shortfall=shortfall,
        next=following,
    )


def weights(found: Buffers) -> tuple[tuple[str, int], ...]:
    """Bytes of the weights on each device, in the order of the log."""
    sums: dict[str, int] = {}
    for one in found.buffers:
        if one.kind == "weights":
            sums[one.device] = sums.get(one.device, 0) + one.bytes
    return tuple(sums.items())


def not_on_device(device: str | None, lines: Sequence[str]) -> str | None:
    """A sentence where all weights are elsewhere than on the device that was asked for.

    `offloaded 19/19 layers` is no proof, the buffers are. A log without buffer lines (cut, or
    another verbosity) proves nothing either way.
    """
    if device is None:
        return None
    places = weights(buffers.read(lines))
    if not places or any(name.startswith(device) and count for name, count in places):
        return None
    return f"not on the GPU: its weights are in {', '.join(_place(name) for name, _ in places)}"


def shortfall(instance: Instance) -> str | None:
    """In what a server that answers is less than was planned; None where nothing is known of it.

    A process that was started again by its supervisor is not proven, so its own log is read: a
    driver that was lost in between shows there.
    """
    if instance.proof is not None:
        return instance.proof.shortfall
    return not_on_device(instance.device, instance.weights)


def mend(host: str) -> str:
    """What to type where a GPU is not used."""
    return f"fleet doctor {host}"


def summary(made: Proof) -> str:
    """`4.4 GiB on CUDA0, 170.0 MiB in main memory (4.5 GiB planned); 61.2 tokens/s (45-70 expected)`."""
    places = ", ".join(
        f"{size_text(count)} {'in main memory' if name == HOST else f'on {name}'}"
        for name, count in made.devices
    )
    expected = made.expected
    planned = "" if expected.bytes is None else f" ({size_text(expected.bytes)} planned)"
    speed = "speed not measured" if made.tps is None else f"{made.tps:.1f} tokens/s"
    if expected.low is not None and expected.high is not None:
        speed += f" ({expected.low:.0f}-{expected.high:.0f} expected)"
    return f"{places or 'memory unknown'}{planned}; {speed}"


def _shortfall(
    host: str, server: str, device: str | None, found: Buffers, expected: Expected
) -> tuple[str | None, str | None]:
    """Layers that are on the CPU although all were to be on the device.

    Source: `offloaded N/M layers` counts the output as one more; that N is smaller than M is true
        even where N itself proves nothing (reference LLAMA_CPP.md 4).
    """
    if device is None or not expected.is_whole or found.offloaded is None:
        return None, None
    here, all_of = found.offloaded
    if here >= all_of:
        return None, None
    left = dict(weights(found)).get(HOST, 0)
    what = f"only {here} of {all_of} layers are on the GPU, {size_text(left)} of the weights in main memory"
    return (
        f"{what}: something else held the device's memory when it started",
        f"fleet restart {server}@{host}",
    )


def _place(name: str) -> str:
    return "main memory" if name == HOST else name


def _sum(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
