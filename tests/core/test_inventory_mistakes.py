"""What is wrong with an inventory is named with its place, its remedy, and all of it at once."""

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from fleet.core.errors import InventoryError, PlanError
from fleet.core.inventory import Inventory, parse


def read(text: str, **how: Any) -> Inventory:
    return parse(tomllib.loads(text), **how)


HOST = '[hosts.mac]\naddress = "x"\n'


MODEL = '[models.m]\nsource = "file:m"\nallow_unpinned = true\n'


SERVER = HOST + MODEL + '[servers.s]\nmodel = "m"\non = ["mac"]\n'


A = "a" * 64


ONE = "one line of text without control characters"


# file -> the sentence, and what comes next where it matters
BAD = [
    (
        '[models.m]\nsource = "file:m"\nsha256 = "'
        + "a" * 64
        + '"\nparts = ["'
        + "a" * 64
        + '", "'
        + "b" * 64
        + '"]',
        "models.m.parts: sha256 and parts exclude each other",
        "keep parts for several files",
    ),
    (
        f'[models.m]\nsource = "file:m"\nparts = ["{A}"]',
        "models.m.parts: a model of one file has a sha256",
        f'sha256 = "{A}"',
    ),
    (
        MODEL + 'draft = "m"',
        "models.m.draft: a model cannot be served with itself",
        "remove draft",
    ),
    (MODEL + 'lora = ["n"]', "models.m.lora: no model called 'n'", None),
    (HOST + "port = 70000", "hosts.mac.port: Input should be less than or equal to 65535", None),
    (
        HOST + "port = 99999999999999999999999",
        "hosts.mac.port: Input should be less than or equal to 65535",
        None,
    ),
    (HOST + "port = inf", "hosts.mac.port: Input should be a valid integer", None),
    (HOST + 'port = "22"', "hosts.mac.port: Input should be a valid integer", None),
    (
        '[hosts.mac]\nadress = "x"\nssh = "m"',
        "hosts.mac.adress: unknown key, nearest is address",
        "rename it to address",
    ),
    (HOST + "context = 5", "hosts.mac.context: belongs into [servers.NAME]", "move the line there"),
    (HOST + "zzz = 5", "hosts.mac.zzz: unknown key 'zzz'", None),
    ('[host.mac]\naddress = "x"', "host: unknown key, nearest is hosts", "rename it to hosts"),
    ('hosts = "x"', "hosts: Input should be a table", "write it as [hosts]"),
    ('hosts.mac = "x"', "hosts.mac: Input should be a table", "write it as [hosts.mac]"),
    ('[hosts.all]\naddress = "x"', "hosts.all: is reserved", "rename it"),
    ('[hosts.Mac]\naddress = "x"', "hosts.Mac: should be a name: a-z 0-9 . _ - (at most 63)", "rename it"),
    ('[hosts."a\\n"]\naddress = "x"', "hosts.a: should be a name: a-z 0-9 . _ - (at most 63)", "rename it"),
    (
        '[hosts."\\u0000"]\naddress = "x"',
        "hosts.\ufffd: should be a name: a-z 0-9 . _ - (at most 63)",
        "rename it",
    ),
    (
        "[hosts.mac]",
        "hosts.mac: no way to reach it",
        'set hosts.mac.address, hosts.mac.ssh or hosts.mac.transport = "local"',
    ),
    (HOST + 'ssh = "m"', "hosts.mac: address and ssh exclude each other", "keep one of them"),
    (HOST + 'transport = "local"', 'hosts.mac: address and transport = "local" exclude each other', None),
    (HOST + 'transport = "telnet"', "hosts.mac.transport: Input should be 'ssh' or 'local'", None),
    (
        '[hosts.mac]\naddress = "-oProxyCommand=x"',
        "hosts.mac.address: should be one word that does not begin with '-'",
        None,
    ),
    (
        '[hosts.mac]\naddress = "a b"',
        "hosts.mac.address: should be one word that does not begin with '-'",
        None,
    ),
    (
        '[hosts.mac]\naddress = "a\\u0000"',
        "hosts.mac.address: should be a line of text without control characters",
        None,
    ),
    (
        HOST + 'tags = ["gpu", "all"]',
        "hosts.mac.tags.1: should be a name: a-z 0-9 . _ - (at most 63, not 'all')",
        None,
    ),
    (HOST + 'root = "fleet"', "hosts.mac.root: should be an absolute path of a folder of its own", None),
    (HOST + 'root = "/"', "hosts.mac.root: should be an absolute path of a folder of its own", None),
    (HOST + 'root = "/a/../b"', "hosts.mac.root: should be an absolute path of a folder of its own", None),
    (HOST + 'host_key = "x"', "hosts.mac.host_key: should be a fingerprint: SHA256:…", None),
    (HOST + 'mac = "x"', "hosts.mac.mac: should be an Ethernet address: 00:11:22:33:44:55", None),
    (HOST + 'user = "-l"', "hosts.mac.user: should be a user name", None),
    (HOST + 'part_time = "yes"', "hosts.mac.part_time: Input should be a valid boolean", None),
    (HOST + 'pull = "yes"', "hosts.mac.pull: Input should be a valid boolean", None),
    (
        HOST + 'pull = true\nquiet_hours = "08:00-18:00 20M"',
        "hosts.mac.pull: a host that pulls keeps limit_rate, but no quiet_hours",
        "set hosts.mac.pull = false, or limit_rate in place of quiet_hours",
    ),
    ('[defaults]\nusr = "x"', "defaults.usr: unknown key, nearest is user", "rename it to user"),
    (
        '[defaults]\ncache_max = "20 XB"',
        "defaults.cache_max: should be bytes, or a size with its unit: 20 GiB",
        None,
    ),
    (
        '[defaults]\nprivate_networks = ["x"]',
        "defaults.private_networks.0: should be a network: 192.168.1.0/24",
        None,
    ),
    (
        MODEL.replace("allow_unpinned = true", ""),
        "models.m.sha256: required",
        "allow_unpinned = true, then fleet models pin m",
    ),
    (MODEL + 'sha256 = "ABC"', "models.m.sha256: should be 64 hexadecimal digits in lower case", None),
    (MODEL + 'source_ = "x"', "models.m.source_: unknown key, nearest is source", None),
    ("[models.m]\nallow_unpinned = true", "models.m.source: required", None),
    (
        '[models.m]\nsource = "m.gguf"\nallow_unpinned = true',
        "models.m.source: should be a kind and a place",
        None,
    ),
    (MODEL + 'draft = "n"', "models.m.draft: no model called 'n'", "one of: m"),
    (SERVER.replace('"m"', '"n"'), "servers.s.model: no model called 'n'", "one of: m"),
    (SERVER.replace('["mac"]', '["mca"]'), "servers.s.on: no host called 'mca'", "one of: mac"),
    (SERVER.replace('["mac"]', '["@gpu"]'), "servers.s.on: no host has the tag '@gpu'", "set tags"),
    (SERVER.replace('["mac"]', "[]"), "servers.s.on: names no host", None),
    (SERVER.replace('["mac"]', '["state:down"]'), "servers.s.on: state: is not known here", None),
    (SERVER.replace('["mac"]', '["mac+all"]'), "servers.s.on: '+' is not known here", None),
    (SERVER.replace('["mac"]', '["all", "^mac"]'), "servers.s.on: no host matches 'all ^mac'", None),
    (SERVER.replace('["mac"]', '"mac"'), "servers.s.on: Input should be a valid tuple", None),
    (SERVER + 'kind = "talk"', "servers.s.kind: Input should be 'chat', 'embedding' or 'rerank'", None),
    (SERVER + 'kv_type = "q9"', "servers.s.kv_type: Input should be 'f32', 'f16', 'bf16',", None),
    (SERVER + "context = 0", "servers.s.context: Input should be greater than or equal to 1", None),
    (
        SERVER + 'listen = "here"',
        'servers.s.listen: should be "socket" or "ADDRESS:PORT" with an IP address',
        None,
    ),
    (
        SERVER + 'listen = "127.0.0.1:0"',
        'servers.s.listen: should be "socket" or "ADDRESS:PORT" with an IP address',
        None,
    ),
    (
        SERVER + 'listen = "0.0.0.0:8080"',
        "servers.s.listen: 0.0.0.0 is neither loopback nor in private_networks, and there is no TLS",
        "defaults.private_networks, or args ssl-key-file and ssl-cert-file",
    ),
    (
        SERVER + 'listen = "[2001:db8::1]:8080"',
        "servers.s.listen: 2001:db8::1 is neither loopback nor in private_networks, and there is no TLS",
        None,
    ),
    (
        SERVER + 'listen = "127.0.0.1:80"\n[servers.t]\nmodel = "m"\non = ["all"]\nlisten = "127.0.0.1:80"',
        "servers.t.listen: 127.0.0.1:80 on mac is taken by servers.s",
        "choose another port",
    ),
    (SERVER + "args = { a = inf }", "servers.s.args.a: should be a finite number", None),
    (SERVER + "args = { a = 99999999999999999999 }", "servers.s.args.a: should fit in 64 bits", None),
    (
        SERVER + "args = { a = { b = 1 } }",
        "servers.s.args.a: should be a text, number, truth value or a list",
        None,
    ),
    (
        SERVER + "args = { a = 1979-05-27 }",
        "servers.s.args.a: should be a text, number, truth value or a list",
        None,
    ),
    (
        SERVER + 'args = { a = "x\\ny" }',
        "servers.s.args.a: should be a line of text without control characters",
        None,
    ),
    ('llama_cpp.source = "archive:x.tar.gz"', "llama_cpp.sha256: required for archive: sources", None),
    (
        'llama_cpp.source = "dir:/x"\nllama_cpp.ref = "b1"',
        "llama_cpp.ref: only git: sources have a ref",
        "remove ref",
    ),
    (
        'llama_cpp.source = "git:ext::sh -c id"',
        "llama_cpp.source: transport helpers of git are refused",
        None,
    ),
    ('llama_cpp.source = "git:--upload-pack=id"', "llama_cpp.source: should be a kind and a place", None),
    ('llama_cpp.ref = "--exec=id"', "llama_cpp.ref: should be a tag, branch or commit", None),
]


