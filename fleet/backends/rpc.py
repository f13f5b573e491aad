"""Devices of other machines, lent by their `ggml-rpc-server`.

Never chosen by itself. It knows no password and no encryption ("never run the RPC server on an open
network", llama.cpp tools/rpc/README.md), so the inventory takes loopback and private_networks only. Both
sides need the same protocol version, best the same build; where the other side is gone, llama-server
aborts with 134.
"""

from typing import TYPE_CHECKING

from fleet.backends.base import Backend
from fleet.core.facts import Facts

if TYPE_CHECKING:
    from fleet.core.inventory import Host


def score(facts: Facts) -> int:
    return 1


def flags(facts: Facts) -> tuple[str, ...]:
    # on macOS Metal is on unless it is switched off
    return ("GGML_RPC=ON", *(("GGML_METAL=OFF",) if facts.os == "macos" else ()))


def lent(wish: "Host") -> tuple[str, ...]:
    return wish.rpc


backend = Backend(
    "devices lent over RPC",
    (),
    score,
    flags,
    switch="GGML_RPC",
    unseen="start ggml-rpc-server there, of the same llama.cpp",
    device="RPC",
    targets=("ggml-rpc-server",),
    lent=lent,
    is_automatic=False,
)
