"""`testhosts up`: all hosts, or none and no trace."""

import argparse
import contextlib
import ipaddress
import json
import os
import re
import shutil
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network
from pathlib import Path

from tests.rig import boot, cgroups, files, kernel, links, options, profiles, relay, state
from tests.rig.commands import down
from tests.rig.options import Machine
from tests.rig.state import Host, Link, Rig
from tests.rig.tools import RigError, batch, run, say, write

MOST = 1000  # ports of a bridge
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def up(name: str, args: argparse.Namespace) -> Rig:
    if state.is_up(name):
        if not args.replace:
            remedy = f"'testhosts --rig {name} down' first, or up --replace"
            raise RigError(f"rig {name!r} is up already: {remedy}")
        down(name)
    names = _names(args)
    folders = options.per_host("--profile", args.profile, names)
    base = _base(name, args.base)
    machines = options.machines(args, names, base)
    chosen = {host: _profile(folder, machines[host].manager) for host, folder in folders.items()}
    began = time.monotonic()
    folder = state.place(name)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "keys").mkdir(parents=True, mode=0o700)
    with state.lock("net"):
        rig = _rig(name, args, names, machines, chosen, base)
        rig.save()  # from here on `down` can undo everything
        _make_bridge(rig)
    try:
        _make_hosts(rig, force_relay=args.relay)
        boot.wait_for_ssh(rig.hosts, args.timeout)
    except BaseException:
        if not args.keep:
            say("up failed; taking the rig down again")
            down(name)
        raise
    took = time.monotonic() - began
    say(f"{len(names)} hosts up in {took:.1f} s; ssh -F {rig.dir}/ssh_config {names[0]}")
    return rig


def end_with_parent() -> None:
    """From now on a signal, or the end of the parent by any signal, ends an unfinished `up` cleanly."""
    for number in SIGNALS:
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    kernel.die_with_parent(signal.SIGTERM)


def hold(rig: Rig) -> None:
    """Stay until a signal, or until the parent is gone; then take the rig down, unless it was replaced."""
    parent = os.getppid()
    got: list[int] = []
    for number in SIGNALS:
        signal.signal(number, lambda number, _: got.append(number))
    print(json.dumps(rig.listing()), flush=True)
    while not got and os.getppid() == parent and state.is_up(rig.name):
        time.sleep(0.1)
    with state.lock(rig.name):
        if state.is_up(rig.name) and _keys(state.load(rig.name)) == _keys(rig):
            down(rig.name)


def _keys(rig: Rig) -> list[str]:
    """What tells it from every other one of its name."""
    return [host.host_key for host in rig.hosts]


def _names(args: argparse.Namespace) -> list[str]:
    if args.names:
        names: list[str] = args.names.split(",")
    elif args.count:
        names = [f"h{number}" for number in range(1, args.count + 1)]
    else:
        raise RigError("say how many hosts: testhosts up N, or up --names a,b,c")
    for name in names:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", name):
            raise RigError(f"{name!r} is not a plain host name")
    if len(set(names)) != len(names) or len(names) > MOST:
        raise RigError(f"host names must differ, and {MOST} is the most a bridge takes")
    return names


def _profile(folder: str, manager: str) -> str:
    profile = Path(folder).resolve()
    if not profile.is_dir():
        raise RigError(f"--profile: {profile} is not a directory")
    profiles.check(str(profile), manager)
    return str(profile)


def _base(name: str, wish: str | None) -> str | None:
    if wish is None:
        for overlay in files.OVERLAYS:
            if Path("/", overlay) in state.place(name).parents:
                raise RigError(f"TESTHOSTS_STATE must not be below /{overlay}")
        return None
    base = str(Path(wish).resolve())
    if not Path(base, "usr/sbin/sshd").exists():
        raise RigError(f"--base {base} has no usr/sbin/sshd (debootstrap it with --include=openssh-server)")
    return base


