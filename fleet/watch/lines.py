"""Events as lines for a person at a shell. None for what would only be noise."""

from fleet.core.events import (
    Confirmed,
    Event,
    HostFailed,
    LinkLost,
    Notice,
    Output,
    Planned,
    Probed,
    StepDone,
    StepFailed,
    StepProgress,
    StepStarted,
)
from fleet.core.plan import seconds_text, size_text


def line(event: Event, is_verbose: bool = False) -> str | None:
    """One line, without colour, the host first."""
    host = f"{event.host}: " if event.host else ""
    match event:
        case Probed(rebooted=True):
            return f"{host}was restarted since the last look"
        case StepStarted(step=step, done=done, total=total):
            return f"{host}[{done + 1}/{total}] {step} ..."
        case StepDone(step=step, done=done, total=total, seconds=seconds, bytes=moved):
            how = "sent" if event.route in (None, "controller") else "received"  # not all of it from here
            sent = f", {size_text(moved)} {how}" if moved is not None else ""
            return f"{host}[{done}/{total}] {step}: ok ({seconds_text(seconds)}{sent})"
        case StepFailed(step=step, done=done, total=total, message=message):
            return f"{host}[{done + 1}/{total}] {step}: FAILED"
        case StepProgress():
            return f"{host}{progress(event)}"
        case HostFailed(message=message, next=following):
            first = f"{host}{message}"
            return f"{first}\n-> next: {following}" if following else first
        case LinkLost(message=message) | Notice(message=message):
            return f"{host}{message}"
        case Output(line=text) if is_verbose:
            return f"{host}| {text}"
        case Planned() | Confirmed():
            return None
        case _:
            return None


def progress(event: StepProgress) -> str:
    """`push gemma 37% 21.0 MiB/s, 2m10 left`."""
    if event.unit == "bytes":
        done = size_text(event.done)
        rate = f" {size_text(event.rate)}/s" if event.rate else ""
    else:
        done = f"{event.done:.0f} {event.unit}"
        rate = ""
    share = f" {100 * event.done / event.total:.0f}%" if event.total else f" {done}"
    left = f", {seconds_text(event.left)} left" if event.left is not None else ""
    return f"{event.step}{share}{rate}{left}"
