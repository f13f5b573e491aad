"""What can go wrong, as sentences for the person who must fix it.

FleetError            1  went wrong
├── UsageError        2  the command line
├── InventoryError    2  the file
├── ProbeError        1  an answer we cannot read
├── StepError         1  went wrong on the host
├── UnreachableError  4  the network, the keys
├── DeadlineError     5  took too long
├── PlanError         6  refused: cannot be done here
└── DeclinedError     7  nobody said yes
"""

PARTIAL = 3  # exit code: some hosts failed, or failed in different ways
INTERRUPTED = 130


class FleetError(Exception):
    """An error with a place and a remedy.

    Args:
        what: one sentence without the host's name; it is printed after it.
        host: the host it is about.
        step: the title of the step that failed.
        next: a command that can be typed, or what to look at.
        kind: a machine-readable word; the class's own where none is given.
    """

    exit_code = 1
    kind = "failed"

    def __init__(
        self,
        what: str,
        *,
        host: str | None = None,
        step: str | None = None,
        next: str | None = None,
        kind: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.host = host
        self.step = step
        self.next = next
        if kind is not None:
            self.kind = kind

    def __str__(self) -> str:
        place = ", ".join(part for part in (self.host, self.step) if part)
        first = f"{place}: {self.what}" if place else self.what
        return f"{first}\n-> next: {self.next}" if self.next else first

    def at(self, host: str) -> "FleetError":
        """The same error, with the host's name where it had none."""
        if self.host is None:
            self.host = host
        return self

    @property
    def message(self) -> str:
        """What, with the step's title before it; without the host."""
        return f"{self.step}: {self.what}" if self.step else self.what

    def document(self) -> dict[str, str | None]:
        """The `error` object of every JSON document: kind, message, next."""
        return {"kind": self.kind, "message": self.message, "next": self.next}


class UsageError(FleetError):
    exit_code = 2
    kind = "usage"


class InventoryError(FleetError):
    exit_code = 2
    kind = "inventory"


class ProbeError(FleetError):
    kind = "probe"


class StepError(FleetError):
    kind = "step"


class UnreachableError(FleetError):
    """Kinds: unreachable, auth, host-key-unknown, host-key-changed, link-lost."""

    exit_code = 4
    kind = "unreachable"


class DeadlineError(FleetError):
    exit_code = 5
    kind = "deadline"


class PlanError(FleetError):
    exit_code = 6
    kind = "refused"


class DeclinedError(FleetError):
    exit_code = 7
    kind = "declined"


def exit_code(errors: list[FleetError], succeeded: int) -> int:
    """The exit code of a run over several hosts.

    Args:
        errors: one for each host that failed.
        succeeded: how many hosts did not fail.

    Returns:
        0 without errors; the code of the errors' class where all hosts failed
        alike; 3 for a mixture or where a part worked.
    """
    codes = {error.exit_code for error in errors}
    if not codes:
        return 0
    if len(codes) == 1 and not succeeded:
        return codes.pop()
    return PARTIAL
