"""A conversion as a document and as lines for people."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fleet.commands.base import Request, Results, split
from fleet.commands.converting.finish import NOWHERE, Listed
from fleet.core.plan import Plan, count_text
from fleet.core.render import plan_lines, table
from fleet.models.outcome import Made, row, shown


@dataclass(frozen=True, slots=True)
class Done:
    """The whole run."""

    host: str
    plan: Plan
    made: tuple[Made, ...]
    advice: tuple[str, ...]
    listed: Listed = NOWHERE


def document(request: Request, results: Results) -> dict[str, Any]:
    """`fleet.conversion/1`: bytes, bits for each weight, perplexities."""
    found: Done | None = next(iter(split(results)[0].values()), None)
    if found is None:
        return {"host": None, "steps": [], "notes": [], "models": [], "advice": [], "inventory": None}
    return {
        "host": found.host,
        "steps": [step.document() for step in found.plan.steps],
        "notes": list(found.plan.notes),
        "models": [one.document() for one in found.made],
        "advice": list(found.advice),
        "inventory": {key: list(getattr(found.listed, key)) for key in ("added", "there", "taken")},
    }


def lines(request: Request, results: Results) -> Iterable[str]:
    for found in split(results)[0].values():
        if request.dry_run and found.plan.steps:
            yield from plan_lines([found.plan])
            yield "nothing done (--dry-run)"
            return
        for one in found.made:
            if not one.results:
                yield f"{one.job.origin.name}: not made"
                continue
            yield f"{one.job.origin.name}: {count_text(len(one.results), 'file')} on {found.host}"
            head = ("TYPE", "BYTES", "BITS", "PPL", "MORE PPL", "KLD", "SAME TOP")
            yield from table(head, [row(one, result) for result in one.results])
            yield from shown(one, found.listed.all)
        yield from _listing(found)
        yield from found.advice


def _listing(found: Done) -> Iterable[str]:
    """What became of the inventory."""
    known = found.listed
    if known.added:
        yield f"added to the inventory: {', '.join(known.added)}"
    if known.there:
        yield f"in the inventory already: {', '.join(known.there)}"
    for model in known.taken:
        yield f"the inventory has another model called {model}: write this one down under another name"
    if not known.all and not known.taken and any(one.results for one in found.made):
        yield "the same command with --add writes these lines"
