"""Which memory a processor can have: what the bandwidth of its main memory lies between.

The modules themselves are only told to root (`dmidecode -t 17`), so this is a range: from one module
of the slowest kind to all channels with the fastest kind that the maker names.

Source: ark.intel.com and amd.com (memory types and channels of each family), raspberrypi.com,
    notebookcheck.net (i7-13700H: DDR4-3200, DDR5-5200, LPDDR5X-6400 on two channels).
"""

import re
from dataclasses import dataclass

from fleet.models.chips.base import GB


@dataclass(frozen=True, slots=True)
class Kinds:
    """Memory that goes with a family of processors."""

    pattern: str  # found in the processor's name
    channels: int  # of 64 bits
    slowest: int  # millions of transfers/s
    usual: int
    fastest: int
    is_fixed: bool = False  # soldered, all channels populated

    @property
    def low(self) -> float:
        return 8 * 1e6 * self.slowest * (self.channels if self.is_fixed or self.channels > 2 else 1)

    @property
    def likely(self) -> float:
        return 8 * 1e6 * self.usual * self.channels

    @property
    def high(self) -> float:
        return 8 * 1e6 * self.fastest * self.channels


TABLE = (
    Kinds(r"Ryzen AI Max", 4, 8000, 8000, 8000, is_fixed=True),
    Kinds(r"Ryzen AI", 2, 5600, 5600, 8000),
    Kinds(r"Threadripper PRO", 8, 3200, 4800, 6400),
    Kinds(r"Threadripper", 4, 2667, 3200, 5200),
    Kinds(r"Ryzen.* [789]\d{3}", 2, 4800, 5600, 6000),
    Kinds(r"Ryzen.* 6\d{3}", 2, 4800, 4800, 6400),
    Kinds(r"Ryzen.* [1-5]\d{3}", 2, 2400, 3200, 3600),
    Kinds(r"EPYC 9\d\d5", 12, 4800, 6000, 6400),
    Kinds(r"EPYC (9\d\d4|8\d\d4)", 12, 4800, 4800, 4800),
    Kinds(r"EPYC 7\w\w[23]", 8, 2933, 3200, 3200),
    Kinds(r"EPYC 7\w\w1", 8, 2400, 2667, 2667),
    Kinds(r"Core\(TM\) Ultra|Core Ultra", 2, 5600, 5600, 8533),
    Kinds(r"N(95|97|100|150|200|305)\b", 1, 3200, 4800, 4800),
    Kinds(r"i[3579]-1[34]\d{2}", 2, 3200, 5200, 6400),
    Kinds(r"i[3579]-12\d{2}", 2, 3200, 4800, 6400),
    Kinds(r"i[3579]-1[01]\d", 2, 2667, 3200, 4267),
    Kinds(r"i[3579]-[6-9]\d{3}", 2, 2133, 2400, 2667),
    Kinds(r"i[3579]-[2-5]\d{3}", 2, 1333, 1600, 1600),
    Kinds(r"Xeon.*6[79]\d\dP", 12, 5600, 6400, 8800),
    Kinds(r"Xeon.*(Bronze|Silver|Gold|Platinum) \d5\d\d", 8, 4400, 5600, 5600),
    Kinds(r"Xeon.*(Bronze|Silver|Gold|Platinum) \d4\d\d", 8, 4000, 4800, 4800),
    Kinds(r"Xeon.*(Bronze|Silver|Gold|Platinum) \d3\d\d", 8, 2667, 3200, 3200),
    Kinds(r"Xeon.*(Bronze|Silver|Gold|Platinum) \d[12]\d\d", 6, 2133, 2667, 2933),
    Kinds(r"Xeon.*E5-\d{4} v[34]", 4, 1866, 2133, 2400),
)

# Boards whose memory is soldered: name of the platform -> processor -> bytes/s.
BOARDS = {
    ("raspberry-pi", "Cortex-A76"): 32 / 8 * 4.267 * GB,  # Pi 5: 32 bits of LPDDR4X-4267
    ("raspberry-pi", "Cortex-A72"): 32 / 8 * 3.2 * GB,  # Pi 4: 32 bits of LPDDR4-3200
}


def find(processor: str) -> Kinds | None:
    """The row of a processor's name; the first that matches."""
    return next((row for row in TABLE if re.search(row.pattern, processor, re.IGNORECASE)), None)
