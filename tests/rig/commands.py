"""What can be done to a rig that is up."""

import argparse
import dataclasses
import json
import os
import shutil
import signal
import time

from tests.rig import boot, cgroups, disks, links, relay, state
from tests.rig.files import HOST_PATH
from tests.rig.processes import kill_all_inside
from tests.rig.state import Host, Rig
from tests.rig.tools import RigError, batch, run, say

SHUT_DOWN = "touch /run/noinit; kill -TERM -1; sleep 0.3; kill -KILL -1"
DOWN_SECONDS = 120


def down(name: str) -> None:
    """End every host and remove all traces."""
    if not state.place(name).exists():
        return
    if state.is_up(name):
        _take_down(state.load(name))
    shutil.rmtree(state.place(name), ignore_errors=not state.is_up(name))


def _take_down(rig: Rig) -> None:
    for host in rig.hosts:  # all at once, then wait
        if host.init:
            host.init.send(signal.SIGKILL)
    end = time.monotonic() + DOWN_SECONDS
    for host in rig.hosts:
        if host.init:
            host.init.wait(max(1.0, end - time.monotonic()))
    kill_all_inside(host.netns for host in rig.hosts)
    # one request for all ports: the kernel waits once, not once for each
    run("ip", "link", "del", "group", rig.group, ok=True)
    links.remove_namespaces(rig.hosts)
    if rig.relay:
        rig.relay.kill(DOWN_SECONDS)
    links.remove_ports(rig.hosts)  # those that `up` had not put in the group yet
    if rig.bridge in links.devices():
        run("ip", "link", "del", rig.bridge)
    for host in rig.hosts:
        cgroups.remove(rig, host)
        disks.wait(rig, host)


def show(rig: Rig, args: argparse.Namespace) -> None:
    print(json.dumps(rig.listing(), indent=1))


def kill(rig: Rig, args: argparse.Namespace) -> None:
    """Power loss: nothing more leaves the host, every process is gone, files stay."""
    hosts = rig.named(args.host)
    links.unplug(hosts)
    for host in hosts:
        _end(host)
    links.unmake(rig, hosts)
    rig.save()


def start(rig: Rig, args: argparse.Namespace) -> None:
    hosts = [host for host in rig.named(args.host) if not host.is_alive]
    links.unmake(rig, hosts)
    links.make(rig, hosts)
    for host in hosts:
        boot.boot(rig, host)
    rig.save()
    boot.wait_for_ssh(hosts, args.timeout)


def reboot(rig: Rig, args: argparse.Namespace) -> None:
    """An orderly reboot: processes get SIGTERM and connections close, then a fresh boot."""
    hosts = rig.named(args.host)
    for host in hosts:
        if host.has_systemd and host.init:  # as `systemctl reboot` inside
            host.init.send(signal.SIGRTMIN + 5)
    end = time.monotonic() + args.timeout
    for host in hosts:
        if host.init and host.has_systemd:
            try:
                host.init.wait(max(0.0, end - time.monotonic()))
            except RigError:
                say(f"{host.name} did not shut down within {args.timeout:g} s: power off")
        elif host.init and host.is_alive:
            run("nsenter", "-t", host.init.pid, "-p", "-m", "/bin/sh", "-c", SHUT_DOWN, ok=True)
        _end(host)
    time.sleep(args.downtime)
    start(rig, args)


def cut(rig: Rig, args: argparse.Namespace) -> None:
    """Pull the cable: frames vanish both ways without a word, processes go on."""
    hosts = rig.named(args.host)
    for host in hosts:
        _require_up(host)
        host.state = "cut"
    batch((f"link set dev {host.port_dev} state disabled" for host in hosts), tool="bridge")
    rig.save()


def heal(rig: Rig, args: argparse.Namespace) -> None:
    hosts = [host for host in rig.named(args.host) if host.is_alive]
    for host in hosts:
        host.state = "up"
    batch((f"link set dev {host.port_dev} state forwarding" for host in hosts), tool="bridge")
    rig.save()


def link(rig: Rig, args: argparse.Namespace) -> None:
    """Change latency, jitter or loss of running hosts (needs the relay), or the rate."""
    hosts = rig.named(args.host)
    wish = {field.name: getattr(args, field.name) for field in dataclasses.fields(rig.link)}
    new = dataclasses.replace(rig.link, **{name: value for name, value in wish.items() if value is not None})
    if rig.relay:
        relay.change(rig.dir, hosts, new)
    elif new.needs_relay:
        raise RigError("this rig has no link relay: start it with up --relay (or any --latency)")
    if args.rate is not None:
        links.limit(hosts, args.rate)
    if args.host == ["all"]:
        rig.link = new
        rig.save()


def execute(rig: Rig, args: argparse.Namespace) -> None:
    """Become a command inside the host, as root there."""
    host = rig.named(args.host)[0]
    _require_up(host)
    assert host.init
    argv = args.argv[1:] if args.argv[:1] == ["--"] else args.argv
    cgroups.join(rig, host, "init.scope")  # systemd wants no process in the top one
    words = ["nsenter", "-t", str(host.init.pid), "-m", "-u", "-i", "-n", "-p", "-r", "-w"]
    words += ["-T"] if os.path.exists("/proc/self/ns/time") else []
    words += ["-C"] if host.has_systemd else []
    env = {"PATH": HOST_PATH, "HOME": "/root", "TERM": os.environ.get("TERM", "dumb")}
    os.execvpe("nsenter", [*words, "--", *(argv or ["/bin/sh"])], env)


def _end(host: Host) -> None:
    if host.init:
        host.init.kill()
    host.state = "down"


def _require_up(host: Host) -> None:
    if not host.is_alive:
        raise RigError(f"{host.name} is down")
