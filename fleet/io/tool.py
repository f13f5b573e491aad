"""A program of this machine (git, pip) with a deadline, ended together with what it started."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fleet.core.errors import DeadlineError, FleetError
from fleet.core.packages import debian
from fleet.core.text import safe_text

CAP = 1 << 20  # bytes of output kept


@dataclass(frozen=True, slots=True)
class Said:
    """What a program left behind: safe text, the last of each stream."""

    status: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """The line that most likely says why."""
        lines = [line.strip() for line in (self.out + "\n" + self.err).splitlines() if line.strip()]
        loud = [line for line in lines if line.lower().startswith(("error", "fatal"))]
        return (loud or lines or [f"exit {self.status}"])[-1][:400]


async def run_tool(
    *argv: str, deadline: float, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> Said:
    """Runs it to its end; no shell, no terminal, nothing on its input.

    Raises:
        FleetError: the program is not installed.
        DeadlineError: it ran longer than `deadline` seconds, and was ended.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=folder,
            env=dict(os.environ) | {"LC_ALL": "C"} | dict(environment or {}),
            start_new_session=True,
        )
    except FileNotFoundError as error:
        name = Path(argv[0]).name
        raise FleetError(
            f"{name} is not installed on this machine", next=f"apt-get install {debian(name)}"
        ) from error
    try:
        async with asyncio.timeout(deadline):
            out, err = await asyncio.gather(_tail(process.stdout), _tail(process.stderr))
            status = await process.wait()
    except TimeoutError as error:
        raise DeadlineError(
            f"{Path(argv[0]).name} did not end within {deadline:g} s", next="the same command again"
        ) from error
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return Said(status, safe_text(out), safe_text(err))


async def _tail(stream: asyncio.StreamReader | None) -> bytes:
    kept = bytearray()
    while stream is not None and (data := await stream.read(1 << 16)):
        kept += data
        del kept[:-CAP]
    return bytes(kept)
