"""How far predicted decode speeds are from measured ones; nothing is run, no host is needed.

    python benchmarks/speed.py [--rows FILE] [--leave-one-out] [--json]

Without --rows it takes speed_rows.csv beside it: public measurements, each with its source. A row
is judged when it has bandwidth, layers and bytes read for a token; the rest is counted and named.
Ratio = predicted / measured.
"""

import argparse
import csv
import dataclasses
import json
import math
import re
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fleet.models import bandwidth, quants, speed  # noqa: E402
from fleet.models.chips.base import GB, Chip  # noqa: E402

ROWS = Path(__file__).with_name("speed_rows.csv")
# llama.cpp's age where a row tells its commit, its collection or who vendored it, not its build number.
AGES = (
    ("newer build", None),
    ("8e672ef", 1550),  # November 2023
    ("discussion 4167", 1550),
    ("XiongjieDai", 2700),  # snapshots of May 2024, before CUDA graphs
    ("discussion 15013", 6000),  # August 2025
)
OLLAMA = 6000  # Ollama's Metal kernels: those from before METAL_SIDE_BY_SIDE


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A measurement and what is predicted for it."""

    device: str
    model: str
    tps: float
    is_fitted: bool
    part: speed.Part
    build: int | None

    def predicted(self, known: speed.Constants = speed.FITTED) -> speed.Speed:
        found = speed.decode([self.part], self.build, known=known)
        assert found is not None
        return found

    def ratio(self, known: speed.Constants = speed.FITTED) -> float:
        return self.predicted(known).tps / self.tps


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=Path, default=ROWS, metavar="FILE", help="measurements, as CSV")
    parser.add_argument("--leave-one-out", action="store_true", help="also fit without each device in turn")
    parser.add_argument("--json", action="store_true", help="one JSON document; tokens/s")
    given = parser.parse_args()
    with given.rows.open(newline="") as file:
        rows, left = read(csv.DictReader(file))
    if given.json:
        print(json.dumps({"rows": [document(row) for row in rows]}))
        return
    for line in table(rows, left):
        print(line)
    if given.leave_one_out:
        unseen = left_out(rows)
        print(f"each device by a fit without it: {summary(unseen)}")
        marks = statistics.quantiles(unseen, n=20)
        print(f"nine of ten between {marks[0]:.2f} and {marks[-1]:.2f} of what was measured")


def read(lines: Iterable[dict[str, str]]) -> tuple[list[Row], list[str]]:
    """Rows that can be judged, and why the others cannot."""
    rows, left = [], []
    for line in lines:
        name = f"{line['device']}, {line['model']}"
        if "partial offload" in line["device"]:
            left.append(f"{name}: partial offload, without the split")
        elif not (line["bandwidth_GBps"] and line["layers"] and line["bytes_read_per_token"]):
            left.append(f"{name}: no bandwidth, layers or bytes")
        else:
            rows.append(row(line))
    return rows, left


def row(line: dict[str, str]) -> Row:
    given = float(line["bandwidth_GBps"]) * GB
    api, device = placed(line["device"], line["backend"], given)
    part = speed.Part(
        device,
        api,
        weights=int(float(line["bytes_read_per_token"])),
        layers=int(line["layers"]),
        quant=quants.named(line["model"]),
    )
    is_fitted = line["fitted"].strip().lower() == "yes"
    return Row(line["device"], line["model"], float(line["tps"]), is_fitted, part, build(line))


def placed(name: str, backend: str, given: float) -> tuple[str, bandwidth.Bandwidth]:
    """What drives the device, and the device: its width and clock by its name, its bandwidth as given."""
    short = re.sub(r"^\d+\s*x\s+|\(.*?\)|\*\s*\d+$", " ", name)
    count = re.search(r"\b(\d+)(c\b|-core GPU)", short, re.IGNORECASE)
    short = re.sub(r"\b\d+(c\b|-core GPU)", " ", short, flags=re.IGNORECASE)
    near = min(
        rows_of(short, int(count[1]) if count else None),
        key=lambda row: abs(math.log(row.bandwidth / given)),
        default=None,
    )
    found = bandwidth.of_chips([near]) if near else None
    device = found or bandwidth.Bandwidth(given, "the row")
    return api(backend, device.vendor), dataclasses.replace(device, bytes_per_second=given)


def rows_of(name: str, cores: int | None) -> list[Chip]:
    """Chips that a row can mean: people write the memory into the name, or leave the socket out."""
    bare = re.sub(r"\b\d+ ?GB\b", " ", name)
    said = bandwidth.words(bare)
    # A word alone, as "Jetson", is a family and no chip.
    is_chip = any(letter.isdigit() for word in said for letter in word)
    return (
        bandwidth.chips(name, cores)
        or bandwidth.chips(bare, cores)
        or [chip for chip in bandwidth.CHIPS if is_chip and said < bandwidth.words(chip.name)]
    )


def api(backend: str, vendor: str | None) -> str:
    """What drives a GPU, by what the row calls its backend, else by who made it."""
    word = backend.lower()
    for known, mine in (
        ("cuda", "cuda"),
        ("metal", "metal"),
        ("vulkan", "vulkan"),
        ("hip", "hip"),
        ("rocm", "hip"),
    ):
        if known in word:
            return mine
    if "cpu" in word:
        return "cpu"
    return {"apple": "metal", "nvidia": "cuda", "amd": "hip", "intel": "vulkan"}.get(vendor or "", "cuda")


def build(line: dict[str, str]) -> int | None:
    """llama.cpp's build number, as far as the row tells it; None is today's."""
    text = line["source"]
    if number := re.search(r"\bb(\d{4,5})\b|\((\d{4,5})\)", text):
        return int(number[1] or number[2])
    if "ollama" in f"{line['test']} {line['backend']}".lower():
        return OLLAMA
    return next((age for word, age in AGES if word in text), None)


def table(rows: Sequence[Row], left: Sequence[str]) -> Iterable[str]:
    yield f"{'device':34} {'model':24} {'predicted':>9} {'low':>7} {'high':>7} {'measured':>9} {'ratio':>6}"
    for one in rows:
        found = one.predicted()
        yield (
            f"{one.device[:34]:34} {one.model[:24]:24} {found.tps:9.2f} {found.low:7.2f} {found.high:7.2f} "
            f"{one.tps:9.2f} {one.ratio():6.3f}{' fitted' if one.is_fitted else ''}"
        )
    kinds: tuple[tuple[str, Callable[[Row], bool]], ...] = (
        ("all", lambda one: True),
        ("marked fitted", lambda one: one.is_fitted),
        ("Apple", lambda one: one.part.device.vendor == "apple"),
        ("Max and Ultra", lambda one: "Max" in one.device or "Ultra" in one.device),
        ("processors", lambda one: one.part.api == "cpu"),
    )
    for name, belongs in kinds:
        if chosen := [one.ratio() for one in rows if belongs(one)]:
            yield f"{name}: {summary(chosen)}"
    inside = sum(one.predicted().low <= one.tps <= one.predicted().high for one in rows)
    yield f"between low and high: {inside} of {len(rows)}"
    for reason in left:
        yield f"not judged: {reason}"


def summary(ratios: Sequence[float]) -> str:
    errors = [abs(ratio - 1) for ratio in ratios]
    worst = max(ratios, key=lambda ratio: abs(ratio - 1))
    return f"{len(ratios)} rows, median error {statistics.median(errors):.1%}, worst {worst - 1:+.1%}"


def document(one: Row) -> dict[str, Any]:
    return {
        "what": f"fleet, {one.device}, {one.model}",
        "value": one.predicted().tps,
        "against": one.tps,
        "ratio": one.ratio(),
    }


def left_out(rows: Sequence[Row]) -> list[float]:
    """Ratios of GPU rows, each device predicted by constants that were fitted on the others."""
    rows = [one for one in rows if one.part.api != "cpu"]
    ratios = []
    for name in sorted({chip(one) for one in rows}):
        known = fit([one for one in rows if chip(one) != name])
        ratios += [one.ratio(known) for one in rows if chip(one) == name]
    return ratios


def chip(one: Row) -> str:
    """The chip whatever its number of cores, so that its sister is left out with it."""
    return re.sub(r"^\d+\s*x\s+|\b\d+c\b|\b\d+ ?GB\b", "", one.device).strip()


def fit(rows: Sequence[Row]) -> speed.Constants:
    """The constants under which the rows come out best: each is moved in turn, in ever smaller steps."""

    def cost(known: speed.Constants) -> float:
        # The square root keeps a row that something else disturbed from pulling all others.
        return sum(math.sqrt(1 + (math.log(one.ratio(known)) / 0.05) ** 2) for one in rows)

    known, best = speed.FITTED, cost(speed.FITTED)
    for step in (1.1, 1.03, 1.01):
        is_better = True
        while is_better:
            is_better = False
            for field in dataclasses.fields(known):
                for factor in (step, 1 / step):
                    moved = dataclasses.replace(known, **{field.name: getattr(known, field.name) * factor})
                    if moved.reached <= 1 >= moved.bridge and (found := cost(moved)) < best - 1e-9:
                        known, best, is_better = moved, found, True
    return known


if __name__ == "__main__":
    main()
