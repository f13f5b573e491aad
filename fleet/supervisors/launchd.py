"""launchd, as an agent of the user."""

import plistlib

from fleet.core.facts import Facts
from fleet.core.plan import File
from fleet.supervisors.base import Service, Supervisor


def score(facts: Facts) -> int:
    return 80 if "launchd" in facts.supervisors else 0


def unit(service: Service) -> str:
    return f"fleet.{service.server}{service.mark}"


def files(service: Service) -> tuple[File, ...]:
    path = f"{service.home}/Library/LaunchAgents/{unit(service)}.plist"
    return (File(path, text(service), 0o600),)


def text(service: Service) -> str:
    """The agent.

    launchd never gives up by itself: the run program counts starts and ends with 0 after the
    fifth within ten minutes, which SuccessfulExit=false takes for a wanted end.

    Source: launchd.plist(5).
    """
    keys = {
        "Label": unit(service),
        "ProgramArguments": ["/bin/sh", service.run],
        "EnvironmentVariables": {"FLEET_KEEPER": "launchd"},
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 10,  # seconds
        "ExitTimeOut": 15,  # seconds from TERM to KILL
        "LimitLoadToSessionType": ["Aqua", "Background"],
        "ProcessType": "Interactive",  # else macOS slows its CPU and disk down
        "StandardOutPath": service.log,
        "StandardErrorPath": service.log,
        "Umask": 0o077,
        "HardResourceLimits": {"Core": 0},
        "SoftResourceLimits": {"Core": 0},
    }
    return plistlib.dumps(keys).decode()


def notes(facts: Facts) -> tuple[str, ...]:
    return ("servers stop at logout and while this Mac sleeps",)


supervisor = Supervisor("launchd agent", score, unit, files, "launchd_control", notes)
