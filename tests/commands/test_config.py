"""`fleet config show`."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from fleet.commands.base import Request
from fleet.commands.config_show import document, flow, lines
from fleet.io.inventory.file import load

INVENTORY = load(Path(__file__).resolve().parents[2] / "inventory.toml")


def shown(**options: Any) -> tuple[Request, dict[str, Any]]:
    request = Request("config-show", (), options)
    with pytest.raises(StopIteration) as stop:
        next(flow(request, INVENTORY, ""))
    return request, {"": stop.value.value}


def test_the_inventory_is_shown_as_toml_with_defaults_merged_in() -> None:
    request, results = shown()
    text = "\n".join(lines(request, results))
    found = tomllib.loads(text)
    assert found["hosts"]["laptop"] == {"address": "192.168.1.21", "part_time": True}
    assert found["cache_max"] == 20 * 2**30
    assert document(request, results)["inventory"] == found


def test_the_schema_has_every_key_with_its_meaning() -> None:
    request, results = shown(schema=True)
    text = list(lines(request, results))
    assert "[hosts.NAME]" in text
    assert any(line.split()[:2] == ["port", "number"] for line in text)
    assert len(document(request, results)["keys"]) > 30
