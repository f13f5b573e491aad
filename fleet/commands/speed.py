"""How fast a chip can decode, and which published speeds are impossible."""

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fleet.commands.base import Option, Request, Results, Verb, split
from fleet.core.errors import PlanError, UsageError
from fleet.core.flow import Flow
from fleet.core.names import nearest
from fleet.core.render import rate_text, table

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory
    from fleet.models.claims import Claim, Verdict

WIDTH = 80  # columns
# what a person may type: GB, layers (llama.cpp's most are 512), GPU cores, tokens/s
BOUNDS = {"reads": (1e-6, 1e6), "layers": (1, 1024), "cores": (1, 100_000), "claim": (1e-3, 1e9)}
API = {"apple": "metal", "nvidia": "cuda", "amd": "hip", "intel": "vulkan"}


def flow(request: Request, inventory: "Inventory", host: str) -> Flow[tuple["Verdict", ...]]:
    """The claim that was typed, or those of the deployment guide; no host is asked."""
    from fleet.models.claims import article, judge

    yield from ()
    if not request["chip"]:
        return tuple(judge(claim) for claim in article())
    return (judge(_claim(request)),)


def document(request: Request, results: Results) -> dict[str, Any]:
    """`fleet.speed/1`: bytes of a token, tokens/s."""
    return {"claims": [_plain(verdict) for verdict in _verdicts(results)]}


def lines(request: Request, results: Results) -> Iterable[str]:
    verdicts = _verdicts(results)
    if not verdicts:
        return
    head = ("DEVICE", "MODEL", "GB", "CLAIMED", "CEILING", "EXPECTED")
    top, *rows = table(
        head,
        (
            (
                one.claim.device,
                one.claim.model,
                f"{one.claim.bytes / 1e9:.2f}",
                rate_text(one.claim.tps) if one.claim.tps else "-",
                rate_text(one.speed.ceiling),
                f"{rate_text(one.speed.low)} to {rate_text(one.speed.high)}",
            )
            for one in verdicts
        ),
    )
    yield top
    for row, one in zip(rows, verdicts, strict=True):
        yield row
        if one.claim.tps:
            yield from textwrap.wrap(one.sentence, WIDTH, initial_indent="  ", subsequent_indent="  ")
    if len(verdicts) == 1:
        yield from textwrap.wrap(verdicts[0].speed.reason, WIDTH)
    else:
        yield "GB that a token reads; tokens/s; ceiling: bandwidth / bytes of a token"
        yield "one of your own: fleet speed RTX 4070 --reads 4.7 --claim 45"


def _claim(request: Request) -> "Claim":
    from fleet.models.bandwidth import CHIPS, named
    from fleet.models.claims import Claim
    from fleet.models.quants import QUANTS, find
    from fleet.models.speed import Part

    name = " ".join(request["chip"])
    if not request["reads"]:
        raise UsageError("how much does a token read?", next=f"fleet speed {name} --reads 4.7")
    for option, (least, most) in BOUNDS.items():
        value = request[option]
        if value is not None and not least <= value <= most:  # NaN is neither
            what = f"--{option} {value:g} is not between {least:g} and {most:g}"
            raise UsageError(what, next="fleet speed --help")
    found = named(name, request["cores"])
    if found is None:
        near = nearest(name, [chip.name for chip in CHIPS])
        raise PlanError(f"no table has a chip called {name!r}", next=f"one of: {', '.join(near)}")
    quant = find(request["quant"]) if request["quant"] else None
    if request["quant"] and quant is None:
        near = nearest(request["quant"], QUANTS)
        raise UsageError(f"no quantisation called {request['quant']!r}", next=f"one of: {', '.join(near)}")
    part = Part(
        found,
        API.get(found.vendor or "", "cuda"),
        weights=int(request["reads"] * 1e9),
        layers=request["layers"],
        quant=quant,
    )
    return Claim(name, request["quant"] or "-", request["claim"] or 0.0, (part,))


def _verdicts(results: Results) -> tuple["Verdict", ...]:
    return next(iter(split(results)[0].values()), ())


def _plain(verdict: "Verdict") -> dict[str, Any]:
    claim, speed = verdict.claim, verdict.speed
    return {
        "device": claim.device,
        "model": claim.model,
        "bytes": claim.bytes,
        "claimed": claim.tps or None,
        "speed": {"tps": speed.tps, "low": speed.low, "high": speed.high, "ceiling": speed.ceiling},
        "verdict": verdict.word if claim.tps else None,
        "sentence": verdict.sentence if claim.tps else None,
        "reason": speed.reason,
    }


verb = Verb(
    help="Show how fast a chip can decode; without one, which published speeds are impossible.",
    level=0,
    flow=flow,
    document=document,
    lines=lines,
    schema="fleet.speed/1",
    selects="none",
    options=(
        Option("CHIP", "its name: RTX 4070, M3 Max, RX 7900 XTX", is_many=True),
        Option(
            "--reads", "GB that a token reads: the file without its token embedding", "number", None, "GB"
        ),
        Option("--layers", "layers of the model", "integer", 36, "N"),
        Option("--cores", "GPU cores, which tell Apple's chips apart", "integer", None, "N"),
        Option("--quant", "how the weights are packed: Q4_K_M", "text", None, "TYPE"),
        Option("--claim", "tokens/s that somebody promises", "number", None, "N"),
    ),
)
