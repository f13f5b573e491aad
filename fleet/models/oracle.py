"""What llama-fit-params says of a model that no formula covers.

With `--fit-print on` it builds the graph without loading weights and prints a line for each device:
weights, context and compute in whole MiB. It reserves the logits of every token of a ubatch, which
llama-server does not: where a usual graph of the model's dimensions needs less, that is taken.

Source: tools/fit-params/fit-params.cpp and common_fit_print in common/fit.cpp of llama.cpp b11434.
"""

import re
from dataclasses import replace

from fleet.core.shell import quote
from fleet.models import kv
from fleet.models.compute import compute
from fleet.models.layout import Layout
from fleet.models.placement import Use
from fleet.models.room import HOST
from fleet.models.wish import Wish

MIB = 2**20
LINE = re.compile(r"(\S+) (\d{1,9}) (\d{1,9}) (\d{1,9}) ?")


def arguments(wish: Wish, context: int) -> str:
    """Shell words after `-m MODEL` that ask for this wish.

    It takes no --kv-unified: slots have caches of their own there, which together hold as much.
    """
    words = ["--ctx-size", context, "--parallel", wish.parallel, "--ubatch-size", wish.ubatch]
    words += ["--cache-type-k", wish.kv_type_k, "--cache-type-v", wish.kv_type_v, "--fit-print", "on"]
    if wish.devices is not None:
        words += ["--device", ",".join(wish.devices)]
    if wish.split:
        words += ["--tensor-split", ",".join(str(share) for share in wish.split)]
    if wish.gpu_layers is not None:
        words += ["--gpu-layers", wish.gpu_layers]
    if wish.experts_on_host:
        words += ["--n-cpu-moe", min(wish.experts_on_host, 1024)]
    if wish.swa_full:
        words.append("--swa-full")
    return " ".join(quote(str(word)) for word in words)


def parse(text: str, layout: Layout, wish: Wish) -> dict[str, Use] | None:
    """Bytes by pool; None where it said nothing of the kind."""
    found: dict[str, Use] = {}
    for line in text.splitlines():
        if row := LINE.fullmatch(line.strip()):
            name = HOST if row[1] == "Host" else row[1]
            weights, context, takes = (int(row[number]) * MIB for number in (2, 3, 4))
            found[name] = Use(name, weights=weights, kv=context, compute=takes)
    if not found:
        return None
    last = next((name for name in reversed(found) if name != HOST), HOST)
    use, guess = found[last], compute(layout, wish)
    # What is below the logits is not told: take what a usual graph of these dimensions needs there.
    below = max(use.compute - _logits(layout, wish), guess.alone if last == HOST else guess.device)
    found[last] = replace(use, compute=min(use.compute, below))
    return found


def _logits(layout: Layout, wish: Wish) -> int:
    """Bytes of the logits of a whole ubatch."""
    return 4 * min(wish.ubatch, kv.context(layout, wish)) * layout.vocabulary
