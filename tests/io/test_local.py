"""Programs of this machine: nothing of them is left behind when somebody stops listening."""

import asyncio
import os
import subprocess
import sys

import pytest

from fleet.io.local import LocalTransport

PROGRAM = """
import asyncio, gc
from fleet.core.errors import FleetError
from fleet.io.local import LocalTransport

async def main():
    asyncio.get_running_loop().slow_callback_duration = 60  # a busy machine is no fault of ours
    here = LocalTransport("here")
    try:
        await here.run({script!r}, deadline={deadline}, cap=1 << 16)
    except FleetError as error:
        print(type(error).__name__)
    {then}

asyncio.run(main())
gc.collect()
"""
ENDLESS = "while :; do echo a line that is longer than nothing; done"
STUBBORN = "trap '' TERM; echo ready; sleep 30 & wait"
CLOSED = "await here.close()"
LEFT = "(trap '' TERM; sleep 2) & echo started"


@pytest.mark.parametrize(
    ("script", "deadline", "then"),
    [
        (ENDLESS, 20, CLOSED),
        ("sleep 30", 0.3, CLOSED),
        (LEFT, 20, CLOSED),
        ("true", 20, "pass"),
        (STUBBORN, 0.3, CLOSED),
    ],
)
def test_the_loop_ends_without_a_word_after_a_program_was_ended(script, deadline, then) -> None:
    """asyncio prints "Event loop is closed" where pipes are still open when their loop is not."""
    text = PROGRAM.format(script=script, deadline=deadline, then=then)
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-c", text], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stderr == ""


async def test_a_program_that_nobody_waits_for_while_it_starts_is_ended_with_all_that_it_began():
    here, marked = LocalTransport("here"), f"3{os.getpid()}"
    for steps in range(40):
        starting = asyncio.create_task(here.start(f"sleep {marked} & wait"))
        for _ in range(steps):
            await asyncio.sleep(0)
        starting.cancel()
        done, _ = await asyncio.wait({starting}, timeout=20)
        assert done
        if not starting.cancelled():
            starting.result().kill()
    await here.close()
    for _ in range(200):  # a program that was told to end is seen for a moment longer
        left = (await here.run(f"ps -A -o args= | grep '^sleep {marked}$' || :", deadline=20)).out
        if not left:
            break
        await asyncio.sleep(0.05)
    assert left == b""
