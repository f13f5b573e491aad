"""AMD's and Intel's GPUs.

Source: the product specifications at amd.com (bus, memory speed, compute units, game or peak clock)
    and ark.intel.com.
"""

from fleet.models.chips.base import Chip

RADEON = (
    Chip("Radeon RX 580", 256, 8, 36, 1.34),
    Chip("Radeon RX 5700 XT", 256, 14, 40, 1.9),
    Chip("Radeon RX 6600", 128, 14, 28, 2.49),
    Chip("Radeon RX 6600 XT", 128, 16, 32, 2.59),
    Chip("Radeon RX 6700 XT", 192, 16, 40, 2.58),
    Chip("Radeon RX 6750 XT", 192, 18, 40, 2.6),
    Chip("Radeon RX 6800", 256, 16, 60, 2.1),
    Chip("Radeon RX 6800 XT", 256, 16, 72, 2.25),
    Chip("Radeon RX 6900 XT", 256, 16, 80, 2.25),
    Chip("Radeon RX 6950 XT", 256, 18, 80, 2.31),
    Chip("Radeon RX 7600", 128, 18, 32, 2.65),
    Chip("Radeon RX 7600 XT", 128, 18, 32, 2.75),
    Chip("Radeon RX 7700 XT", 192, 18, 54, 2.54),
    Chip("Radeon RX 7800 XT", 256, 19.5, 60, 2.43),
    Chip("Radeon RX 7900 GRE", 256, 18, 80, 2.25),
    Chip("Radeon RX 7900 XT", 320, 20, 84, 2.4, memory=20),
    Chip("Radeon RX 7900 XTX", 384, 20, 96, 2.5, memory=24),
    Chip("Radeon RX 9060 XT", 128, 20, 32, 3.13),
    Chip("Radeon RX 9070", 256, 20, 56, 2.52),
    Chip("Radeon RX 9070 XT", 256, 20, 64, 2.97),
    Chip("Radeon VII", 4096, 2, 60, 1.75),
    Chip("Radeon PRO W7700", 256, 18, 48, 2.6),
    Chip("Radeon PRO W7800", 256, 18, 70, 2.5),
    Chip("Radeon PRO W7900", 384, 18, 96, 2.5),
    Chip("Radeon AI PRO R9700", 256, 20, 64, 2.92),
    # The whole of a Ryzen AI Max: 256 bits of LPDDR5X-8000 for processor and GPU.
    Chip("Radeon 8060S", 256, 8, 40, 2.9),
    Chip("Radeon 8050S", 256, 8, 32, 2.8),
)

INSTINCT = (
    Chip("Instinct MI50", 4096, 2, 60, 1.73),
    Chip("Instinct MI60", 4096, 2, 64, 1.8),
    Chip("Instinct MI100", 4096, 2.4, 120, 1.5),
    Chip("Instinct MI210", 4096, 3.2, 104, 1.7),
    Chip("Instinct MI300X", 8192, 5.2, 304, 2.1),
    Chip("Instinct MI325X", 8192, 5.86, 304, 2.1),
    Chip("Instinct MI350X", 8192, 7.81, 256, 2.2),
)

ARC = (
    Chip("Arc A310", 64, 15.5, 6, 2.0),
    Chip("Arc A380", 96, 15.5, 8, 2.0),
    Chip("Arc A580", 256, 16, 24, 1.7),
    Chip("Arc A750", 256, 16, 28, 2.05),
    Chip("Arc A770", 256, 17.5, 32, 2.1, memory=16),
    Chip("Arc A770", 256, 16, 32, 2.1, memory=8),
    Chip("Arc B570", 160, 19, 18, 2.5),
    Chip("Arc B580", 192, 19, 20, 2.67),
    Chip("Arc Pro B50", 128, 14, 16, 2.6),
    Chip("Arc Pro B60", 192, 19, 20, 2.4),
)

CHIPS = RADEON + INSTINCT + ARC
