"""A mistake of ours, kept for a report and told in one sentence."""

import traceback
from pathlib import Path

from fleet.core.errors import FleetError


def bug(error: BaseException, host: str | None, state: Path) -> FleetError:
    """The error as a sentence; the traceback, without local values, lies in the state folder."""
    path = state / "crash.txt"
    text = "".join(traceback.format_exception(error))
    try:
        path.write_text(text)
    except OSError as problem:
        return FleetError(
            f"a mistake in fleet: {type(error).__name__}: {error} ({problem})", host=host, kind="bug"
        )
    return FleetError(
        f"a mistake in fleet: {type(error).__name__}: {error}",
        host=host,
        next=f"send {path} with a bug report",
        kind="bug",
    )
