"""What keeps a server alive: one record for each kind, and the programs they share."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from fleet.core.facts import Facts
from fleet.core.plan import File
from fleet.core.shelf import Shelf
from fleet.core.shell import packaged as shipped
from fleet.platforms.base import program

LOG_CAP = 16 << 20  # bytes of server.log before it is cut; one old copy is kept beside it


@dataclass(frozen=True, slots=True)
class Service:
    """One server as its supervisor sees it."""

    server: str
    rid: str  # id of the release it starts
    root: str  # absolute
    home: str
    description: str

    @property
    def run(self) -> str:
        """The program that becomes llama-server."""
        return f"{self.root}/releases/{self.server}/{self.rid}/run"

    @property
    def log(self) -> str:
        return f"{self.root}/services/{self.server}/log/server.log"

    @property
    def mark(self) -> str:
        """Tells units of several roots of one user apart; empty for the root in its usual place."""
        usual = (f"{self.home}/.local/share/fleet", f"{self.home}/Library/Application Support/fleet")
        return "" if self.root in usual else "-" + sha256(self.root.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Supervisor:
    """One kind of supervisor.

    Attributes:
        title: for people.
        score: how good it is on this host; 0 where it cannot work.
        unit: what the service is called there.
        files: what it is told about the service.
        control: name of the packaged .sh file that gives `service_start` and its sisters.
        notes: what a person should know about it on this host.
    """

    title: str
    score: Callable[[Facts], int]
    unit: Callable[[Service], str]
    files: Callable[[Service], tuple[File, ...]]
    control: str
    notes: Callable[[Facts], tuple[str, ...]]


SUPERVISORS: Shelf[Supervisor] = Shelf("fleet.supervisors", "supervisor", Supervisor)


def choose(facts: Facts, wanted: str | None = None) -> str:
    """The name of the supervisor to use on a host.

    Args:
        wanted: the inventory's choice.

    Raises:
        PlanError: the wanted one is not on the shelf.
    """
    if wanted is not None:
        SUPERVISORS.take(wanted)
        return wanted
    return max(SUPERVISORS.all(), key=lambda pair: pair[1].score(facts))[0]


def packaged(*names: str) -> str:
    """Shell text of this folder, one file after another."""
    return shipped("fleet.supervisors", *(f"{name}.sh" for name in names))


def helpers(root: str, cap: int = LOG_CAP, nap: int = 15) -> tuple[File, ...]:
    """Programs that stay on the host and serve every supervisor.

    Args:
        root: absolute; they carry it, since nobody tells them later.
        cap: bytes of a log before it is cut.
        nap: seconds between looks at it.
    """
    logcap = program(packaged("logcap"), FLEET_ROOT=root, CAP=cap, NAP=nap)
    return (File("bin/logcap.sh", logcap, 0o700), File("bin/term.sh", packaged("term"), 0o700))


def verb(kind: str, name: str, service: Service, **variables: str) -> str:
    """A program that does one thing to one service.

    Args:
        kind: name of the supervisor.
        name: deploy (switch to the release, then start), start, check (the port is
            free), stop, hold, remove or prove.
        variables: SOCKET (path, or empty), ADDRESS (of a TCP listener, or empty), REASON (of a hold),
            PROOF (one line, of prove).

    Returns:
        A program for `Run`. It says what went wrong in `fleet: error:` and `fleet: next:` lines
        on standard error, and what is worth knowing in `fleet: note:` lines on standard output.
    """
    supervisor = SUPERVISORS.take(kind)
    files = supervisor.files(service)
    plist = next((file.path for file in files if file.path.endswith(".plist")), "")
    body = packaged("own", supervisor.control, "verbs")
    known = {"SOCKET": "", "ADDRESS": "", "REASON": "", "PROOF": ""} | variables
    return program(
        body,
        VERB=name,
        SERVER=service.server,
        RID=service.rid,
        SUPERVISOR=kind,
        UNIT=supervisor.unit(service),
        PLIST=plist,
        **known,
    )
