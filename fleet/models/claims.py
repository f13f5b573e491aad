"""Whether a published speed can be true.

Nothing decodes faster than bandwidth divided by the bytes of a token. A claim above that is
impossible, whatever the settings; one that lies below what is predicted hides a mistake worth finding.
"""

from dataclasses import dataclass

from fleet.models.bandwidth import Bandwidth, named
from fleet.models.chips.base import GB
from fleet.models.quants import find
from fleet.models.speed import Part, Speed, decode


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody's tokens/s, and the devices it would have to come from."""

    device: str
    model: str
    tps: float
    parts: tuple[Part, ...]
    note: str = ""

    @property
    def bytes(self) -> int:
        return sum(part.weights + part.kv for part in self.parts)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of a claim."""

    claim: Claim
    speed: Speed
    word: str  # impossible, plausible, slow, fast

    @property
    def sentence(self) -> str:
        by = self.claim.tps / self.speed.ceiling
        match self.word:
            case "impossible":
                said = f"impossible: {by:.1f} times what the memory can deliver"
            case "slow":
                said = "possible, but slow: untuned, partly on the processor, or with the prompt's time"
            case "fast":
                said = "faster than others measured, but below the ceiling"
            case _:
                said = "plausible"
        return f"{said}; {self.claim.note}" if self.claim.note else said


def judge(claim: Claim) -> Verdict:
    """Raises ValueError where the claim reads nothing."""
    speed = decode(claim.parts)
    if speed is None:
        raise ValueError(f"{claim.model} reads nothing")
    if claim.tps > speed.ceiling:
        word = "impossible"
    elif claim.tps < speed.low:
        word = "slow"
    else:
        word = "fast" if claim.tps > speed.high else "plausible"
    return Verdict(claim, speed, word)


def _chip(name: str, cores: int | None = None) -> Bandwidth:
    found = named(name, cores)
    assert found is not None
    return found


def article() -> tuple[Claim, ...]:
    """The figures of the deployment guide that fleet grew from.

    Bytes: the file without its token embedding, of which a token reads one row.

    Source: Hugging Face's file sizes (Qwen3-8B Q4_K_M 5 027 784 512, 14B Q4_K_S 8.57 GB, 32B Q4_K_M
        19 762 150 048, Llama-3 70B Q4_K_S 40.35 GB, Q2_K 26.4 GB); i7-13700H: dual channel, at most
        DDR5-5200 (notebookcheck.net), half of that with one module; 10.5 GB of a 12 GB card
        are left for weights.
    """
    rtx = _chip("RTX 4070")
    laptop = Bandwidth(83.2 * GB, "DDR5-5200, one or two modules", low=41.6 * GB)
    desktop = Bandwidth(83.2 * GB, "DDR5-5200 to DDR5-6400, two modules", high=102.4 * GB)
    q4m, q4s, q3, q2 = find("Q4_K_M"), find("Q4_K_S"), find("Q3_K_S"), find("Q2_K")
    macs = (("M3 Max, 30 GPU cores", _chip("M3 Max", 30)), ("M3 Max, 40 GPU cores", _chip("M3 Max", 40)))
    return (
        Claim("RTX 4070", "Qwen3-8B Q4_K_M", 45, (Part(rtx, "cuda", 4_677_723_968, 36, quant=q4m),)),
        Claim("RTX 4070", "Qwen3-14B Q4_K_S", 28, (Part(rtx, "cuda", 8_130_000_000, 40, quant=q4s),)),
        Claim(
            "RTX 4070, rest in RAM",
            "Llama4-70B Q2_K",
            8,
            (
                Part(rtx, "cuda", 10_500_000_000, 32, quant=q2),
                Part(desktop, "cpu", 15_900_000_000, 48, quant=q2),
            ),
            "no Llama 4 has 70B: Scout is 109B, Maverick 400B, both of experts",
        ),
        Claim("i7-13700H", "Qwen3-4B Q4_K_M", 12, (Part(laptop, "cpu", 2_497_281_120, 36, quant=q4m),)),
        Claim("i7-13700H", "Qwen3-8B Q3_K_S", 5, (Part(laptop, "cpu", 3_500_000_000, 36, quant=q3),)),
        *(
            Claim(
                name,
                "Qwen3-32B Q4_K_M",
                35,
                (Part(mac, "metal", 19_324_574_368, 64, quant=q4m),),
                "Qwen3-30B-A3B, a model of experts, was probably meant",
            )
            for name, mac in macs
        ),
        *(
            Claim(
                name,
                "Llama-3-70B Q4_K_S",
                18,
                (Part(mac, "metal", 39_800_000_000, 80, quant=q4s),),
                "and 40.35 GB do not fit into 36 GB",
            )
            for name, mac in macs
        ),
    )
