"""Hosts whose PID 1 is systemd: units of their own, and the fewest of the machine's."""

import os
from pathlib import Path

from tests.rig.tools import write

# what such a host needs of its files, and the Debian package of each
FILES = {
    "lib/systemd/systemd": "systemd",
    "usr/bin/dbus-daemon": "dbus",
    "usr/lib/systemd/user/dbus.socket": "dbus-user-session",
    "lib/*/security/pam_systemd.so": "libpam-systemd",
}
# of the units that packages start at boot, those a host keeps; the rest is masked
KEPT = {
    "systemd-journald.service",
    "systemd-journald.socket",
    "systemd-journald-dev-log.socket",
    "systemd-journal-flush.service",
    "systemd-tmpfiles-setup.service",
    "systemd-logind.service",
    "systemd-user-sessions.service",
    "dbus.service",
    "dbus.socket",
}
SSH_UNIT = """\
[Unit]
Description=OpenSSH server
After=network.target systemd-user-sessions.service

[Service]
Type=notify
ExecStart=/usr/sbin/sshd -D
ExecReload=/bin/kill -HUP $MAINPID
KillMode=process
Restart=always
RestartSec=200ms
RuntimeDirectory=sshd
RuntimeDirectoryPreserve=yes

[Install]
WantedBy=multi-user.target
"""
JOURNALD = "[Journal]\nStorage=persistent\nSystemMaxUse=64M\nReadKMsg=no\nAudit=no\n"
# PID 1 is no victim of the OOM killer, what it starts may be
MANAGER = "[Manager]\nDefaultOOMScoreAdjust=0\n"


def missing_packages(base: str | None) -> set[str]:
    return {package for file, package in FILES.items() if not any(Path(base or "/").glob(file))}


def make(base: Path, etc: Path, var: Path, path: str | None) -> None:
    """Write the host's part of /etc and /var.

    Args:
        base: the root below the host's, whose units are looked at.
        path: PATH of user units, if it is not the usual one.
    """
    for folder in (etc / "systemd", var / "lib" / "systemd", var / "log" / "journal"):
        _hide_below(folder)  # no settings, enabled units, lingering users, logs of the machine
    library = base / "lib" / "systemd"
    for kind in ("system", "user"):
        (etc / "systemd" / kind).mkdir()
        for unit in sorted((library / kind).glob("*.wants/*")):
            if unit.name not in KEPT and unit.suffix != ".target":
                _mask(etc / "systemd" / kind / unit.name)
    units = etc / "systemd" / "system"
    _mask(units / "modprobe@.service")
    for generator in sorted((library / "system-generators").glob("*")):
        _mask(etc / "systemd" / "system-generators" / generator.name)
    write(etc / "systemd" / "system.conf", MANAGER)
    write(units / "ssh.service", SSH_UNIT)
    (units / "multi-user.target.wants").mkdir()
    (units / "multi-user.target.wants" / "ssh.service").symlink_to("../ssh.service")
    (units / "sshd.service").symlink_to("ssh.service")
    (units / "default.target").symlink_to("/lib/systemd/system/multi-user.target")
    write(etc / "systemd" / "journald.conf", JOURNALD)
    write(etc / "fstab", "")
    if path:
        write(etc / "environment.d" / "zz-testhosts.conf", f'PATH="{path}"\n')


def _mask(unit: Path) -> None:
    unit.parent.mkdir(exist_ok=True)
    if not unit.is_symlink():
        unit.symlink_to("/dev/null")


def _hide_below(folder: Path) -> None:
    """A directory of the writable layer that hides the one below it."""
    folder.mkdir(parents=True, exist_ok=True)
    os.setxattr(folder, "trusted.overlay.opaque", b"y")
