"""The host's own loop: its program, and what its lines mean."""

from fleet.core.events import Event, Heartbeat, Sampled, Stamp
from fleet.core.shell import packaged
from fleet.core.text import safe_line
from fleet.platforms.base import program

LONGEST = 2000  # bytes of a line that are read
Cards = tuple[float | None, int | None, int | None, float | None, float | None]


def loop_program() -> str:
    """Prints a line a second until nobody reads any more."""
    return program(packaged("fleet.watch", "loop.sh"))


def read_line(line: bytes, stamp: Stamp) -> Event | None:
    """The event of a line; None for one that is not the loop's."""
    if line == b".":
        return Heartbeat(**stamp)
    if not line.startswith(b"s "):
        return None
    words = safe_line(line, LONGEST).split()[1:]
    values = {name: value for name, _, value in (word.partition("=") for word in words)}
    busy = _whole(values.get("cpu"))
    load, memory_used, memory_total, temperature, power = _cards(values.get("gpu", ""))
    return Sampled(
        **stamp,
        memory_used=_kib(values.get("mu")),
        memory_total=_kib(values.get("mt")),
        swap_used=_kib(values.get("su")),
        swap_in=_kib(values.get("si")),
        load=None if busy is None or busy > 100 else busy / 100,
        disk_free=_kib(values.get("df")),
        gpu_load=load,
        gpu_memory_used=memory_used,
        gpu_memory_total=memory_total,
        gpu_temperature=temperature,
        gpu_power=power,
        boot_id=values.get("boot", "")[:64] or None,
    )


def _cards(text: str) -> Cards:
    """All cards together: mean load, bytes used and in all, the hottest, watts; one unknown makes unknown."""
    cards = [card.split(",") for card in text.split(";") if card.count(",") == 4]
    if not cards:
        return None, None, None, None, None

    def column(number: int, most: float) -> list[float] | None:
        known = [cell for card in cards if (cell := _real(card[number], most)) is not None]
        return known if len(known) == len(cards) else None

    loads, used, total = column(0, 100), column(1, 1e9), column(2, 1e9)
    heat, power = column(3, 1000), column(4, 1e5)
    return (
        None if loads is None else sum(loads) / len(loads) / 100,
        None if used is None else int(sum(used)) * 2**20,
        None if total is None else int(sum(total)) * 2**20,
        None if heat is None else max(heat),
        None if power is None else sum(power),
    )


def _kib(text: str | None) -> int | None:
    whole = _whole(text)
    return None if whole is None else whole * 1024


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None


def _real(text: str, most: float) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= most else None
