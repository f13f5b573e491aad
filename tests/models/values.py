"""Hosts and models for tests of memory: values, not mocks."""

from dataclasses import replace
from pathlib import Path

from fleet.core.facts import Cpu, Device, Disk, Facts, Gpu, Memory
from fleet.models.gguf import Header, header
from fleet.models.layout import Layout, layout
from tests.shapes import SHAPES, write

GIB, MIB = 2**30, 2**20
AVX2 = ("sse4_2", "avx2", "fma", "f16c")

BARE = Facts(
    host="host",
    platform="linux",
    os="linux",
    os_version=None,
    kernel=None,
    arch="x86_64",
    libc=None,
    boot_id=None,
    uptime=None,
    clock=None,
    user=None,
    home=None,
    root="/fleet",
    layout=None,
    cpu=Cpu("a processor", 8, None, 16, AVX2),
    memory=Memory(32 * GIB, 28 * GIB, False, None, None),
    disk=Disk(None, None, None),
    gpus=(),
    tools={},
    supervisors=(),
    has_linger=None,
    has_cron=None,
    builds=(),
    models=(),
    parts=(),
    jobs=(),
    instances=(),
    lock=None,
    unknown={},
    at=0.0,
)


def nvidia(name: str, total: int, free: int | None) -> Gpu:
    """A card; MiB as nvidia-smi says."""
    return Gpu("nvidia", name, "cuda", total * MIB, None if free is None else free * MIB, "8.9", None, None)


RTX_4070 = replace(BARE, gpus=(nvidia("NVIDIA GeForce RTX 4070", 12282, 11950),))
TWO_3090 = replace(
    BARE, gpus=tuple(nvidia("NVIDIA GeForce RTX 3090", 24576, free) for free in (24100, 20000))
)
M3_MAX = replace(
    BARE,
    platform="macos",
    os="macos",
    arch="arm64",
    cpu=Cpu("Apple M3 Max", 10, 4, 14, ()),
    memory=Memory(36 * GIB, 30 * GIB, True, None, None),
    gpus=(Gpu("apple", "Apple M3 Max", "metal", None, None, None, 30, None),),
)
ORIN = replace(
    BARE,
    platform="jetson",
    arch="arm64",
    cpu=Cpu("Cortex-A78AE", 6, None, 6, ("asimddp",)),
    memory=Memory(8 * GIB, 6 * GIB, True, None, None),
    gpus=(Gpu("nvidia", "Orin", "cuda", None, None, "8.7", None, None),),
)
MTL0 = Device("MTL0", "Apple M3 Max", 27648 * MIB, None)


def shape(name: str, folder: Path, file_type: int = 15, layers: int | None = None) -> Layout:
    """The layout of a published shape, through a real header."""
    return layout(read(write(folder / f"{name}.gguf", SHAPES[name], layers, file_type)))


def read(path: Path) -> Header:
    with open(path, "rb") as file:
        return header(file.read(16 * MIB), path.stat().st_size)
