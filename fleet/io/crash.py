"""A mistake of ours, kept for a report and told in one sentence."""

import traceback
from pathlib import Path

from fleet.core.errors import FleetError
from fleet.core.text import safe_line


def bug(error: BaseException, host: str | None, state: Path) -> FleetError:
    """The error as a sentence; the traceback, without local values, lies in the state folder."""
    path = state / "crash.txt"
    text = "".join(traceback.format_exception(error))
    what = f"a mistake in fleet: {type(error).__name__}: {safe_line(str(error), 300)}"
    try:
        path.touch(mode=0o600)
        path.write_text(text, "utf-8", "backslashreplace")
    except OSError as problem:
        return FleetError(f"{what} ({problem})", host=host, kind="bug")
    return FleetError(
        what,
        host=host,
        next=f"send {path} with a bug report",
        kind="bug",
    )
