"""Cables: from a host's network namespace to the bridge, whose own address is the controller's."""

import contextlib
import ipaddress
import os
from collections.abc import Iterable
from ipaddress import IPv4Network

from tests.rig import relay
from tests.rig.processes import kill_all_inside
from tests.rig.state import Host, Rig
from tests.rig.tools import RigError, batch, run


def free_net() -> IPv4Network:
    """A 10.x.0.0/16 that no route of this machine touches."""
    used = []
    for word in run("ip", "-4", "-o", "route", "show", "table", "all").split():
        with contextlib.suppress(ValueError):
            net = ipaddress.IPv4Network(word, strict=False)
            if net.prefixlen:
                used.append(net)
    for second in range(77, 128):
        net = IPv4Network(f"10.{second}.0.0/16")
        if not any(net.overlaps(other) for other in used):
            return net
    raise RigError("no free 10.x.0.0/16 network: give one with --net")


def make(rig: Rig, hosts: list[Host]) -> None:
    """Namespaces first, then cables, then addresses inside, then rate limits."""
    batch(f"netns add {host.netns}" for host in hosts)
    ports = [f"link set {host.port_dev} master {rig.bridge} group {rig.group} up" for host in hosts]
    if rig.relay:
        relay.add(rig.dir, hosts, rig.link)
        batch(ports)
    else:
        cables = [
            f"link add {host.port_dev} mtu 1500 type veth"
            f" peer name eth0 address {host.mac} netns {host.netns}"
            for host in hosts
        ]
        batch(cables + ports)
    for host in hosts:
        batch(
            (
                "link set lo up",
                f"addr add {host.address}/{rig.prefix} dev eth0",
                "link set eth0 up",
                f"neigh replace {rig.gateway} lladdr {rig.gateway_mac} dev eth0 nud permanent",
                f"route add default via {rig.gateway} dev eth0",
            ),
            inside=host.netns,
        )
    if rig.link.rate:
        limit(hosts, rig.link.rate)


def limit(hosts: Iterable[Host], rate: float) -> None:
    """Mbit/s each way; 0 takes the limit away."""
    for host in hosts:
        for device, inside in (("eth0", host.netns), (host.port_dev, None)):
            if rate:
                batch([_rate_line(device, rate)], tool="tc", inside=inside)
            else:
                batch([f"qdisc del dev {device} root"], tool="tc", inside=inside, force=True)


def unplug(hosts: Iterable[Host]) -> None:
    """Before the processes end, so that no FIN or RST escapes."""
    have = devices()
    batch(f"link set {host.port_dev} down" for host in hosts if host.port_dev in have)


def unmake(rig: Rig, hosts: list[Host]) -> None:
    kill_all_inside(host.netns for host in hosts)
    if rig.relay:
        with contextlib.suppress(OSError, RigError):
            relay.delete(rig.dir, hosts)
    remove_ports(hosts)
    remove_namespaces(hosts)


def remove_ports(hosts: Iterable[Host]) -> None:
    have = devices()
    batch((f"link del {host.port_dev}" for host in hosts if host.port_dev in have), force=True)


def remove_namespaces(hosts: Iterable[Host]) -> None:
    have = set(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else set()
    batch((f"netns del {host.netns}" for host in hosts if host.netns in have), force=True)


def devices() -> set[str]:
    return set(os.listdir("/sys/class/net"))


def _rate_line(device: str, rate: float) -> str:
    burst = max(131072, int(rate * 1e6 / 8 / 250))
    queue = max(4 * burst, int(rate * 1e6 / 8 * 0.02))
    return f"qdisc replace dev {device} root tbf rate {rate:g}mbit burst {burst} limit {queue}"
