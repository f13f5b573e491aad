"""What an expert works out on paper: which quantisation of a model to take on a host.

No module of fleet is asked: these are the numbers of reference HARDWARE.md, and its formulas. Sections in
brackets.
"""

from dataclasses import dataclass

GIB, MIB = 2**30, 2**20
# bits per weight of whole files, and by how much the perplexity of Llama-3-8B rises [9]; Q3_K_M: 3.74 GiB
BITS = {
    "F16": (16.0, 0.002),
    "Q8_0": (8.5, 0.003),
    "Q6_K": (6.56, 0.022),
    "Q5_K_M": (5.70, 0.057),
    "Q4_K_M": (4.89, 0.175),
    "IQ4_XS": (4.46, 0.228),
    "Q3_K_L": (4.30, 0.556),
    "Q3_K_M": (4.00, 0.657),
    "IQ3_M": (3.76, 0.667),
}
PERPLEXITY = 6.23  # of Llama-3-8B as it was trained: llama.cpp tools/perplexity/README.md
FREE = GIB  # stays free on a device, and in main memory [0.9]
DRIVER = 0.034  # of a card: 12282 MiB of which a program sees 11866 [0.3]
SLOW, FAR = 1.128, 0.065e-3  # of a GPU: shares of its bandwidth, seconds for a layer [8]
PROCESSOR = 0.6  # of its memory's bandwidth [7]
COMPUTE = 300 * MIB  # [11]
Q4 = BITS["Q4_K_M"][1] / PERPLEXITY
SLOTS = 4  # share the context; the part of one is taken to be half full, and a token reads it [8]
NEAR = 0.95  # of a rate counts as that rate: no speed is predicted better
GOALS = {"quality": (5.0, 0.001), "balanced": (10.0, 0.01), "speed": (25.0, 0.03)}  # fleet's own choice


@dataclass(frozen=True)
class Paper:
    """A model as its card describes it."""

    weights: float
    embedding: float  # weights: vocabulary x width; stays in main memory [11]
    layers: int
    cache: int  # bytes for a token, f16 [10]
    active: float | None = None  # weights that a token reads, of a mixture of experts


# Of Qwen3-30B-A3B a token reads all attention, and 8 experts of 3 matrices, in 48 layers (its config.json)
ATTENTION = 48 * 2048 * (2 * 32 * 128 + 2 * 4 * 128)
EXPERTS = 48 * 8 * 3 * 2048 * 768
MODELS = {
    "llama3-8b": Paper(8.03e9, 128256 * 4096, 32, 128 * 1024),
    "qwen3-14b": Paper(14.77e9, 151936 * 5120, 40, 160 * 1024),
    "llama3-70b": Paper(70.55e9, 128256 * 8192, 80, 320 * 1024),
    "qwen3-30b-a3b": Paper(30.53e9, 151936 * 2048, 48, 96 * 1024, ATTENTION + EXPERTS + 2 * 151936 * 2048),
}


@dataclass(frozen=True)
class Machine:
    """What computes, and the memory that it has."""

    room: float  # bytes for one model
    bandwidth: float  # bytes/s [7]
    lent: float = 0  # bytes for cached prompts, a sixteenth of main memory: fleet's own choice
    is_gpu: bool = True


def card(total: float, free: float) -> float:
    """MiB as nvidia-smi says."""
    return (free - total * DRIVER) * MIB - FREE


MACHINES = {
    "rtx": Machine(card(12282, 11950), 504e9),
    "laptop": Machine(27 * GIB - FREE, 83.2e9, 2 * GIB, is_gpu=False),
    "mac": Machine(27 * GIB, 300e9),  # Metal's budget on 36 GB [7]
    "dual": Machine(2 * card(24576, 24100), 936e9),
    "pi": Machine(7 * GIB - FREE, 17.07e9, GIB / 2, is_gpu=False),  # 32 bits of LPDDR4X-4267
}


def fits(model: Paper, bits: float, machine: Machine, context: int) -> bool:
    weights = model.weights - (model.embedding if machine.is_gpu else 0)
    taken = weights * bits / 8 + model.cache * context + COMPUTE + machine.lent
    return taken <= machine.room


def speed(model: Paper, bits: float, machine: Machine, context: int) -> float:
    """Tokens/s of one conversation."""
    read = ((model.active or model.weights) - model.embedding) * bits / 8
    read += model.cache * context / SLOTS / 2
    if machine.is_gpu:
        return 1 / (SLOW * read / machine.bandwidth + FAR * model.layers)
    return PROCESSOR * machine.bandwidth / read


def advised(name: str, host: str, goal: str) -> tuple[str, int] | None:
    """The quantisation and the context, by the rule of fleet.models.suggest; None: nothing fits.

    At least Q4_K_M unless a much larger model becomes possible [9]: a shorter context comes first.
    """
    model, machine = MODELS[name], MACHINES[host]
    for contexts in (range(8192, 4095, -1024), (8192,)):
        for context in contexts:
            there = [one for one, (bits, _) in BITS.items() if fits(model, bits, machine, context)]
            if any(lost(one) <= Q4 for one in there) or (there and len(contexts) == 1):
                return chosen(model, machine, there, goal, context), context
    return None


def lost(name: str) -> float:
    return BITS[name][1] / PERPLEXITY


def chosen(model: Paper, machine: Machine, there: list[str], goal: str, context: int) -> str:
    rate, most = GOALS[goal]
    usable = [one for one in there if speed(model, BITS[one][0], machine, context) >= rate * NEAR]
    most = most if usable else Q4
    good = [one for one in usable or there if lost(one) <= most]
    if good:
        return min(good, key=lambda one: BITS[one][0])
    return min(usable or there, key=lost)
