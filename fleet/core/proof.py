"""What a start was expected to show, and what it showed: kept on the host beside the service."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from fleet.core.text import safe_line

LONGEST = 4000  # characters of a proof as text
MOST_DEVICES = 64
MOST = 2**60  # of any count of bytes, and of any other number


@dataclass(frozen=True, slots=True)
class Expected:
    """What the plan says about a server before it starts; None where nobody could tell.

    Attributes:
        bytes: weights, context and buffers, over all devices.
        is_whole: every layer was to be on the devices.
        tps: tokens/s of one conversation, between low and high.
    """

    bytes: int | None = None
    is_whole: bool | None = None
    tps: float | None = None
    low: float | None = None
    high: float | None = None


NOTHING = Expected()


@dataclass(frozen=True, slots=True)
class Proof:
    """What a llama-server really did when it had started.

    Attributes:
        at: Unix time on the controller.
        devices: bytes of all buffers on each device; `host` is main memory.
        weights: bytes of the weights on each.
        kv, compute: bytes over all devices.
        layers: how many are on devices, of how many; None on the CPU.
        projected: bytes that llama.cpp itself expected.
        tps: tokens/s of one short completion; None where it was not measured.
        shortfall: in what it is less than planned, for people; None where it is as planned.
        next: what to type against the shortfall.
    """

    release: str
    at: float
    devices: tuple[tuple[str, int], ...]
    weights: tuple[tuple[str, int], ...]
    kv: int | None
    compute: int | None
    layers: tuple[int, int] | None
    projected: int | None
    tps: float | None
    expected: Expected
    shortfall: str | None = None
    next: str | None = None

    @property
    def bytes(self) -> int | None:
        """Over all devices; None where the log said nothing."""
        return sum(count for _, count in self.devices) if self.devices else None

    @property
    def memory_error(self) -> float | None:
        """By how much the plan's bytes are off, as a share of what it took."""
        if not self.bytes or self.expected.bytes is None:
            return None
        return (self.expected.bytes - self.bytes) / self.bytes

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "at": self.at,
            "devices": dict(self.devices),
            "weights": dict(self.weights),
            "kv": self.kv,
            "compute": self.compute,
            "layers": list(self.layers) if self.layers else None,
            "bytes": self.bytes,
            "bytes_predicted": self.expected.bytes,
            "bytes_projected": self.projected,
            "tps": self.tps,
            "tps_predicted": self.expected.tps,
            "tps_low": self.expected.low,
            "tps_high": self.expected.high,
            "shortfall": self.shortfall,
            "next": self.next,
        }

    def text(self) -> str:
        """One line of JSON, as it lies on the host."""
        return json.dumps(asdict(self), ensure_ascii=True)


def parse(text: str) -> Proof | None:
    """A proof that a host gave back; None where it is none of ours."""
    if len(text) > LONGEST:
        return None
    try:
        values = json.loads(text)
        told = values["expected"]
        expected = Expected(
            _count(told.get("bytes")),
            _claim(told.get("is_whole")),
            *(_number(told.get(name)) for name in ("tps", "low", "high")),
        )
        layers = values.get("layers")
        return Proof(
            release=safe_line(str(values["release"]), 40),
            at=_number(values["at"]) or 0.0,
            devices=_pairs(values["devices"]),
            weights=_pairs(values["weights"]),
            kv=_count(values.get("kv")),
            compute=_count(values.get("compute")),
            layers=(_sure(layers[0]), _sure(layers[1])) if layers else None,
            projected=_count(values.get("projected")),
            tps=_number(values.get("tps")),
            expected=expected,
            shortfall=_words(values.get("shortfall")),
            next=_words(values.get("next")),
        )
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        return None


def _pairs(value: Any) -> tuple[tuple[str, int], ...]:
    return tuple((safe_line(str(name), 60), _sure(count)) for name, count in value[:MOST_DEVICES])


def _sure(value: Any) -> int:
    found = _count(value)
    if found is None:
        raise ValueError(value)
    return found


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < MOST else None


def _number(value: Any) -> float | None:
    return value if type(value) in (int, float) and 0 <= value < MOST else None  # NaN is neither


def _claim(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _words(value: Any) -> str | None:
    return safe_line(value, 500) if isinstance(value, str) and value else None
