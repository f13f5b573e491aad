"""Our own POSIX sh loop, for hosts without a service manager."""

from fleet.core.facts import Facts
from fleet.core.plan import File
from fleet.platforms.base import program
from fleet.supervisors.base import Service, Supervisor, packaged

BACKOFF = 1  # seconds before the first restart; doubles
PAUSE_MAX = 60  # seconds
STARTS = 5  # within the window, then it gives up
WINDOW = 600  # seconds


def score(facts: Facts) -> int:
    return 10


def unit(service: Service) -> str:
    return service.server


def files(service: Service) -> tuple[File, ...]:
    return (File("bin/supervise.sh", text(service.root), 0o700),)


def text(root: str, backoff: int = BACKOFF, starts: int = STARTS, window: int = WINDOW) -> str:
    """The loop, published once for all servers of a host; it takes the server as its argument."""
    return program(
        packaged("own", "supervise"),
        FLEET_ROOT=root,
        BACKOFF=backoff,
        PAUSE_MAX=PAUSE_MAX,
        STARTS=starts,
        WINDOW=window,
    )


def notes(facts: Facts) -> tuple[str, ...]:
    if facts.has_cron:
        return ()
    return ("no service manager and no cron here: servers do not survive a reboot",)


supervisor = Supervisor("fleet's supervise script", score, unit, files, "supervise_control", notes)
