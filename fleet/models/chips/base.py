"""What a row of the tables says of a chip."""

from dataclasses import dataclass

GB = 1e9  # vendors count bandwidth in these


@dataclass(frozen=True, slots=True)
class Chip:
    """A GPU as its vendor specifies it."""

    name: str  # as the driver says it, without the vendor
    bits: int  # width of the memory bus
    rate: float  # Gbit/s for each of them
    cores: int  # multiprocessors (NVIDIA), compute units (AMD), Xe cores (Intel), GPU cores (Apple)
    clock: float  # GHz under load, as specified
    memory: int | None = None  # GiB, where cards of one name differ by it
    dies: int = 1  # halves joined by a bridge, which half of what is read must cross
    unpacks: float | None = None  # weights of K-quants that a core unpacks in a cycle, where that is a limit

    @property
    def bandwidth(self) -> float:
        """Bytes/s between the chip and its memory: bus times rate."""
        return self.bits * self.rate / 8 * GB
