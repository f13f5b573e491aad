"""Apple's chips, by name and number of GPU cores: one name covers chips of different memory.

Source: Apple's technical specifications (support.apple.com: bandwidth for each number of cores; the
    36 GB MacBook Pro with M3 Max has 14 processor cores, 30 GPU cores and 300 GB/s); clocks as
    powermetrics prints them (M3 Ultra: 1380 MHz) and as philipturner/metal-benchmarks lists them.
    Weights unpacked in a cycle: 128 lanes, about 13 operations for a weight of a K-quant, which M1 Max,
    M1 Ultra and M2 Ultra show (XiongjieDai/GPU-Benchmarks-on-LLM-Inference, geerlingguy/ai-benchmarks);
    from M3 on, whole numbers and floating point are computed side by side (Apple, WWDC23 "Explore GPU
    advancements in M3 and A17 Pro").
"""

from fleet.models.chips.base import Chip


def _chips(name: str, cores: tuple[int, ...], bits: int, rate: float, clock: float) -> tuple[Chip, ...]:
    dies = 2 if name.endswith("Ultra") else 1
    unpacks = 10.0 if name[:2] in ("M1", "M2") else 20.0
    return tuple(Chip(name, bits, rate, count, clock, dies=dies, unpacks=unpacks) for count in cores)


CHIPS = (
    *_chips("M1", (7, 8), 128, 4.266, 1.28),
    *_chips("M1 Pro", (14, 16), 256, 6.25, 1.30),
    *_chips("M1 Max", (24, 32), 512, 6.25, 1.30),
    *_chips("M1 Ultra", (48, 64), 1024, 6.25, 1.30),
    *_chips("M2", (8, 10), 128, 6.25, 1.40),
    *_chips("M2 Pro", (16, 19), 256, 6.25, 1.40),
    *_chips("M2 Max", (30, 38), 512, 6.25, 1.40),
    *_chips("M2 Ultra", (60, 76), 1024, 6.25, 1.40),
    *_chips("M3", (8, 10), 128, 6.25, 1.38),
    *_chips("M3 Pro", (14, 18), 192, 6.25, 1.38),
    *_chips("M3 Max", (30,), 384, 6.25, 1.38),
    *_chips("M3 Max", (40,), 512, 6.25, 1.38),
    *_chips("M3 Ultra", (60, 80), 1024, 6.4, 1.38),
    *_chips("M4", (8, 10), 128, 7.5, 1.47),
    *_chips("M4 Pro", (16, 20), 256, 8.533, 1.58),
    *_chips("M4 Max", (32,), 384, 8.533, 1.58),
    *_chips("M4 Max", (40,), 512, 8.533, 1.58),
    *_chips("M5", (8, 10), 128, 9.6, 1.62),
    *_chips("M5 Pro", (16, 20), 256, 9.6, 1.62),
    *_chips("M5 Max", (32,), 384, 9.6, 1.62),
    *_chips("M5 Max", (40,), 512, 9.6, 1.62),
)
