"""How far predicted memory is from what the real llama-server allocates.

    python benchmarks/fit.py [--server FILE] [--model FILE ...] [--recordings FOLDER] [--json]

Without --server fleet builds llama.cpp on a host of its own first (minutes; seconds from the cache).
Starts: files in the shapes of published models, with a real header and no weights, under several
arguments each; the real models given with --model, and Gemma 3 270M where fleet's cache holds it.
With the recordings also the log of an RTX 4070. Ratio = predicted / real, of all bytes and of the
compute buffers alone.
"""

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fleet.models import buffers  # noqa: E402
from fleet.models.layout import layout  # noqa: E402
from fleet.models.placement import Model, whole  # noqa: E402
from fleet.models.room import HOST, Pool  # noqa: E402
from fleet.models.wish import Wish  # noqa: E402
from tests.controller import GEMMA, Controller, compiling, share_compilations, user_cache  # noqa: E402
from tests.embedded import Embedded  # noqa: E402
from tests.models.values import read  # noqa: E402
from tests.shapes import SHAPES, write  # noqa: E402
from tests.starts import predicted, start  # noqa: E402

MIB = 2**20
LAYERS = 8  # of each shape: weights and caches are sums over layers, what computing takes is not
WISHES = (
    Wish(8192, 1),
    Wish(8192, 4),
    Wish(4096, 4, unified=False, ubatch=1024, kv_type_k="q8_0", kv_type_v="q8_0"),
)
LOG = "hardware/nvidia-rtx4070-desktop/llama-server.fit-and-oom.log"


@dataclass(frozen=True, slots=True)
class Row:
    what: str
    value: int  # bytes predicted
    against: int  # bytes allocated

    @property
    def ratio(self) -> float:
        return self.value / self.against


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--server", type=Path, help="a llama-server; built by fleet without it")
    parser.add_argument("--model", type=Path, action="append", default=[], help="a real model to start too")
    parser.add_argument("--recordings", type=Path, default=ROOT.parent / "shared" / "recordings")
    parser.add_argument("--shape", action="append", choices=sorted(SHAPES), help="only these shapes")
    parser.add_argument("--json", action="store_true", help="one document on standard output")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fleet-fit-") as name:
        folder = Path(name)
        with contextlib.ExitStack() as stack:
            server = options.server or stack.enter_context(built(folder))
            rows = []
            for row in measured(server, folder, options.shape or list(SHAPES), options.model):
                rows.append(row)
                if not options.json:
                    print(line(row), flush=True)
        rows += recorded(options.recordings / LOG, folder)
    if options.json:
        print(json.dumps({"rows": [document(row) for row in rows]}))
        return
    for row in rows[-1:]:
        print(line(row))
    for kind in ("total", "compute"):
        print(summary(kind, [row.ratio for row in rows if row.what.startswith(f"fleet {kind},")]))


def measured(server: Path, folder: Path, shapes: Sequence[str], models: Sequence[Path]) -> Iterator[Row]:
    """Two rows for each start: everything, and what computing takes."""
    for name in shapes:
        path = write(folder / f"{name}.gguf", SHAPES[name], layers=LAYERS)
        for wish in WISHES:
            yield from compared(server, path, wish, f"{name} of {LAYERS} layers", is_whole=False)
        path.unlink()
    gemma = user_cache() / "models" / f"{GEMMA['sha256']}.gguf"
    for path in (*models, *([gemma] if gemma.is_file() else ())):
        title = "gemma3-270m Q4_K_M, real" if path == gemma else f"{path.stem}, real"
        for wish in WISHES:
            yield from compared(server, path, wish, title, is_whole=True)


def compared(server: Path, path: Path, wish: Wish, title: str, *, is_whole: bool) -> Iterator[Row]:
    real = start(server, path, wish, is_whole=is_whole)
    said = predicted(path, wish).host
    slots = f"{wish.parallel} slots{'' if wish.unified or wish.parallel == 1 else ' apart'}"
    case = f"{title}, {wish.context} tokens, {slots}, ubatch {wish.ubatch}, {wish.kv_type_k}"
    if real.total is None or real.compute is None:
        print(f"not judged: {case}: llama-server did not load it", file=sys.stderr)
        return
    yield Row(f"fleet total, {case}", said.total, real.total)
    yield Row(f"fleet compute, {case}", said.compute, real.compute)


def recorded(log: Path, folder: Path) -> list[Row]:
    """The card of an RTX 4070: weights as logged (of another quantisation), all else predicted."""
    if not log.is_file():
        print(f"not judged: no recording {log}", file=sys.stderr)
        return []
    said = buffers.read(log.read_text().splitlines())
    path = write(folder / "qwen3.5-27b.gguf", SHAPES["qwen3.5-27b"])
    wish = Wish(131072, 1, ubatch=1024, gpu_layers=26)
    room = (Pool("CUDA0", "", None, 1), Pool(HOST, "", None, 1))
    use = whole(Model(layout(read(path)), wish, build=8586), room).of("CUDA0")
    weights = said.of("weights", "CUDA0") or 0
    allocated = weights + use.kv + sum(one.bytes for one in said.refused)
    case = "RTX 4070 log of b8586, 26 of 65 layers, 131072 tokens, ubatch 1024"
    return [
        Row(f"fleet total, {case}", weights + use.kv + use.compute, said.projected or 1),
        Row(f"fleet closing, {case}: weights and compute as logged", allocated, said.projected or 1),
    ]


@contextlib.contextmanager
def built(folder: Path) -> Iterator[Path]:
    """A llama-server that fleet builds on a host of its own, or takes from its cache."""
    hosts = Embedded(folder / "hosts")
    try:
        host = hosts.up(["builder"])["builder"]
        share_compilations(host.home)
        controller = Controller(folder / "controller")
        controller.write([host], settings={host.name: {"root": str(host.home / "fleet")}})
        with compiling():
            controller.well("build", host.name, "--yes", deadline=3600)
        (found,) = (host.home / "fleet" / "builds").glob("*/bin/llama-server")
        yield found
    finally:
        hosts.down()


def line(row: Row) -> str:
    return f"{row.value / MIB:10.2f} of {row.against / MIB:10.2f} MiB  {row.ratio:7.4f}  {row.what}"


def document(row: Row) -> dict[str, object]:
    return {"what": row.what, "value": row.value, "against": row.against, "ratio": row.ratio}


def summary(kind: str, ratios: Sequence[float]) -> str:
    if not ratios:
        return f"{kind}: nothing measured"
    errors = [abs(ratio - 1) for ratio in ratios]
    return (
        f"{kind}: {len(ratios)} starts, median error {statistics.median(errors):.3%}, worst {max(errors):.2%}"
    )


if __name__ == "__main__":
    main()
