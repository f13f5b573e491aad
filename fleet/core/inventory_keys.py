"""Every key an inventory may have, with its unit and its meaning."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from fleet.core.inventory import OVERALL, Host, Inventory, LlamaCpp, Model, Server
from fleet.core.inventory_types import Value


@dataclass(frozen=True, slots=True)
class Described:
    """One key of the file, for people."""

    table: str  # hosts.NAME
    key: str
    type: str
    default: Any  # None: unset
    is_required: bool
    meaning: str  # with its unit


TABLES: tuple[tuple[str, type[Value]], ...] = (
    ("llama_cpp", LlamaCpp),
    ("hosts.NAME", Host),
    ("models.NAME", Model),
    ("servers.NAME", Server),
)


def described() -> tuple[Described, ...]:
    """Every key a file may have, in the order of the tables; `[defaults]` names only its own."""
    rows = [
        _described(table, key, field) for table, kind in TABLES for key, field in kind.model_fields.items()
    ]
    fields = Inventory.model_fields
    return tuple(rows) + tuple(_described("defaults", key, fields[key]) for key in OVERALL)


def _described(table: str, key: str, field: Any) -> Described:
    required = field.is_required()
    default = None if required else field.get_default(call_default_factory=True)
    return Described(table, key, _type(field.annotation), default, required, field.description or "")


def _type(annotation: Any) -> str:
    """What a person writes there: text, number, list …"""
    if get_origin(annotation) is Annotated:
        return _type(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return _type(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return "one word"
    names: dict[Any, str] = {
        bool: "true or false",
        int: "number",
        str: "text",
        tuple: "list",
        Mapping: "table",
    }
    return names.get(get_origin(annotation) or annotation, "table")
