"""systemd's user manager; with linger it keeps servers over logout and reboot."""

from fleet.core.facts import Facts
from fleet.core.plan import File
from fleet.supervisors.base import Service, Supervisor


def score(facts: Facts) -> int:
    return 80 if "systemd" in facts.supervisors else 0


def unit(service: Service) -> str:
    return f"fleet-{service.server}{service.mark}.service"


def files(service: Service) -> tuple[File, ...]:
    path = f"{service.home}/.config/systemd/user/{unit(service)}"
    return (File(path, text(service), 0o600),)


def text(service: Service) -> str:
    """The unit.

    Left out, because user managers refuse or misread them: ProtectSystem, PrivateTmp and the
    other sandbox keys (they need user namespaces, and hide GPU devices on some drivers); a log
    size (StandardOutput=append: has none, the run program caps the file); RestartSteps (needs
    systemd 254). OOMScoreAdjust may be raised by anybody and lowered by nobody: the server
    dies before sshd does.
    KillMode=control-group ends the log keeper too. The second
    TERM that llama-server needs while a client hangs on comes from ExecStop: its first TERM is
    sent there, five seconds are waited, and systemd's own TERM after ExecStop is the second.

    Source: systemd.service(5), systemd.exec(5), systemd.kill(5).
    """
    run = word(service.run)
    return f"""\
# Written by fleet; changes are lost at the next deploy.
[Unit]
Description={plain(service.description)}
StartLimitIntervalSec=600
StartLimitBurst=5

[Service]
Type=exec
ExecStart=/bin/sh {run}
ExecStop=/bin/sh {word(service.root + "/bin/term.sh")} $MAINPID
Environment=FLEET_KEEPER=systemd
StandardInput=null
StandardOutput=append:{service.log.replace("%", "%%")}
StandardError=inherit
Restart=on-failure
RestartSec=5
KillMode=control-group
TimeoutStopSec=15
OOMScoreAdjust=300
LimitCORE=0
NoNewPrivileges=yes
UMask=0077

[Install]
WantedBy=default.target
"""


def word(path: str) -> str:
    """A path as one word of an Exec line: no specifier, no variable, no escape in it."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def plain(sentence: str) -> str:
    return " ".join(sentence.split()).replace("%", "%%")


def notes(facts: Facts) -> tuple[str, ...]:
    if facts.has_linger is False:
        return (f"servers stop when {facts.user or 'the user'} logs out, unless linger can be set",)
    return ()


supervisor = Supervisor("systemd user unit", score, unit, files, "systemd_control", notes)
