"""What is opened rather than run on hosts: the dashboard, the demo, the first inventory."""

from collections.abc import Mapping
from typing import Any

from fleet.core.errors import UsageError


def open_door(name: str, values: Mapping[str, Any]) -> int:
    """The dashboard, the demo, the first inventory."""
    match name:
        case "tui":
            from fleet.tui.run import open_dashboard

            return open_dashboard(values)
        case "demo":
            from fleet.demo import demo

            return demo(
                is_json=bool(values["json"]), is_kept=bool(values["keep"]), simulated=values["simulated"]
            )
        case "init":
            from fleet.io.inventory.init import main as initialise

            return initialise(values)
    raise UsageError(f"no door called {name!r}")
