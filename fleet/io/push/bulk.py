"""`python -m fleet.io.push.bulk COMMAND`: a command on a host, as ssh runs it, but by fleet's own rules.

The first line of standard input is a job in JSON: name, host (as in the inventory), state (the folder
of the pins). All after it is the command's. It asks nothing, and ends when its parent does.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from fleet.core.errors import FleetError
from fleet.core.inventory import Host
from fleet.io.clock import SystemClock
from fleet.io.process import Process
from fleet.io.ssh import transport as ssh
from fleet.io.ssh.pins import Pins

READ = 1 << 20  # bytes
WRITE = 256 << 10  # bytes; what asyncssh does best
LOST = 255  # exit status, as of ssh
LONGEST = 1 << 20  # bytes of a job


async def run(job: dict[str, Any], command: str, rest: bytes) -> int:
    """The exit status of the command."""
    clock = SystemClock()
    transport = await ssh.connect(
        job["name"],
        Host.model_validate(job["host"]),
        pins=Pins(Path(job["state"]), clock),
        clock=clock,
        on_lost=lambda reason: None,
    )
    try:
        process = await transport.start(command)
        tasks = [
            asyncio.ensure_future(one)
            for one in (_out(process.read, 1), _out(process.read_error, 2), _in(process, rest), _orphaned())
        ]
        try:
            await asyncio.wait({*tasks[:2]}, return_when=asyncio.ALL_COMPLETED)
            for task in tasks[:2]:
                task.result()
            return await process.status()
        finally:
            for task in tasks:
                task.cancel()
    finally:
        await transport.close()


async def _in(process: Process, rest: bytes) -> None:
    try:
        async for data in _read(rest):
            for at in range(0, len(data), WRITE):
                await process.write(data[at : at + WRITE])
    except (BrokenPipeError, FleetError):
        return  # its exit status says why
    process.end_input()


async def _read(rest: bytes) -> AsyncIterator[bytes]:
    loop, thread = asyncio.get_running_loop(), ThreadPoolExecutor(1)
    data = rest
    while True:
        if data:
            yield data
        data = await loop.run_in_executor(thread, os.read, 0, READ)
        if not data:
            return


async def _out(read: Any, to: int) -> None:
    while data := await read():
        view = memoryview(data)
        while view:
            view = view[os.write(to, view) :]


async def _orphaned() -> None:
    """Ends the process where nobody waits for it any more."""
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(1)
    os._exit(LOST)


def main() -> int:
    head = b""
    while b"\n" not in head and len(head) < LONGEST:
        data = os.read(0, 65536)
        if not data:
            return LOST
        head += data
    line, _, rest = head.partition(b"\n")
    try:
        return asyncio.run(run(json.loads(line), sys.argv[-1], rest))
    except FleetError as error:
        print(error, file=sys.stderr)
    except BrokenPipeError:
        pass
    return LOST


if __name__ == "__main__":
    # Not by sys.exit: the thread that reads standard input may wait for ever.
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
