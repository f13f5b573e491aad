"""A TOML document to an Inventory, with every problem told at once."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Any, TypeVar

from fleet.core import inventory_checks as checks
from fleet.core.errors import FleetError
from fleet.core.inventory import (
    OVERALL,
    Defaults,
    Host,
    Inventory,
    LlamaCpp,
    Model,
    Server,
)
from fleet.core.inventory_checks import Judge, Problem
from fleet.core.inventory_types import Value, validate
from fleet.core.names import is_name
from fleet.core.selectors import is_on
from fleet.core.text import safe_line

TABLES = ("llama_cpp", "defaults", "hosts", "models", "servers")
WAYS = ("address", "ssh", "transport")  # a host that says one of them takes none from the defaults
Kind = TypeVar("Kind", bound=Value)
Check = Mapping[str, Callable[[str], object]]
Tables = Mapping[str, Mapping[str, Any]]


def read(
    document: Mapping[str, Any], path: str, judge: Judge, check: Check, options: checks.Options
) -> Inventory:
    """As fleet.core.inventory.parse."""
    found: list[Problem] = []
    for key in document:
        if key not in TABLES:
            found.append(_unknown((key,), TABLES, {}))
    tables = {key: _table(document, key, found) for key in TABLES}
    defaults = _defaults(tables["defaults"], found)
    llama_cpp = _value(LlamaCpp, tables["llama_cpp"], ("llama_cpp",), found) or LlamaCpp()
    hosts = _all(Host, "hosts", tables, partial(_host, defaults), found)
    models = _all(Model, "models", tables, dict, found)
    servers = _all(Server, "servers", tables, partial(_server, defaults), found)
    inventory = Inventory(
        llama_cpp=llama_cpp,
        hosts=hosts,
        models=models,
        servers=servers,
        private_networks=tuple(defaults.get("private_networks", ())),
        cache_max=_bytes(defaults),
        hub=defaults.get("hub"),
        connections=defaults.get("connections"),
        ollama=defaults.get("ollama"),
        s3=defaults.get("s3"),
        converter_index=defaults.get("converter_index"),
        path=path,
    )
    found.extend(_semantics(inventory, tables, judge, check, options))
    if found:
        raise checks.error(found, path)
    return inventory


def _semantics(
    inventory: Inventory, tables: Tables, judge: Judge, check: Check, options: checks.Options
) -> Iterator[Problem]:
    """What needs more than one value to be judged. Tables with other problems count as present."""
    yield from checks.llama_cpp(inventory.llama_cpp)
    tags = {name: _tags(table) for name, table in tables["hosts"].items()}
    for name, host in inventory.hosts.items():
        yield from checks.host(name, host)
        yield from checks.build(name, host, inventory.private_networks, options)
    for name, model in inventory.models.items():
        yield from checks.model(name, model, tables["models"])
    for name, server in inventory.servers.items():
        yield from checks.server(name, server, tags, tables["models"], inventory.private_networks, judge)
    yield from checks.crowded(
        inventory.servers, lambda name: (h for h in tags if is_on(inventory.servers[name].on, h, tags[h]))
    )
    yield from _on_shelves(inventory, check)


def _on_shelves(inventory: Inventory, check: Check) -> Iterator[Problem]:
    values: list[tuple[str, str, str | None]]
    values = [("llama_cpp.source", "llama_cpp.source", inventory.llama_cpp.source)]
    for name, host in inventory.hosts.items():
        values.append(("hosts.backend", f"hosts.{name}.backend", host.backend))
        values.append(("hosts.supervisor", f"hosts.{name}.supervisor", host.supervisor))
    for name, model in inventory.models.items():
        values.append(("models.source", f"models.{name}.source", model.source))
    for key, place, value in values:
        if value is not None and key in check:
            try:
                check[key](value)
            except FleetError as wrong:
                yield Problem(place, wrong.what, wrong.next)


def _table(document: Mapping[str, Any], key: str, found: list[Problem]) -> Mapping[str, Any]:
    table = document.get(key, {})
    if isinstance(table, dict):
        return table
    found.append(Problem(key, "Input should be a table", f"write it as [{key}]"))
    return {}


def _all(
    kind: type[Kind],
    key: str,
    tables: Tables,
    merged: Callable[[Mapping[str, Any]], dict[str, Any]],
    found: list[Problem],
) -> dict[str, Kind]:
    """The good entries of one table of tables."""
    values = {}
    for name, table in _named(tables[key], key, found):
        value = _value(kind, merged(table), (key, name), found)
        if value is not None:
            values[name] = value
    return values


def _named(table: Mapping[str, Any], kind: str, found: list[Problem]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Entries with a good name and a table; the others become problems."""
    for name, entry in table.items():
        if not is_name(name):
            what = "is reserved" if name == "all" else "should be a name: a-z 0-9 . _ - (at most 63)"
            found.append(Problem(f"{kind}.{name}", what, "rename it"))
        elif not isinstance(entry, dict):
            found.append(Problem(f"{kind}.{name}", "Input should be a table", f"write it as [{kind}.{name}]"))
        else:
            yield name, entry


