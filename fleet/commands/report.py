"""One file for a bug report: facts, recipes, manifests, ends of logs, the last events; no secrets."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet.commands import facts as facts_verb
from fleet.commands.base import Option, Request, Results, Verb, split
from fleet.core.bundle import Bundle, Bundled, ReadRecords
from fleet.core.errors import FleetError, UsageError
from fleet.core.facts import Facts
from fleet.core.flow import Flow, probe
from fleet.core.plan import count_text, size_text

if TYPE_CHECKING:
    from fleet.core.inventory import Host, Inventory

LINES_MOST = 5000
HASH = re.compile(r"\b[0-9a-f]{64}\b")


@dataclass(frozen=True, slots=True)
class Reported:
    bundle: Bundled
    error: FleetError | None  # why the host's part holds no more than that


def flow(request: Request, inventory: "Inventory", host: str) -> Flow[Reported]:
    """The host's part of the report; one that does not answer has the reason there."""
    lines = int(request["lines"] or 200)
    if not 0 < lines <= LINES_MOST:
        raise UsageError(f"--lines {lines}: between 1 and {LINES_MOST}", next="fleet report --lines 200")
    texts: dict[str, str] = {}
    found: Facts | None = None
    problem: FleetError | None = None
    try:
        found = yield from probe(host)
        texts["facts.json"] = _facts(request, host, found)
        records: Mapping[str, str] = yield ReadRecords(host, lines)
        texts |= records
    except FleetError as error:
        problem = error
        texts["error.json"] = json.dumps(error.document(), indent=1, ensure_ascii=False) + "\n"
    bundle: Bundled = yield Bundle(
        host,
        texts,
        known(inventory, found, texts),
        names(host, inventory.hosts[host], found),
        bool(request["keep_names"]),
        request["output"],
    )
    return Reported(bundle, problem)


def known(inventory: "Inventory", found: Facts | None, texts: Mapping[str, str]) -> frozenset[str]:
    """Hashes that are no secrets: of models, builds and the files of builds."""
    words = {model.sha256 for model in inventory.models.values() if model.sha256}
    if inventory.llama_cpp.sha256:
        words.add(inventory.llama_cpp.sha256)
    if found is not None:
        words |= {model.sha256 for model in found.models} | {part.sha256 for part in found.parts}
        words |= {build.fingerprint for build in found.builds}
        words |= {build.binary for build in found.builds if build.binary}
    # Fleet's keys are 64 hex digits too; none of them stands in what it writes of a build.
    manifests = (text for name, text in texts.items() if name.endswith("BUILD.json"))
    return frozenset(words.union(*(HASH.findall(text) for text in manifests)))


def names(host: str, wish: "Host", found: Facts | None) -> dict[str, str]:
    """What tells who and where, and what stands for it."""
    told = {wish.address: f"<address of {host}>", wish.user: "user", wish.ssh: f"<alias of {host}>"}
    if found is not None:
        told |= {found.user: "user", found.home: "~"}
    plain = ("root", "~", host, "localhost", "127.0.0.1", "::1")
    return {word: instead for word, instead in told.items() if word and word not in plain}


def document(request: Request, results: Results) -> dict[str, Any]:
    """`fleet.report/1`."""
    good, errors = split(results)
    bundle = next((one.bundle for one in good.values()), None)
    return {
        "path": bundle.path if bundle else None,
        "bytes": bundle.size if bundle else None,
        "hosts": [
            {"name": host, "error": error.document() if (error := _error(good, errors, host)) else None}
            for host in results
        ],
    }


def lines(request: Request, results: Results) -> Iterable[str]:
    good, errors = split(results)
    for host in results:
        if host in good and (error := _error(good, errors, host)):
            yield f"{host}: {error.what}; the report says so"
    for one in good.values():
        bundle = one.bundle
        count = count_text(bundle.files, "file")
        yield f"{bundle.path}: {count}, {size_text(bundle.size)}, for your eyes (0600)"
        yield "look through it before you send it"
        return


def _error(good: Mapping[str, Reported], errors: Mapping[str, FleetError], host: str) -> FleetError | None:
    return errors.get(host) or good[host].error


def _facts(request: Request, host: str, found: Facts) -> str:
    (plain,) = facts_verb.document(request, {host: found})["hosts"]
    return json.dumps(plain, indent=1, ensure_ascii=False) + "\n"


verb = Verb(
    help="Write one file for a bug report: facts, manifests, logs and events, without secrets.",
    level=0,
    flow=flow,
    document=document,
    lines=lines,
    schema="fleet.report/1",
    options=(
        Option("--output", "the file to write; else fleet-report-….tar.gz here", metavar="FILE"),
        Option("--lines", "how many lines of each log", "integer", 200, "N"),
        Option("--keep-names", "leave users, homes and addresses as they are", "flag"),
    ),
)
