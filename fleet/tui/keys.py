"""Every key once: bindings, help and hints are read from here."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """`keys` as textual names them; `shown` as people do. `action` is also the id for re-mapping."""

    keys: str
    action: str
    help: str
    shown: str


SCREENS = ("fleet", "host", "deploy")
LATER = {
    "4": ("Logs", "logs", "fleet logs HOST"),
    "5": ("Models", "models", "fleet status"),
    "6": ("Bench", "bench", "fleet status"),
    "7": ("Chat", "chat", "fleet chat SERVER@HOST"),
    "8": ("Alerts", "alerts", "fleet doctor"),
    "9": ("Playbooks", "playbooks", "fleet deploy --dry-run all"),
    "0": ("Console", "console", "the command line, key :"),
}

GLOBAL = (
    Key("1", "show('fleet')", "Fleet: all hosts", "1"),
    Key("2", "show('host')", "Host: the one under the cursor", "2"),
    Key("3", "show('deploy')", "Deploy: what is being changed", "3"),
    *(Key(key, f"later('{key}')", f"{name} (comes later)", key) for key, (name, *_) in LATER.items()),
    Key("question_mark,f1", "help", "help for this screen", "?"),
    Key("colon", "command", "command line", ":"),
    Key("slash", "filter", "filter: regex, !x, state:down, @tag", "/"),
    Key("enter", "open", "open what is under the cursor", "Enter"),
    Key("escape", "out", "back, then clear the filter", "Esc"),
    Key("q", "leave", "back; at the top: quit", "q"),
    Key("j,down", "step(1)", "down", "j"),
    Key("k,up", "step(-1)", "up", "k"),
    Key("g,home", "edge(-1)", "to the first", "g"),
    Key("G,end", "edge(1)", "to the last", "G"),
    Key("pagedown", "page(1)", "a page down", "PgDn"),
    Key("pageup", "page(-1)", "a page up", "PgUp"),
    Key("left", "shift(-1)", "columns to the left", "Left"),
    Key("right", "shift(1)", "columns to the right", "Right"),
    Key("left_square_bracket", "history(-1)", "view history back", "["),
    Key("right_square_bracket", "history(1)", "view history forward", "]"),
    Key("minus", "last", "the view before this one", "-"),
    Key("less_than_sign", "sort(-1)", "sort by the column before", "<"),
    Key("greater_than_sign", "sort(1)", "sort by the next column", ">"),
    Key("s", "reverse", "reverse the sort order", "s"),
    Key("c", "columns", "choose columns", "c"),
    Key("w", "wide", "wide: all columns, no side pane", "w"),
    Key("space", "mark", "mark", "space"),
    Key("asterisk", "mark_all", "mark all that are shown", "*"),
    Key("u", "unmark", "unmark all", "u"),
    Key("z", "problems", "only problems", "z"),
    Key("p", "pause", "pause painting", "p"),
    Key("comma", "pace(2.0)", "paint slower", ","),
    Key("full_stop", "pace(0.5)", "paint faster", "."),
    Key("ctrl+r", "refresh_now", "paint everything anew", "ctrl+r"),
    Key("y", "copy('line')", "copy the line", "y"),
    Key("Y", "copy('json')", "copy the row as JSON", "Y"),
    Key("l", "ask('logs')", "logs", "l"),
    Key("d", "ask('deploy')", "deploy: shows the plan, asks", "d"),
    Key("x", "ask('stop')", "stop: shows the plan, asks", "x"),
    Key("R", "ask('restart')", "restart: shows the plan, asks", "R"),
    Key("b", "later('6')", "bench (comes later)", "b"),
    Key("a", "later('8')", "acknowledge (comes later)", "a"),
    Key("A", "later('8')", "silence (comes later)", "A"),
    Key("m", "mouse", "mouse on or off", "m"),
    Key("P", "pager", "this screen in $PAGER", "P"),
    Key("E", "editor", "the inventory in $EDITOR", "E"),
    Key("T", "theme", "next theme", "T"),
    Key("e", "export", "export as svg, text, csv or json", "e"),
)

LOCAL = {
    "first_run": (
        Key("i", "choose('init')", "pick hosts from your ssh config, test them, write the file", "i"),
        Key("D", "choose('demo')", "three hosts on this machine, everything real", "D"),
        Key("o", "path", "use another inventory", "o"),
    ),
    "deploy": (Key("h", "hold", "hold after the running step (comes later)", "h"),),
    "fleet": (),
    "host": (),
}

HINTS = {
    "fleet": (
        *(("Enter", "open"), ("/", "filter"), (":", "command"), ("z", "problems")),
        *(("d", "deploy"), ("l", "logs"), ("?", "help")),
    ),
    "host": (
        *(("l", "logs"), ("d", "deploy"), ("R", "restart plan"), ("x", "stop plan")),
        *(("y", "copy"), ("Esc", "back"), ("?", "help")),
    ),
    "deploy": (("Enter", "host log"), ("z", "failed only"), ("y", "copy"), ("Esc", "leave"), ("?", "help")),
    "first_run": (("i", "init"), ("D", "demo"), ("o", "open"), ("q", "quit"), ("?", "help")),
    "command": (("Enter", "run"), ("Tab", "complete"), ("up/down", "history"), ("Esc", "close")),
    "filter": (("Enter", "keep"), ("!x", "inverts"), ("state:down", "one field"), ("Esc", "clear")),
    "columns": (("Enter", "keep"), ("empty", "the usual ones"), ("Esc", "close")),
    "export": (("svg text csv json", ""), ("Enter", "write"), ("Esc", "close")),
    "open": (("Enter", "open"), ("Esc", "close")),
}
