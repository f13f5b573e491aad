"""A simulated fleet for tests, benchmarks and screenshots. Never mixed with real hosts.

Everything it says is invented; fleet.tui.play shows it under the banner SIMULATED.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fleet.core import events as happened
from fleet.core.events import Event
from fleet.core.plan import Plan, Run, Step
from fleet.core.state import Known

GIB = 2**30
RUN = "story"
BANNER = "SIMULATED"
LEVELS = {
    **dict.fromkeys(("status", "facts", "logs", "doctor", "chat", "plan", "forward"), 0),
    **dict.fromkeys(("start", "restart", "push", "build"), 1),
    **dict.fromkeys(("deploy", "stop"), 2),
}
KINDS = (
    ("rtx4070", "cuda", "qwen2.5-7b-q4km", 61.4, 12),
    ("m3max", "metal", "llama3.1-8b-q5", 48.0, None),
    ("laptop", "cpu", "qwen2.5-1.5b-q4", 6.2, None),
    ("gpu", "cuda", "qwen3-8b-q4km", 92.0, 24),
)
PHASES = ("build", "push", "verify", "stop", "start", "health")
TITLES = (
    "build llama.cpp b11434",
    "push qwen3-8b",
    "verify qwen3-8b",
    "drain and stop chat",
    "start chat",
    "wait for chat",
)


@dataclass(frozen=True, slots=True)
class Actor:
    """One invented host."""

    known: Known
    model: str
    speed: float  # tokens/s at full load
    vram: int | None  # GiB


class Story:
    """What N hosts would say.

    Args:
        hosts: how many.
        share: of the hosts, those whose values change at every tick.
        seed: of everything that looks random.
        troubles: whether one host is down, one swaps and one is stale.
    """

    def __init__(self, hosts: int = 12, *, share: float = 1.0, seed: int = 1, troubles: bool = True) -> None:
        self._random = random.Random(seed)
        self._changing = int(hosts * share + 0.5)
        self._troubles = troubles and hosts >= 6
        self.actors = tuple(self._actor(number) for number in range(hosts))
        self.known = tuple(actor.known for actor in self.actors)

    def opening(self, at: float) -> list[Event]:
        """Everybody answers, but for the one that does not."""
        said: list[Event] = []
        for number, actor in enumerate(self.actors):
            name = actor.known.name
            if self._troubles and number == 3:
                said.append(
                    happened.HostFailed(
                        ts=at,
                        run=RUN,
                        host=name,
                        kind="unreachable",
                        message="ssh timeout after 5 s",
                        next=f"doctor {name}",
                    )
                )
                continue
            said.append(happened.Connected(ts=at, run=RUN, host=name, seconds=0.2))
            system = "macos" if actor.known.backend == "metal" else "linux"
            said.append(happened.Probed(ts=at, run=RUN, host=name, seconds=0.4, platform=system))
            said += self._values(number, at, 0)
        return said

    def past(self, at: float, seconds: int) -> list[Event]:
        """The minutes before, so that histories are full."""
        return [
            self._values(place, at - ago, -ago if place < self._changing else 0)[1]
            for ago in range(seconds, 0, -3)
            for place in range(len(self.actors))
        ]

    def tick(self, at: float, number: int) -> list[Event]:
        """One second later."""
        said: list[Event] = []
        for place, actor in enumerate(self.actors):
            if self._troubles and (place == 3 or (place == 5 and number > 3)):
                continue
            if place < self._changing:
                said += self._values(place, at, number)
            else:
                said.append(happened.Heartbeat(ts=at, run=RUN, host=actor.known.name))
                said += self._values(place, at, 0)[1:]
        return said

    def deploy(self, run: str, hosts: Sequence[str], at: float) -> Iterator[list[Event]]:
        """A deploy, a little further at each step; the last host fails where there are three."""
        yield [happened.RunStarted(ts=at, run=run, verb="deploy", hosts=tuple(hosts), actor="ana")]
        yield [
            event
            for host in hosts
            for event in (
                happened.Probed(ts=at + 1, run=run, host=host, seconds=0.5, platform="linux"),
                happened.Planned(
                    ts=at + 1, run=run, host=host, steps=TITLES, phases=PHASES, notes=("model q5 -> q4km",)
                ),
            )
        ]
        for number, (title, phase) in enumerate(zip(TITLES, PHASES, strict=True)):
            for part in range(4):
                yield [
                    event
                    for place, host in enumerate(hosts)
                    for event in _step(
                        run, host, title, phase, number, part, at + 2 + 4 * number + part, place
                    )
                ]
        failed = hosts[-1] if len(hosts) >= 3 else None
        end = at + 40
        said: list[Event] = [
            happened.HostDone(ts=end, run=run, host=host, changed=True) for host in hosts if host != failed
        ]
        if failed is not None:
            why = "died 2 s after start: exit 137 (out of memory)"
            after = f"logs {failed} --since 10m"
            said.append(
                happened.HostFailed(ts=end, run=run, host=failed, kind="step", message=why, next=after)
            )
        code = 3 if failed else 0
        yield [*said, happened.RunEnded(ts=end, run=run, exit_code=code, seconds=40.0)]

    def _actor(self, number: int) -> Actor:
        kind, backend, model, speed, vram = KINDS[min(number, 3)] if number < 4 else KINDS[number % 4]
        name = kind if number < 3 else "mac" if number == 3 else f"{kind}-{number:03}"
        backend = "metal" if number == 3 else backend
        known = Known(
            name,
            tags=("gpu",) if vram else ("apple",) if backend == "metal" else (),
            backend=backend,
            servers=("chat",),
        )
        return Actor(known, model, speed * self._random.uniform(0.8, 1.1), vram)

    def _values(self, place: int, at: float, number: int) -> list[Event]:
        actor = self.actors[place]
        name = actor.known.name
        wave = 0.55 + 0.4 * math.sin(number / 7 + place)
        noise = self._random.uniform(-0.08, 0.08) if number else 0.0
        load = min(max(wave + noise, 0.0), 1.0)
        is_idle = load < 0.25
        swapping = self._troubles and place == 2
        total = 32 * GIB
        sampled = happened.Sampled(
            ts=at,
            run=RUN,
            host=name,
            memory_used=int(total * (0.93 if swapping else 0.4 + 0.3 * load)),
            memory_total=total,
            swap_used=int(1.2 * GIB) if swapping else 0,
            swap_in=4e6 if swapping else 0.0,
            load=load,
            disk_free=212 * GIB,
            gpu_load=load if actor.vram else None,
            gpu_memory_used=int(actor.vram * GIB * 0.8) if actor.vram else None,
            gpu_memory_total=actor.vram * GIB if actor.vram else None,
            gpu_temperature=50 + 25 * load if actor.vram else None,
            gpu_power=60 + 130 * load if actor.vram else None,
        )
        slots = 0 if is_idle else 1 + int(load * 3)
        server = happened.ServerSampled(
            ts=at,
            run=RUN,
            host=name,
            server="chat",
            state="ready" if is_idle else "busy",
            model=actor.model,
            backend=actor.known.backend,
            listen="run/5f3a.sock",
            slots_busy=slots,
            slots_total=4,
            deferred=int(load * 3) if load > 0.8 else 0,
            held=int(8192 * 4 * load),
            context=8192 * 4,
            generation_tps=0.0 if is_idle else actor.speed * load,
            prompt_tps=0.0 if is_idle else actor.speed * load * 10,
            since=187_000.0 + number,
            restarts=0,
        )
        return [sampled, server]


def _step(
    run: str, host: str, title: str, phase: str, number: int, part: int, at: float, place: int
) -> list[Event]:
    total = len(TITLES)
    if part == 0:
        return [
            happened.StepStarted(ts=at, run=run, host=host, step=title, phase=phase, done=number, total=total)
        ]
    if part == 3:
        return [
            happened.StepDone(
                ts=at,
                run=run,
                host=host,
                step=title,
                phase=phase,
                key=title,
                done=number + 1,
                total=total,
                seconds=3.0 + 60 * (phase == "build"),
                bytes=int(4.7 * GIB) if phase == "push" else None,
            )
        ]
    whole = 4.7 * GIB if phase == "push" else 380.0
    done = whole * (0.3 * part + 0.05 * (place % 3))
    unit = "bytes" if phase == "push" else "files"
    rate = whole / 12
    said: list[Event] = []
    if phase in ("build", "push"):
        said.append(
            happened.StepProgress(
                ts=at,
                run=run,
                host=host,
                step=title,
                phase=phase,
                done=done,
                total=whole,
                unit=unit,
                rate=rate,
                left=(whole - done) / rate,
            )
        )
    line = f"[{int(done)}/{int(whole)}] {title}" if phase == "build" else f"{title}: part {part} of 3"
    return [*said, happened.Output(ts=at, run=run, host=host, step=title, line=line)]


def plan(host: str) -> Plan:
    """What the story would do on a host."""
    steps = [
        Step(title, Run("true", 60.0), title, phase, bytes=int(4.7 * GIB) if phase == "push" else None)
        for title, phase in zip(TITLES, PHASES, strict=True)
    ]
    notes = ("fits: 9.1 of 12.0 GiB on the GPU", "expected downtime: 8 s")
    return Plan(host, tuple(steps), notes)