def _defaults(table: Mapping[str, Any], found: list[Problem]) -> dict[str, Any]:
    """The defaults as they were written, without those that are wrong."""
    before = len(found)
    if _value(Defaults, table, ("defaults",), found) is None:
        wrong = {problem.place.split(".")[1] for problem in found[before:]}
        return {k: value for k, value in table.items() if k in Defaults.model_fields and k not in wrong}
    return dict(table)


def _host(defaults: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    hidden = WAYS if any(way in table for way in WAYS) else ()
    inherited = {k: v for k, v in defaults.items() if k in Host.model_fields and k not in hidden}
    return inherited | dict(table) | _merged("cmake", inherited, table)


def _server(defaults: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    inherited = {key: value for key, value in defaults.items() if key in Server.model_fields}
    return inherited | dict(table) | _merged("args", inherited, table)


def _merged(key: str, inherited: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """A table within a table: what the nearer one does not say comes from the defaults."""
    ours, theirs = table.get(key), inherited.get(key)
    return {key: theirs | ours} if isinstance(ours, dict) and isinstance(theirs, dict) else {}


def _value(
    kind: type[Kind], table: Mapping[str, Any], place: tuple[str, ...], found: list[Problem]
) -> Kind | None:
    """The validated table, or None and its problems in `found`."""
    value = validate(kind, table)
    if isinstance(value, kind):
        return value
    for wrong in value if isinstance(value, tuple) else ():
        where = (*place, *wrong.where)
        if wrong.is_unknown:
            found.append(_unknown(where, kind.model_fields, _elsewhere(kind)))
        else:
            found.append(Problem(".".join(where), wrong.what))
    return None


def _unknown(where: tuple[str, ...], known: Iterable[str], elsewhere: Mapping[str, str]) -> Problem:
    key = where[-1]
    if key in elsewhere:
        return Problem(".".join(where), f"belongs into {elsewhere[key]}", "move the line there")
    names = list(known)
    near = get_close_matches(key[:64], names, n=1, cutoff=0.5)
    if near:
        return Problem(".".join(where), f"unknown key, nearest is {near[0]}", f"rename it to {near[0]}")
    return Problem(".".join(where), f"unknown key {safe_line(key, 64)!r}", f"one of: {', '.join(names)}")


def _elsewhere(kind: type[Value]) -> dict[str, str]:
    """Keys of other tables, and which."""
    tables: dict[type[Value], str] = {Host: "[hosts.NAME]", Server: "[servers.NAME]", Model: "[models.NAME]"}
    homes: dict[str, str] = dict.fromkeys(OVERALL, "[defaults]")
    for other, name in tables.items():
        if other is not kind:
            homes |= {key: name for key in other.model_fields if key not in kind.model_fields}
    return {} if kind is Defaults else homes


def _tags(table: Any) -> tuple[str, ...]:
    tags = table.get("tags", ()) if isinstance(table, dict) else ()
    return tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()


def _bytes(defaults: Mapping[str, Any]) -> int | None:
    value = validate(Defaults, {key: text for key, text in defaults.items() if key == "cache_max"})
    return getattr(value, "cache_max", None)