def _rig(
    name: str,
    args: argparse.Namespace,
    names: list[str],
    machines: dict[str, Machine],
    chosen: dict[str, str],
    base: str | None,
) -> Rig:
    net = ipaddress.IPv4Network(args.net) if args.net else links.free_net()
    tree, memory = cgroups.mounts()
    rig = Rig(
        name=name,
        net=str(net),
        prefix=net.prefixlen,
        bridge=f"th-{name}",
        gateway=str(net[1]),
        gateway_mac=f"02:54:48:{net[0].packed[1]:02x}:{net[0].packed[2]:02x}:01",
        group=0x5448 << 8 | net[0].packed[1],
        base=base,
        user=args.user,
        sshd_options=args.sshd_option or [],
        cgroup_tree=tree,
        cgroup_memory=memory,
        link=Link(args.latency, args.jitter, args.loss, args.rate),
    )
    for number, host in enumerate(names):
        address = _address(net, number)
        machine = machines[host]
        rig.hosts.append(
            Host(
                name=host,
                address=str(address),
                mac="02:54:" + address.packed.hex(":"),
                user=args.user,
                netns=f"th-{name}-{host}",
                port_dev=f"th{name}{number + 1}",
                profile=chosen.get(host),
                manager=machine.manager,
                memory=machine.memory,
                disk=machine.disk,
                inodes=machine.inodes,
            )
        )
    return rig


def _address(net: IPv4Network, number: int) -> ipaddress.IPv4Address:
    """A large network gives its hosts x.x.1.1 and on, a small one all after the gateway."""
    return net[number + (257 if net.prefixlen <= 20 else 2)]


def _make_bridge(rig: Rig) -> None:
    batch(
        (
            f"link add {rig.bridge} address {rig.gateway_mac} type bridge",
            f"addr add {rig.gateway}/{rig.prefix} dev {rig.bridge}",
            f"link set {rig.bridge} up",
        )
    )


def _make_hosts(rig: Rig, *, force_relay: bool) -> None:
    cubic = f"route change {rig.net} dev {rig.bridge} proto kernel scope link src {rig.gateway} congctl cubic"
    batch([cubic], force=True)
    with contextlib.suppress(OSError):  # no IPv6 chatter on the bridge
        Path(f"/proc/sys/net/ipv6/conf/{rig.bridge}/disable_ipv6").write_text("1")
    known = "neigh replace {0.address} lladdr {0.mac} dev {1} nud permanent"
    batch(known.format(host, rig.bridge) for host in rig.hosts)
    _make_keys(rig)
    _write_client_files(rig)
    for host in rig.hosts:
        files.make(rig, host)
    if rig.link.needs_relay or force_relay:
        rig.relay = relay.start(rig.name, rig.dir)
        rig.save()
    links.make(rig, rig.hosts)
    for host in rig.hosts:
        boot.boot(rig, host)
    rig.save()


def _make_keys(rig: Rig) -> None:
    def make(file: Path, comment: str) -> str:
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", file)
        return " ".join(file.with_suffix(".pub").read_text().split()[:2])

    make(rig.dir / "id_ed25519", "testhosts")
    with ThreadPoolExecutor(4) as pool:
        keys = pool.map(lambda host: make(rig.dir / "keys" / host.name, host.name), rig.hosts)
        for host, key in zip(rig.hosts, keys, strict=True):
            host.host_key = key


def _write_client_files(rig: Rig) -> None:
    known = "".join(f"{host.name},{host.address} {host.host_key}\n" for host in rig.hosts)
    write(rig.dir / "known_hosts", known, 0o600)
    config = "".join(
        f"Host {host.name}\n  HostName {host.address}\n  HostKeyAlias {host.name}\n" for host in rig.hosts
    )
    config += (
        f"Host *\n  User {rig.user}\n  Port 22\n  IdentityFile {rig.dir}/id_ed25519\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {rig.dir}/known_hosts\n  StrictHostKeyChecking yes\n"
    )
    write(rig.dir / "ssh_config", config, 0o600)
