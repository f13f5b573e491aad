"""What is said of a host beside the table, and how its last events read."""

from fleet.core import ages
from fleet.core import events as happened
from fleet.core.events import Event
from fleet.core.state import HostState
from fleet.tui.paint import Part
from fleet.tui.scene import Scene
from fleet.tui.text import (
    UNKNOWN,
    gib_text,
    percent_text,
    rate_text,
    span_text,
    state_text,
    tone_of,
)


def host_pane(host: HostState, scene: Scene) -> list[Part]:
    """Lines for a narrow column, the most important first."""
    word = scene.words.get(host.name, "unknown")
    lines: list[Part] = [(host.name, "strong"), (state_text(word, scene.options.ascii), tone_of(word))]
    if host.error is not None:
        lines += [
            (host.error.message, "bad"),
            *wrapped(f"-> {host.error.next}" if host.error.next else "", 21),
        ]
    lines.append(("", ""))
    for name, server in host.servers.items():
        said = ages.server_word(server, ages.freshness(host, scene.now(), scene.state.interval), scene.now())
        lines.append((f"{name} {said}", tone_of(said)))
        sample = server.sample
        if sample is not None:
            if sample.reason:
                lines += wrapped(sample.reason, 21)
            lines.append((f" up {span_text(sample.since)}  restarts {_count(sample.restarts)}", ""))
        if server.measured is not None and server.measured.ttft is not None:
            lines.append((f" TTFT {server.measured.ttft * 1000:.0f} ms", ""))
    for name in host.declared:
        if name not in host.servers:
            lines.append((f"{name} not seen yet", "dim"))
    sample_ = host.sample
    if sample_ is not None:
        lines.append(("", ""))
        if sample_.gpu_load is not None or sample_.gpu_memory_total is not None:
            temperature = "" if sample_.gpu_temperature is None else f" {sample_.gpu_temperature:.0f}C"
            power = "" if sample_.gpu_power is None else f" {sample_.gpu_power:.0f}W"
            lines.append((f"GPU  {percent_text(sample_.gpu_load)}%{temperature}{power}", ""))
            lines.append(
                (f"VRAM {gib_text(sample_.gpu_memory_used)}/{gib_text(sample_.gpu_memory_total)}", "")
            )
        lines.append((f"RAM  {gib_text(sample_.memory_used)}/{gib_text(sample_.memory_total)}", ""))
        swapping = bool(sample_.swap_in)
        lines.append((f"SWAP {gib_text(sample_.swap_used)}", "warn" if swapping else ""))
        lines.append((f"DISK {gib_text(sample_.disk_free)} free", ""))
    if host.log:
        lines += [("", ""), *((event_text(event), "dim") for event in host.log[:-7:-1])]
    return lines


def server_speed(host: HostState, name: str, scene: Scene) -> str:
    server = host.servers[name]
    fresh = ages.freshness(host, scene.now(), scene.state.interval)
    said = ages.server_freshness(server, fresh, scene.now())
    if server.sample is None or said in (ages.GONE, ages.NEVER):
        return UNKNOWN
    text = rate_text(server.sample.generation_tps)
    return text if said == ages.FRESH or text == UNKNOWN else f"~{text}"


def event_text(event: Event) -> str:
    """An event as a few words."""
    match event:
        case happened.StepDone():
            return f"{event.step} ok {span_text(event.seconds)}"
        case happened.StepStarted():
            return f"{event.step} ..."
        case happened.StepFailed() | happened.HostFailed():
            return f"failed: {event.message}"
        case happened.Planned():
            return f"plan: {len(event.steps)} steps" if event.steps else "nothing to do"
        case happened.Confirmed():
            return f"confirmed by {event.actor}"
        case happened.LinkLost():
            return f"link lost: {event.message}"
        case happened.Connected():
            return "connected"
        case happened.Probed():
            return "probed, rebooted since" if event.rebooted else "probed"
        case happened.HostDone():
            return "done" if event.changed else "nothing to do"
        case happened.Notice():
            return event.message
        case happened.Measured():
            return f"{event.server}: {rate_text(event.generation_tps)} t/s measured"
    return event.event


def wrapped(text: str, width: int, tone: str = "") -> list[Part]:
    """A sentence on as many lines as it needs; words longer than a line are cut."""
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += " " + word
        else:
            lines.append(word)
    return [(line, tone) for line in lines]


def _count(value: int | None) -> str:
    return UNKNOWN if value is None else str(value)
