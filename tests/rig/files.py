"""The files of a host before its first boot.

Without a base tree a host's root is assembled: overlays on this machine's /usr, /etc and /var
(written to `up/`), and own folders for all else (`root/`). With one it is a single overlay.
"""

import contextlib
import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from tests.rig import disks, profiles, systemd
from tests.rig.state import Host, Rig
from tests.rig.tools import SFTP_SERVER, write

HOST_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
PROFILE_PATH = f"{profiles.BIN}:{HOST_PATH}"
OVERLAYS = ("usr", "etc", "var")
USER_ID = 1000
SSHD_CONFIG = """\
{extra}
Port 22
HostKey /etc/ssh/ssh_host_ed25519_key
PidFile /run/sshd.pid
UsePAM {pam}
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UseDNS no
PrintMotd no
AcceptEnv LANG LC_*
Subsystem sftp {sftp}
SetEnv PATH={path}
"""
POWEROFF = "#!/bin/sh\n# this host goes down until 'testhosts start' is run outside\n{}\n"


@dataclass(frozen=True, slots=True)
class Layers:
    """Where a path of the host is written while it is down."""

    base: Path  # what lies below, read only
    top: Path  # its own folders
    over: Path  # its layers over usr, etc and var

    def at(self, path: Path) -> Path:
        return (self.over if path.parts[0] in OVERLAYS else self.top) / path


def make(rig: Rig, host: Host) -> None:
    """Fill the writable layers of a host."""
    layers = _folders(rig, host)
    shell = _accounts(rig, host, layers)
    _settings(rig, host, layers)
    _homes(rig, layers, shell)
    if host.has_systemd:
        path = PROFILE_PATH if host.profile else None
        systemd.make(layers.base, layers.over / "etc", layers.over / "var", path)
    if host.profile:
        _profile(Path(host.profile), layers, is_assembled=not rig.base)
    if host.disk:
        disks.make(rig, host)


def _folders(rig: Rig, host: Host) -> Layers:
    root = rig.root(host)
    if rig.base:
        layers = Layers(Path(rig.base), root / "up", root / "up")
        (root / "work").mkdir(parents=True)
        (root / "root").mkdir()
    else:
        layers = Layers(Path("/"), root / "root", root / "up")
        for name in OVERLAYS:
            for folder in (root / "up" / name, root / "work" / name, root / "root" / name):
                folder.mkdir(parents=True)
        for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
            if (layers.base / name).is_symlink():
                (layers.top / name).symlink_to(os.readlink(layers.base / name))
    for name in ("proc", "sys", "dev", "run", "home", "mnt", "media", "srv", "opt"):
        (layers.top / name).mkdir(parents=True, exist_ok=True)
    (layers.top / "root").mkdir(exist_ok=True, mode=0o700)
    for folder in (layers.top / "tmp", layers.over / "var" / "tmp"):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o1777)
    (layers.over / "var" / "log").mkdir(exist_ok=True)
    return layers


def _accounts(rig: Rig, host: Host, layers: Layers) -> str:
    """The system's own accounts (uid below 1000) and one login user, whose shell is returned."""
    user, etc = rig.user, layers.over / "etc"
    kept = [
        line
        for line in _lines(layers.base / "etc" / "passwd")
        if (int(line.split(":")[2]) < 1000 or line.startswith("nobody:")) and not line.startswith(user + ":")
    ]
    if not any(line.startswith("sshd:") for line in kept):
        kept.append("sshd:x:996:65534::/run/sshd:/usr/sbin/nologin")
    shell = _shell(host, layers.base)
    write(etc / "passwd", _text([*kept, f"{user}:x:{USER_ID}:{USER_ID}::/home/{user}:{shell}"]))
    groups = [
        line
        for line in _lines(layers.base / "etc" / "group")
        if int(line.split(":")[2]) < 1000 or line.startswith("nogroup:")
    ]
    write(etc / "group", _text([*groups, f"{user}:x:{USER_ID}:"]))
    names = sorted({line.split(":")[0] for line in kept} | {user})
    write(etc / "shadow", _text([f"{name}:*:19000:0:99999:7:::" for name in names]), 0o640)
    return shell


def _shell(host: Host, base: Path) -> str:
    wish = Path(host.profile or "/nonexistent") / "shell"
    shells = [wish.read_text().strip()] if wish.is_file() else []
    return next((shell for shell in [*shells, "/bin/bash"] if (base / shell[1:]).exists()), "/bin/sh")


def _settings(rig: Rig, host: Host, layers: Layers) -> None:
    etc = layers.over / "etc"
    write(etc / "hostname", host.name + "\n")
    write(etc / "hosts", _text(["127.0.0.1 localhost", *(f"{one.address} {one.name}" for one in rig.hosts)]))
    write(etc / "resolv.conf", "")
    write(etc / "machine-id", uuid.uuid4().hex + "\n", 0o444)
    sshd = SSHD_CONFIG.format(
        sftp=SFTP_SERVER,
        path=PROFILE_PATH if host.profile else HOST_PATH,
        pam="yes" if host.has_systemd else "no",
        extra="\n".join(rig.sshd_options),
    )
    write(etc / "ssh" / "sshd_config", sshd)
    write(etc / "ssh" / "ssh_host_ed25519_key", (rig.dir / "keys" / host.name).read_text(), 0o600)
    write(etc / "ssh" / "ssh_host_ed25519_key.pub", host.host_key + "\n")
    write(etc / "sudoers.d" / "testhosts", f"{rig.user} ALL=(ALL) NOPASSWD: ALL\n", 0o440)
    off = "exec systemctl poweroff" if host.has_systemd else "kill -TERM 1"
    write(layers.over / "usr" / "local" / "sbin" / "poweroff", POWEROFF.format(off), 0o755)


def _homes(rig: Rig, layers: Layers, shell: str) -> None:
    key = (rig.dir / "id_ed25519.pub").read_text()
    home = layers.top / "home" / rig.user
    home.mkdir(mode=0o755)
    os.chown(home, USER_ID, USER_ID)
    for folder, owner in ((home, USER_ID), (layers.top / "root", 0)):
        write(folder / ".ssh" / "authorized_keys", key, 0o600, owner)
        (folder / ".ssh").chmod(0o700)
        os.chown(folder / ".ssh", owner, owner)
    if shell.endswith("/zsh"):  # without the file zsh asks new users questions
        write(home / ".zshrc", "", 0o644, USER_ID)


def _profile(profile: Path, layers: Layers, *, is_assembled: bool) -> None:
    """PATH, and the files laid over the host's root, e.g. root/usr/bin/nvidia-smi."""
    write(layers.over / "etc" / "profile.d" / "zz-testhosts.sh", f'PATH="{profiles.BIN}:$PATH"\n')
    (layers.top / "opt" / "profile" / "bin").mkdir(parents=True, exist_ok=True)
    if not (profile / "root").is_dir():
        return
    for source in sorted((profile / "root").rglob("*")):
        path = source.relative_to(profile / "root")
        if is_assembled and path.parts[0] in ("bin", "sbin", "lib"):
            path = Path("usr") / path
        target = layers.at(path)
        if source.is_dir() and not source.is_symlink():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)


def _lines(file: Path) -> list[str]:
    with contextlib.suppress(FileNotFoundError):
        return [line for line in file.read_text().splitlines() if line.strip()]
    return []


def _text(lines: list[str]) -> str:
    return "".join(line + "\n" for line in lines)
