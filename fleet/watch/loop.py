"""The host's own loop: its program, and what its lines mean."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources

from fleet.core.events import Event, Heartbeat, Sampled, Stamp
from fleet.core.text import safe_line
from fleet.platforms.base import program

PAGE = 4096  # bytes; /proc/vmstat counts pages


def loop_program() -> str:
    """Prints a line a second until nobody reads any more."""
    return program(resources.files("fleet.watch").joinpath("loop.sh").read_text("utf-8"))


@dataclass(slots=True)
class LoopReader:
    """Lines to events. Remembers the swap counter, which only grows."""

    stamp: Callable[[], Stamp]
    swapped: tuple[float, int] | None = None  # Unix seconds, pages

    def read(self, line: bytes) -> Event | None:
        """The event of a line; None for one that is not the loop's."""
        text = safe_line(line, 2000)
        stamp = self.stamp()
        if text == ".":
            return Heartbeat(**stamp)
        if not text.startswith("s "):
            return None
        values = dict(word.partition("=")[::2] for word in text.split()[1:])
        total, used = _kib(values.get("mt")), _kib(values.get("mu"))
        busy = _whole(values.get("cpu"))
        load, memory_used, memory_total, temperature, power = _gpu(values.get("gpu", ""))
        return Sampled(
            **stamp,
            memory_used=used,
            memory_total=total,
            swap_used=_kib(values.get("su")),
            swap_in=self._swap_in(stamp["ts"], _whole(values.get("si"))),
            load=None if busy is None or busy > 100 else busy / 100,
            disk_free=_kib(values.get("df")),
            gpu_load=load,
            gpu_memory_used=memory_used,
            gpu_memory_total=memory_total,
            gpu_temperature=temperature,
            gpu_power=power,
            boot_id=values.get("boot") or None,
        )

    def _swap_in(self, now: float, pages: int | None) -> float | None:
        if pages is None:
            return None
        before, self.swapped = self.swapped, (now, pages)
        if before is None or now <= before[0] or pages < before[1]:
            return None
        return (pages - before[1]) * PAGE / (now - before[0])


def _gpu(
    text: str,
) -> tuple[float | None, int | None, int | None, float | None, float | None]:
    """All cards together: mean load, bytes used and in all, the hottest, watts; one unknown makes unknown."""
    cards = [card.split(",") for card in text.split(";") if card.count(",") == 4]
    if not cards:
        return None, None, None, None, None

    def column(number: int) -> list[float] | None:
        cells = [_real(card[number]) for card in cards]
        known = [cell for cell in cells if cell is not None]
        return known if len(known) == len(cells) else None

    loads, used, total, heat, power = (column(number) for number in range(5))
    return (
        None if loads is None else sum(loads) / len(loads) / 100,
        None if used is None else int(sum(used) * 2**20),
        None if total is None else int(sum(total) * 2**20),
        None if heat is None else max(heat),
        None if power is None else sum(power),
    )


def _kib(text: str | None) -> int | None:
    whole = _whole(text)
    return None if whole is None else whole * 1024


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None


def _real(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < 1e9 else None
