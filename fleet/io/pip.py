"""pip as the user has configured it: one package index for people and for fleet."""

import sys
from collections.abc import Mapping
from pathlib import Path

from fleet.core.errors import DeadlineError, PlanError
from fleet.io.tool import Said, run_tool


async def pip_download(
    *words: str, to: Path, deadline: float, environment: Mapping[str, str] | None = None
) -> Said:
    """Files of packages, without what they require, into a folder. What pip said, and its exit status.

    Args:
        words: which files, as `pip download` takes them.
        deadline: seconds.
        environment: variables for pip, beside our own.

    Raises:
        PlanError: this Python has no pip.
        DeadlineError: it took too long.
    """
    pip = (sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check", "download", "--no-deps")
    options = ("--progress-bar", "off", "-d", str(to))
    try:
        said = await run_tool(*pip, *options, *words, deadline=deadline, environment=environment)
    except DeadlineError as error:
        raise DeadlineError(f"pip took longer than {deadline:g} s", next="the same command again") from error
    if said.status and "No module named pip" in said.out + said.err:
        raise PlanError("this Python has no pip", next=f"{sys.executable} -m ensurepip")
    return said
