"""The host's lock, held by one controller at a time, with a generation that fences late writers."""

import asyncio
import contextlib
import fcntl
import getpass
import json
import os
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import IO

from fleet.core.errors import FleetError, PlanError, StepError, UnreachableError
from fleet.core.shell import complaint
from fleet.core.text import safe_line, safe_text
from fleet.io.ports import Clock, Transport
from fleet.io.shelltext import packaged, placed, taken_over
from fleet.platforms.base import FENCED

BEAT = 15.0  # seconds between signs of life
TTL = 90.0  # seconds without a sign after which a lock may be taken over (RELIABILITY 3.3)
RELEASE = 10.0  # seconds
OLD = 86400.0  # seconds after which the file of a run that was killed is swept away
RACES = 150  # times in a row that somebody else may take the lock first: half a minute
GENERATION = re.compile(r"[0-9]{1,15}")
RUN = re.compile(r"[0-9a-zA-Z_-]{1,64}")

Reach = Callable[[], Awaitable[Transport]]


class Owner:
    """This process as a holder of locks.

    Another run of the same controller can tell that it is gone: it holds a file
    lock that the kernel drops when the process ends, however it ends.
    """

    def __init__(self, state: Path, run: str, verb: str) -> None:
        self.folder = state / "owners"
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.run = run
        self._file: IO[str] = open(self.folder / run, "w")  # noqa: SIM115 open for as long as we live
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.line = json.dumps(
            {
                "controller": controller(state),
                "user": getpass.getuser(),
                "machine": socket.gethostname(),
                "pid": os.getpid(),
                "run": run,
                "verb": verb,
            }
        )

    def sweep(self, now: float) -> None:
        """Remove the files of runs that were killed long ago; a young one may still be taking its lock."""
        for path in self.folder.iterdir():
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < now - OLD:
                    with open(path) as file:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        path.unlink()

    def close(self) -> None:
        (self.folder / self.run).unlink(missing_ok=True)
        self._file.close()

    def is_gone(self, owner: dict[str, object]) -> bool:
        """Whether that owner was a process of this controller that has ended."""
        if owner.get("controller") != json.loads(self.line)["controller"]:
            return False
        run = str(owner.get("run", ""))
        if not RUN.fullmatch(run):  # it becomes a file's name
            return False
        path = self.folder / run
        try:
            with open(path) as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        path.unlink(missing_ok=True)
        return True


def controller(state: Path) -> str:
    """The id of this controller: made once, kept in the state folder."""
    path = state / "controller"
    with contextlib.suppress(FileExistsError), open(path, "x") as file:
        file.write(os.urandom(8).hex())
    return path.read_text().strip()


@contextlib.asynccontextmanager
async def hold(
    host: str,
    reach: Reach,
    root: str,
    owner: Owner,
    clock: Clock,
    tell: Callable[[str], None],
    release: float = RELEASE,
) -> AsyncIterator[str]:
    """The lock of a host for as long as the block runs; gives the generation.

    Args:
        tell: told whom we wait for.
        release: seconds that giving it back may take.

    Raises:
        PlanError: somebody else who is alive holds it; names who.
        StepError: the lock was lost on the way (another controller took it over
            after 90 s without a sign of life from us), or the root cannot be written.
    """
    generation = await _acquire(host, reach, root, owner, clock, tell)
    work = asyncio.current_task()
    assert work is not None
    lost: list[FleetError] = []
    beat = asyncio.create_task(_beat(host, reach, root, generation, clock, work, lost))
    try:
        yield generation
    except asyncio.CancelledError:
        if lost:
            work.uncancel()
            raise lost[0] from None
        raise
    finally:
        beat.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beat
        if not lost:
            # A host that is away is not waited for: its lock is taken over from the dead run.
            with contextlib.suppress(FleetError, TimeoutError):
                async with asyncio.timeout(release):
                    done = placed(packaged("beat", BEAT="done"), root, generation)
                    await (await reach()).run(done, deadline=release)


async def _acquire(
    host: str, reach: Reach, root: str, owner: Owner, clock: Clock, tell: Callable[[str], None]
) -> str:
    take = ""
    seen: tuple[str, str] | None = None  # generation, beat
    since = clock.monotonic()
    told = False
    races = 0
    line = json.dumps(json.loads(owner.line) | {"host": host})
    while True:
        script = placed(packaged("lock", OWNER=line, TAKE=take), root)
        try:
            answer = await (await reach()).run(script, deadline=30)
        except UnreachableError as error:
            if error.kind != "link-lost" or races == RACES:
                raise
            take, races = "", races + 1
            await clock.sleep(1)
            continue
        text = safe_text(answer.out)
        if answer.status:
            what, following = complaint(text + "\n" + safe_text(answer.err))
            raise StepError(
                what or f"cannot take the lock: {safe_line(answer.err)}", host=host, next=following
            )
        words = text.split(maxsplit=3)
        if words[:1] == ["acquired"] and len(words) == 2 and GENERATION.fullmatch(words[1]):
            return words[1]
        if words == ["lost"] and races < RACES:
            take, races = "", races + 1
            await clock.sleep(0.2)
            continue
        if words[:1] != ["held"] or len(words) < 3 or not GENERATION.fullmatch(words[1]):
            raise StepError(
                f"it does not say whether its lock was taken: {safe_line(text, 200)!r}",
                host=host,
                next=f"fleet doctor {host}",
            )
        generation, beat = words[1], words[2]
        who = _owner(words[3] if len(words) > 3 else "")
        if who.get("run") == owner.run and who.get("host") == host:
            return generation  # the link broke when we were told
        if owner.is_gone(who):
            take = generation
            continue
        has_moved = seen is not None and seen[0] == generation and seen[1] != beat
        if has_moved or _is_ours(who, owner):
            raise PlanError(
                f"{_holder(who)} is changing this host now",
                host=host,
                next=f"wait until that is done, or fleet unlock {host}",
                kind="locked",
            )
        if seen != (generation, beat):
            seen, since = (generation, beat), clock.monotonic()
        if clock.monotonic() - since >= TTL:
            take = generation
            continue
        if not told:
            tell(
                f"waiting for the lock of {_holder(who)}: taken over after {TTL:.0f} s without a sign of life"
            )
            told = True
        await clock.sleep(3)


async def _beat(
    host: str,
    reach: Reach,
    root: str,
    generation: str,
    clock: Clock,
    work: "asyncio.Task[object]",
    lost: list[FleetError],
) -> None:
    count = 0
    last = clock.monotonic()
    while True:
        await clock.sleep(BEAT)
        count += 1
        try:
            transport = await reach()
            answer = await transport.run(
                placed(packaged("beat", BEAT=count), root, generation), deadline=BEAT
            )
            if answer.status == FENCED:
                raise taken_over(host)
            last = clock.monotonic()
        except StepError as error:
            lost.append(error)
            work.cancel()
            return
        except (UnreachableError, FleetError):
            # The link may come back; whoever waits for the host decides how long.
            # The fence on the host refuses our writes if somebody took over meanwhile.
            if clock.monotonic() - last > 10 * TTL:
                lost.append(StepError("the host was away for too long", host=host, kind="lock-lost"))
                work.cancel()
                return


def _owner(line: str) -> dict[str, object]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _is_ours(who: dict[str, object], owner: Owner) -> bool:
    return bool(who) and who.get("controller") == json.loads(owner.line)["controller"]


def _holder(who: dict[str, object]) -> str:
    if not who:
        return "an unknown controller"
    return safe_line(
        f"{who.get('user')}@{who.get('machine')} (fleet {who.get('verb')}, pid {who.get('pid')})", 200
    )