@pytest.mark.parametrize(("text", "what", "remedy"), BAD, ids=[what[:60] for _, what, _ in BAD])
def test_a_mistake_is_named_with_its_place_and_its_remedy(text: str, what: str, remedy: str | None) -> None:
    with pytest.raises(InventoryError) as wrong:
        read(text)
    assert wrong.value.what.startswith(f"inventory.toml: {what}"), wrong.value.what
    assert "\n" not in wrong.value.what
    assert wrong.value.exit_code == 2
    assert wrong.value.next
    if remedy is not None:
        assert wrong.value.next == remedy


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(InventoryError) as wrong:
        read("[hosts.a]\nport = 0\nadress = 1\n[hosts.b]\n[servers.s]\n")
    assert [line.split(": ")[1] for line in wrong.value.what.splitlines()] == [
        "hosts.a.port",
        "hosts.a.adress",
        "servers.s.model",
        "servers.s.on",
        "hosts.b",
    ]


def test_a_thousand_mistakes_are_counted_not_printed() -> None:
    with pytest.raises(InventoryError) as wrong:
        parse({f"key{number}": 1 for number in range(1000)})
    assert len(wrong.value.what.splitlines()) == 41
    assert wrong.value.what.endswith("and 960 more")


def test_a_broken_host_does_not_make_its_servers_look_wrong() -> None:
    with pytest.raises(InventoryError) as wrong:
        read(SERVER.replace('address = "x"', 'address = "-x"'))
    assert len(wrong.value.what.splitlines()) == 1


def test_an_open_port_needs_a_private_network_or_tls() -> None:
    assert read('[defaults]\nprivate_networks = ["10.0.0.0/8"]\n' + SERVER + 'listen = "10.1.2.3:80"')
    assert read(SERVER + 'listen = "0.0.0.0:80"\nargs = { ssl-key-file = "/k", ssl-cert-file = "/c" }')
    assert read(SERVER + 'listen = "[::1]:80"')


def test_flags_are_judged_when_the_file_is_read() -> None:
    def judge(args: Mapping[str, Any]) -> Sequence[str]:
        return [f"{name} is gone" for name in args]

    with pytest.raises(InventoryError, match=r"servers\.s\.args: mlock is gone"):
        read(SERVER + "args = { mlock = true }", judge=judge)


def test_words_of_shelves_are_checked_by_their_shelves() -> None:
    def no_backend(name: str) -> None:
        raise PlanError(f"no backend called {name!r}", next="one of: cpu, cuda")

    with pytest.raises(InventoryError) as wrong:
        read(HOST + 'backend = "cudda"', check={"hosts.backend": no_backend})
    assert (
        str(wrong.value)
        == "inventory.toml: hosts.mac.backend: no backend called 'cudda'\n-> next: one of: cpu, cuda"
    )
