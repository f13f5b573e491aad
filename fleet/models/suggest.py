"""Which quantisation of a model suits a host: a rule in words, no sum of things with other units.

1. Left out: what does not fit as it is wished, with what stays free on each device (room.MARGIN); what
   loses more than WORST of the perplexity, or an amount that nobody measured, unless you hold it.
2. Left out: what is slower than the goal's usable rate by more than ALIKE, as long as something is not.
3. Of those that lose no more than the goal allows: the fastest. They count as equal in quality.
4. If none is that good: the least loss, then the fastest. If none is fast enough: the fastest of
   those that lose no more than Q4_K_M, else the least loss.

Before bits go the context gives way that nobody asked for: where nothing that loses as little as Q4_K_M
fits with models_suggest.CONTEXT, and something does with less (changes.LEAST at least), that is advised.

A speed that nobody can predict leaves nothing out; then smaller counts as faster, as each token reads
all of it. A goal is two numbers:

    quality   at least 5 tokens/s    loses at most 0.1 %  (what Q8_0 loses, close to what can be measured)
    balanced  at least 10 tokens/s   loses at most 1 %    (what Q5_K_M loses)
    speed     at least 25 tokens/s   loses at most 3 %    (what Q4_K_M loses)

Source: from Q4_K_M down: reference HARDWARE.md 9, "at least Q4_K_M unless a much larger model becomes
    possible". Rates: our own choice. 5 is about as fast as people read, 10 leaves room to skim, and at 25
    nobody waits for a screen of code. Losses: quality.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fleet.models import quality, quants, requant
from fleet.models.fit import Fit
from fleet.models.layout import Layout
from fleet.models.offered import File
from fleet.models.quality import Loss


@dataclass(frozen=True, slots=True)
class Goal:
    """What somebody wants of a model."""

    rate: float  # tokens/s that are usable
    loss: float  # parts of the perplexity that may be lost


GOALS: Mapping[str, Goal] = {
    "quality": Goal(5.0, 0.001),
    "balanced": Goal(10.0, 0.01),
    "speed": Goal(25.0, 0.03),
}
WORST = quants.WORST_ADVISED / quality.BASE[quality.LLAMA_3]
USUAL = 0.03  # Q4_K_M
ALIKE = 0.05  # of the size: a speed is predicted no better than that. Our own choice
POOR = 0.05  # Q3_K_L loses 9 %, IQ4_XS 4 %: what lies between is where four bits end
# One for each step of quality: what publishers offer and llama-quantize makes of any model.
OFFERED = ("F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "IQ4_XS", "Q3_K_L", "Q3_K_M", "IQ3_M")
NATIVE = frozenset({"MXFP4_MOE", "NVFP4"})  # trained like that: any other packing only grows or loses


@dataclass(frozen=True, slots=True)
class Variant:
    """A model in one quantisation, as it is held or as it could be."""

    name: str | None  # None: the header does not say
    layout: Layout
    size: int  # bytes
    is_estimate: bool  # nobody told the size
    is_held: bool  # the file that the inventory names
    source: str | None  # as the inventory would name it; None: nobody knows a file


@dataclass(frozen=True, slots=True)
class Choice:
    """A variant on a host."""

    variant: Variant
    loss: Loss | None  # None: nobody measured it
    fit: Fit

    @property
    def name(self) -> str:
        return self.variant.name or "an unnamed quantisation"

    @property
    def size(self) -> int:
        return self.variant.size

    @property
    def is_held(self) -> bool:
        return self.variant.is_held

    @property
    def tps(self) -> float | None:
        return self.fit.speed.tps if self.fit.speed else None


@dataclass(frozen=True, slots=True)
class Advice:
    best: Choice | None
    second: Choice | None
    why: str  # one sentence


def variants(
    model: Layout, size: int | None, source: str | None, files: Sequence[File]
) -> tuple[Variant, ...]:
    """The model as it is held, and what else there is: as its repository lists, else as estimated.

    Args:
        size: bytes of the file that is held; None: those of its tensors.
        source: of that file.
        files: other quantisations of its repository; empty where nobody could ask.
    """
    held = requant.named(model)
    own = Variant(held.name if held else None, model, size or model.sums.total, False, True, source)
    if held is not None and held.name in NATIVE:
        return (own,)
    known = {one.name: one for one in files}
    found = [own]
    for name in OFFERED:
        if name == own.name or (known and name not in known):
            continue
        other = requant.repacked(model, quants.QUANTS[name])
        if other is None:
            continue
        file = known.get(name)
        total = file.size if file else other.sums.total
        found.append(Variant(name, other, total, file is None, False, file.source if file else None))
    return tuple(found)


def judged(variant: Variant, fit: Fit) -> Choice:
    """A variant with what it loses."""
    name, model = variant.name, variant.layout
    loss = quality.expected(name, model, requant.parameters(model)) if name else None
    return Choice(variant, loss, fit)


def shorter(found: Sequence[Choice]) -> int | None:
    """The most tokens of context with which something fits that loses no more than Q4_K_M.

    None where it fits already, or with none that is worth having.
    """
    if any(one.fit.verdict == "fits" and is_usual(one) for one in found):
        return None
    changes = [change for one in found if is_usual(one) for change in one.fit.changes if change.fits]
    tokens = [change.settings["context"] for change in changes if set(change.settings) == {"context"}]
    return max((each for each in tokens if isinstance(each, int)), default=None)


def is_usual(one: Choice) -> bool:
    """Whether it loses no more than Q4_K_M."""
    return one.loss is not None and one.loss.likely <= USUAL


def choose(found: Sequence[Choice], goal: Goal) -> Advice:
    """The rule above."""
    fitting = [one for one in found if one.fit.verdict == "fits" and _is_good(one)]
    if not fitting:
        return Advice(None, None, "no quantisation that is worth it fits as asked")
    best, why = _first(fitting, goal)
    held = next((one for one in fitting if one.is_held), best)
    if held is not best and _is_alike(held, best) and _is_usable(held, goal) >= _is_usable(best, goal):
        why = f"{best.name} is within {ALIKE:.0%} of its size, and may lose as much: no reason to change"
        best = held
    rest = [one for one in fitting if one is not best]
    second = _first(rest, goal)[0] if rest else None
    return Advice(best, second, why)


def _is_good(one: Choice) -> bool:
    if one.loss is None:
        return one.is_held
    return one.is_held or one.loss.likely <= WORST


def _is_usable(one: Choice, goal: Goal) -> bool:
    return one.tps is None or one.tps >= goal.rate * (1 - ALIKE)


def _is_alike(held: Choice, other: Choice) -> bool:
    """Whether nobody could tell them apart: nearly one size, and losses whose ranges meet."""
    if held.loss is None or other.loss is None or abs(other.size - held.size) > ALIKE * held.size:
        return False
    less, more = sorted((held.loss, other.loss), key=lambda loss: loss.likely)
    return less.high is None or more.low <= less.high


def _first(fitting: Sequence[Choice], goal: Goal) -> tuple[Choice, str]:
    usable = [one for one in fitting if _is_usable(one, goal)]
    is_slow = not usable
    slow = f"nothing here gives {goal.rate:g} tokens/s, a smaller model may"
    pool = usable or fitting
    bound = USUAL if is_slow else goal.loss
    good = [one for one in pool if one.loss is not None and one.loss.likely <= bound]
    what = f"the fastest that loses at most {_percent(bound)}"
    if is_slow:
        what = f"{slow}; {what}"
    if good:
        return min(good, key=lambda one: (_seconds(one), _lost(one))), what
    best = min(pool, key=lambda one: (_lost(one), _seconds(one)))
    if best.loss is None:
        return best, "it fits, and nobody published what it loses"
    if is_slow:
        return (
            best,
            f"nothing here gives {goal.rate:g} tokens/s, a smaller model may; the least loss that fits",
        )
    rate = "" if best.tps is None else f" and gives {goal.rate:g} tokens/s"
    poor = "; a smaller model at Q4_K_M is usually better" if best.loss.likely > POOR else ""
    return best, f"the least loss of what fits{rate}, though more than {_percent(goal.loss)}{poor}"


def _seconds(one: Choice) -> float:
    """For a token, or what stands for it."""
    return 1 / one.tps if one.tps else one.size * 1e-9


def _lost(one: Choice) -> float:
    return one.loss.likely if one.loss else float("inf")


def _percent(part: float) -> str:
    return f"{part * 100:.2g} %"


def trade(best: Choice, other: Choice) -> str:
    """What it costs, or gives, to take the other."""
    words = []
    if best.loss is not None and other.loss is not None:
        words.append(f"loses {_percent(other.loss.likely)} instead of {_percent(best.loss.likely)}")
    if best.tps is not None and other.tps is not None:
        words.append(f"{other.tps:.0f} instead of {best.tps:.0f} tokens/s")
    words.append(f"{other.size / 1e9:.2f} instead of {best.size / 1e9:.2f} GB")
    return ", ".join(words)


def room_bits(model: Layout, fit: Fit) -> float | None:
    """Bits per weight that would fit as wished; None where nothing would, or nobody knows."""
    if fit.available is None or fit.total is None or fit.weights is None:
        return None
    left = fit.available - (fit.total - fit.weights)
    count = requant.parameters(model)
    return left * 8 / count if left > 0 and count else None
