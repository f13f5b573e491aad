"""The last lines of servers' logs, or the new ones as they come, without those that our own looks cause."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fleet.commands.base import Option, Request, Results, Verb, split
from fleet.core.errors import PlanError
from fleet.core.flow import Flow, Tail, probe
from fleet.core.shell import assign

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory

# llama-server writes it after each of our looks, every second while somebody watches.
NOISE = "update_slots: all slots are idle"

SCRIPT = """
last() {
    tail -n "$((LINES * 20 + 2000))" "$1" |
        LC_ALL=C sed '/update_slots: all slots are idle/d' | tail -n "$LINES"
}
for s in $SERVERS; do
    log="$FLEET_ROOT/services/$s/log/server.log"
    if [ ! -f "$log" ]; then
        echo "fleet: no log of $s yet" >&2
        continue
    fi
    if [ "$MANY" = 1 ]; then
        last "$log" | while IFS= read -r line; do printf '%s: %s\\n' "$s" "$line"; done
    else
        last "$log"
    fi
done
if [ "$FOLLOW" = 1 ]; then
    # One file is followed. A reader that is gone is noticed by writing to him: $FLEET_BEAT
    # is a line that he knows and does not show.
    idle=0
    log="$FLEET_ROOT/services/$s/log/server.log"
    at=$(wc -c < "$log")
    while :; do
        size=$(wc -c < "$log" 2>/dev/null) || exit 0
        [ "$size" -lt "$at" ] && at=0
        if [ "$size" -gt "$at" ]; then
            tail -c "+$((at + 1))" "$log" | head -c $((size - at)) || exit 0
            at=$size
            idle=0
        else
            idle=$((idle + 1))
            if [ "$idle" -ge 5 ] && [ -n "${FLEET_BEAT:-}" ]; then
                echo "$FLEET_BEAT" || exit 0
                idle=0
            fi
        fi
        sleep 1
    done
fi
exit 0
"""


def logs(request: Request, inventory: "Inventory", host: str) -> Flow[tuple[str, ...]]:
    """Lines of the logs of one server, or of all on the host."""
    found = yield from probe(host)
    there = [one.server for one in found.instances]
    names = [name for name in request.servers or there if name in there]
    if not names:
        raise PlanError("no server of fleet is on this host", next=f"fleet deploy {host}")
    if request["follow"] and len(names) > 1:
        raise PlanError("one log can be followed at a time", next=f"fleet logs {names[0]}@{host} --follow")
    variables = assign(
        SERVERS=" ".join(names),
        LINES=int(request["lines"] or 50),
        FOLLOW=int(bool(request["follow"])),
        MANY=int(len(names) > 1),
    )
    lines: tuple[str, ...] = yield Tail(host, variables + SCRIPT, bool(request["follow"]), 60.0, NOISE)
    return lines


def document(request: Request, results: Results) -> dict[str, Any]:
    good, errors = split(results)
    return {
        "hosts": [
            {
                "name": host,
                "lines": list(good.get(host, ())),
                "error": errors[host].document() if host in errors else None,
            }
            for host in results
        ]
    }


def lines(request: Request, results: Results) -> Iterable[str]:
    good = split(results)[0]
    for host, found in good.items():
        prefix = f"{host} " if len(results) > 1 else ""
        yield from (f"{prefix}{line}" for line in found)


verb = Verb(
    help="Show the last lines of servers' logs, or follow one.",
    level=0,
    flow=logs,
    document=document,
    lines=lines,
    schema="fleet.logs/1",
    options=(
        Option("--lines", "how many lines of each log", "integer", 50, "N"),
        Option("--follow", "print new lines of one log until interrupted", "flag"),
    ),
)
