"""What of the models on a host must stay, why, and what may go."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet.core.errors import UsageError
from fleet.core.facts import Facts, Part
from fleet.core.names import nearest
from fleet.core.stock import Stocked
from fleet.core.text import safe_line

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory

SHORTEST = 6  # hex digits that name a model


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the inventory wants on a host."""

    servers: Mapping[
        str, tuple[str, ...]
    ]  # id of a model, or sha256 of one of its files -> servers that want it
    unknown: tuple[str, ...]  # names of models whose sha256 nobody knows yet


def wanted(inventory: "Inventory", host: str, stocked: Stocked) -> Wanted:
    """The models of the host's servers, and what belongs to them: projectors, drafts, adapters."""
    servers: dict[str, list[str]] = {}
    unknown: dict[str, None] = {}
    for server, wish in inventory.servers_on(host).items():
        for name in belonging(inventory, wish.model):
            known = stocked.of(name)
            if known is None or known.sha256 is None:
                unknown[name] = None
            else:
                for sha256 in (known.sha256, *known.parts):
                    servers.setdefault(sha256, []).append(server)
    return Wanted({sha: tuple(names) for sha, names in servers.items()}, tuple(unknown))


def belonging(inventory: "Inventory", name: str) -> tuple[str, ...]:
    """A model and the models it names."""
    model = inventory.models.get(name)
    if model is None:
        return (name,)
    return tuple(dict.fromkeys((name, *(other for _, other in model.companions))))


def users(facts: Facts, stocked: Stocked, sha256: str) -> tuple[str, ...]:
    """Servers of the host that run from a model; an instance names it as the inventory did."""
    names = stocked.names(sha256)
    return tuple(one.server for one in facts.instances if one.model in names)


def spare(facts: Facts, wish: Wanted) -> tuple[str, ...]:
    """Models on the host that nothing needs: no release, no server of the inventory, no person."""
    if wish.unknown:
        return ()
    needed = facts.used | facts.kept | set(wish.servers)
    return tuple(one.sha256 for one in facts.models if one.sha256 not in needed)


def spare_sets(facts: Facts, wish: Wanted) -> tuple[str, ...]:
    """Models of several files that nothing needs."""
    if wish.unknown:
        return ()
    needed = facts.used | facts.kept | set(wish.servers)
    return tuple(one.id for one in facts.sets if one.id not in needed)


def stale(facts: Facts, wish: Wanted) -> tuple[Part, ...]:
    """Parts of models that nobody waits for."""
    if wish.unknown:
        return ()
    return tuple(part for part in facts.parts if part.sha256 not in wish.servers)


def meant(text: str, stocked: Stocked, held: Iterable[str]) -> str:
    """The sha256 of a model that a person named: its name in the inventory, or how its hash begins.

    Args:
        held: sha256 of the models among which a beginning is looked for.

    Raises:
        UsageError: no such model, its hash is not known, or the beginning fits several.
    """
    known = stocked.of(text)
    if known is not None:
        if known.sha256 is None:
            raise UsageError(f"nobody knows the sha256 of {text} yet", next=f"fleet models pull {text}")
        return known.sha256
    digits = text.lower()
    if len(digits) >= SHORTEST and not digits.strip("0123456789abcdef"):
        found = sorted({one for one in held if one.startswith(digits)})
        if len(found) == 1:
            return found[0]
        if len(digits) == 64:
            return digits
        if found:
            raise UsageError(
                f"{digits} begins {len(found)} models", next=", ".join(one[:16] for one in found[:4])
            )
        raise UsageError(f"no model here begins with {digits}", next="fleet models list")
    near = nearest(text, [one.name for one in stocked.known])
    raise UsageError(
        f"no model called {safe_line(text, 80)!r}",
        next=f"one of: {', '.join(near)}" if near else "fleet models list",
    )
