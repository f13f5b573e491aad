"""What the screens look at: the state, the clock, and how a person wants to see it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fleet.core import ages
from fleet.core.jobs import Job
from fleet.core.state import HostState, State
from fleet.tui import filters
from fleet.tui.options import Options
from fleet.tui.rows import Moment, sort_value
from fleet.tui.text import Steady

RESORT = 10.0  # seconds between two changes of the order that nobody asked for
SLOW_RESORT = 60.0


@dataclass(slots=True)
class Scene:
    """Read by every view, changed only by the app."""

    state: State
    now: Callable[[], float]  # Unix seconds
    options: Options
    levels: Mapping[str, int] = field(default_factory=dict)  # verb -> danger level
    sort: str = "gen"
    is_reverse: bool = True
    filter: str = ""
    only_problems: bool = False
    is_wide: bool = False
    skip: int = 0  # columns scrolled out to the left
    wanted: tuple[str, ...] = ()  # columns that were chosen
    marked: set[str] = field(default_factory=set)
    host: str | None = None  # on the Host screen
    steady: Steady = field(default_factory=Steady)
    behind: float = 0.0  # seconds that our own loop lags
    words: dict[str, str] = field(default_factory=dict)  # host -> state word, of this tick
    order: tuple[str, ...] = ()
    sorted_at: float = 0.0
    _last: tuple[object, ...] = ()

    @property
    def moment(self) -> Moment:
        return Moment(self.now(), self.state.interval, self.options.ascii, self.steady)

    def tick(self) -> None:
        """Judges every host once; puts them in order when it is time or something was asked."""
        now = self.now()
        hosts = self.state.hosts
        self.words = {name: ages.host_word(host, now, self.state.interval) for name, host in hosts.items()}
        asked = (self.sort, self.is_reverse, self.filter, self.only_problems, len(hosts))
        pause = SLOW_RESORT if self.options.slow else RESORT
        is_due = asked != self._last or not 0 <= now - self.sorted_at < pause
        if is_due or self.only_problems or "state" in self.filter:
            self._arrange(now, is_due)
            self._last = asked

    def _arrange(self, now: float, is_due: bool) -> None:
        test, _ = filters.matcher(self.filter)
        shown = [host for host in self.state.hosts.values() if self._is_shown(host, test)]
        if not is_due:
            place = {name: number for number, name in enumerate(self.order)}
            shown.sort(key=lambda host: place.get(host.name, len(place)))
            self.order = tuple(host.name for host in shown)
            return
        interval = self.state.interval
        shown.sort(key=lambda host: host.name)
        keyed = [(sort_value(host, self.sort, now, interval), host.name) for host in shown]
        known = [entry for entry in keyed if entry[0][0] == 0]
        known.sort(key=lambda entry: entry[0][1], reverse=self.is_reverse)
        self.order = tuple(name for _, name in known) + tuple(name for value, name in keyed if value[0])
        self.sorted_at = now

    def _is_shown(self, host: HostState, test: filters.Test) -> bool:
        word = self.words[host.name]
        return test(host, word) and (not self.only_problems or ages.is_problem(word))

    def jobs(self) -> Sequence[Job]:
        """Runs that change something, newest last."""
        return [job for job in self.state.jobs.values() if job.is_change]

    def job(self) -> Job | None:
        """The one that the Deploy screen shows: the newest that runs, else the newest."""
        jobs = self.jobs()
        running = [job for job in jobs if job.ended is None]
        return (running or jobs or [None])[-1]  # type: ignore[list-item]
