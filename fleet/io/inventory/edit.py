"""What an operation does to the lines of an inventory: comments stay with what they are about."""

from collections.abc import Callable
from typing import Any, TypeGuard

import tomlkit
from tomlkit.items import Item, Key, Table, Whitespace

from fleet.core.edits import AddHost, AddModel, Operation, PinModel, RemoveHost, SetHostKey
from fleet.core.errors import InventoryError
from fleet.core.selectors import without

Body = list[tuple[Key | None, Item]]


def change(operation: Operation) -> Callable[[tomlkit.TOMLDocument], None]:
    """The operation, for fleet.io.inventory.file.edit."""
    match operation:
        case AddHost(name, keys):
            return lambda document: _add(document, "hosts", name, keys, f"fleet host remove {name}")
        case AddModel(name, keys):
            return lambda document: _add(document, "models", name, keys, "fleet config show")
        case RemoveHost(name):
            return lambda document: _remove(document, name)
        case SetHostKey(name, fingerprint):
            return lambda document: _set(_entry(document, "hosts", name), "host_key", fingerprint)
        case PinModel(name, sha256, parts):
            return lambda document: _pin(_entry(document, "models", name), sha256, parts)


def _add(document: tomlkit.TOMLDocument, kind: str, name: str, keys: Any, following: str) -> None:
    there = document.get(kind)
    if there is not None and name in there:
        raise InventoryError(f"{kind}.{name} is there already", next=following)
    tables = _tables(document, kind)
    if there is not None and not tables:  # hosts = { … }
        there[name] = dict(keys)
        return
    table = tomlkit.table()
    for key, value in keys.items():
        table.add(key, list(value) if isinstance(value, tuple) else value)
    if not tables:
        parent = tomlkit.table(is_super_table=True)
        parent.add(name, table)
        if document.body:
            document.add(tomlkit.nl())
        document.add(kind, parent)
        return
    parent = tables[-1]
    last = _last(parent)
    tail = _cut(last)
    last.append((None, Whitespace("\n")))
    parent.add(name, table)
    table.value.body.extend(tail)


def _remove(document: tomlkit.TOMLDocument, name: str) -> None:
    for table in _tables(document, "hosts"):
        if name in table:
            _drop(document, table, name)
            break
    else:
        hosts = document.get("hosts", {})
        if name not in hosts:
            raise InventoryError(f"there is no hosts.{name}", next="fleet host list")
        del hosts[name]
    for server in document.get("servers", {}).values():
        on = server.get("on") if isinstance(server, dict) else None
        if isinstance(on, list):
            _thin(on, name)


def _drop(document: tomlkit.TOMLDocument, parent: Table, name: str) -> None:
    """Takes a table out; what stands below it and is about something else stays."""
    entry = parent.value.item(name)
    tail = _cut(entry.value.body)[1:] if isinstance(entry, Table) else []
    before = _before(document, parent, name)
    parent.remove(name)
    if not tail:
        return
    if before is None:  # nothing stands above: the lines go under a bare [hosts]
        parent.value.body[:0] = tail
    else:
        before.extend(tail)


def _before(document: tomlkit.TOMLDocument, parent: Table, name: str) -> Body | None:
    """The lines of the table that ends just above the entry."""
    above: Body | None = None
    for key, item in document.body:
        if item is parent:
            for inner, entry in parent.value.body:
                if inner is not None and inner.key == name:
                    return above
                if _is_section(entry, inner):
                    above = _last(entry)
        elif isinstance(item, Table):
            above = _last(item)
        elif key is not None:
            above = None
    return above


def _thin(on: list[Any], name: str) -> None:
    """A server's `on` without a host, in place, so that its layout stays."""
    for index in reversed(range(len(on))):
        if isinstance(on[index], str):
            left = without(on[index], name)
            if left is None:
                del on[index]
            elif left != on[index]:
                on[index] = left


def _pin(table: Any, sha256: str, parts: tuple[str, ...]) -> None:
    key, other = ("parts", "sha256") if parts else ("sha256", "parts")
    _set(table, key, list(parts) if parts else sha256)
    if other in table:
        del table[other]
    if "allow_unpinned" in table:
        del table["allow_unpinned"]


def _set(table: Any, key: str, value: str | list[str]) -> None:
    """A key after the others of its table, above the empty line that ends it."""
    if key in table or not isinstance(table, Table):
        table[key] = value
        return
    tail = _cut(table.value.body)
    table.add(key, value)
    table.value.body.extend(tail)


def _entry(document: tomlkit.TOMLDocument, kind: str, name: str) -> Any:
    for table in _tables(document, kind):
        if name in table:
            return table.value.item(name)
    entries = document.get(kind, {})
    if name not in entries:
        raise InventoryError(f"there is no {kind}.{name}", next="fleet config show")
    return entries[name]


def _tables(document: tomlkit.TOMLDocument, kind: str) -> list[Table]:
    """The places where the tables of a kind stand: one, or several with others between."""
    return [
        item for key, item in document.body if key is not None and key.key == kind and isinstance(item, Table)
    ]


def _last(table: Table) -> Body:
    """The lines at the very end of a table and the tables in it."""
    inner = [item for key, item in table.value.body if _is_section(item, key)]
    return _last(inner[-1]) if inner else table.value.body


def _is_section(item: Item, key: Key | None) -> TypeGuard[Table]:
    """A table with a line of its own, `[hosts.rtx]`; not `rtx.port = 22`."""
    return isinstance(item, Table) and key is not None and not key.is_dotted()


def _cut(body: Body) -> Body:
    """Takes away what follows the last key from the first empty line on."""
    start = len(body)
    while start and body[start - 1][0] is None:
        start -= 1
    while start < len(body) and not (
        isinstance(body[start][1], Whitespace) and "\n" in body[start][1].as_string()
    ):
        start += 1
    tail = body[start:]
    del body[start:]
    return tail
