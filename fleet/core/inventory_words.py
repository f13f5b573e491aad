"""What single values of an inventory may look like. Each raises ValueError with what it should be."""

import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

from fleet.core.names import PATTERN, RESERVED
from fleet.core.text import HOSTILE

UNITS = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
UNITS |= {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
LONGEST = 4096  # characters of any text
LOCKED = ("hf:", "ollama:", "s3:")  # kinds of a model's source that fleet.lock pins


def word(pattern: str, meaning: str, value: str) -> str:
    """A text that is the pattern from end to end."""
    is_reserved = pattern == PATTERN and value in RESERVED
    if is_reserved or re.fullmatch(pattern, value) is None:
        raise ValueError(f"should be {meaning}")
    return value


def text(value: str) -> str:
    """One line that shows what it is."""
    if not value or len(value) > LONGEST or HOSTILE.search(value) or "\n" in value or "\t" in value:
        raise ValueError("should be a line of text without control characters")
    return value


def place(value: str) -> str:
    """A host name, IP address or alias: never an option, never two words.

    Source: ssh refuses the same signs since CVE-2023-51385; a ProxyCommand of the user's own
        configuration hands the name to a shell.
    """
    text(value)
    if value.startswith("-") or re.search(r"\s", value) or len(value) > 255:
        raise ValueError("should be one word that does not begin with '-'")
    if re.search(r"['\"`$\\;&<>|(){}]", value):
        raise ValueError("should be a name or an address, without signs that a shell reads")
    return value


def source(value: str) -> str:
    """`kind:rest`."""
    text(value)
    kind, colon, rest = value.partition(":")
    if not colon or not re.fullmatch("[a-z][a-z0-9-]*", kind) or not rest or rest.startswith("-"):
        raise ValueError("should be a kind and a place, as git:https://… or file:…")
    return value


def hub(value: str) -> str:
    """The address of a model hub."""
    text(value)
    try:
        parts = urlsplit(value)
        is_plain = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_plain = False
        parts = urlsplit("")
    is_bare = parts.username is None and parts.password is None and not parts.query and not parts.fragment
    if parts.scheme not in ("http", "https") or not is_plain or not is_bare or " " in value:
        raise ValueError("should be the address of a model hub, without a password: https://huggingface.co")
    return value


def path_text(value: str) -> str:
    """An absolute path on a host that may be filled and emptied."""
    text(value)
    parts = [part for part in value.split("/") if part]
    if not value.startswith("/") or not parts or ".." in parts or "." in parts:
        raise ValueError("should be an absolute path of a folder of its own")
    return value


def folder(value: str) -> str:
    """A folder on a host that is only read."""
    text(value)
    if not value.startswith(("/", "~/")) or any(ord(letter) < 32 for letter in value):
        raise ValueError("should be an absolute path, or begin with ~/")
    return value


def wake(value: str) -> str:
    """An Ethernet address."""
    return word("[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}", "an Ethernet address: 00:11:22:33:44:55", value)


def network(value: str) -> str:
    """An IP network."""
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise ValueError("should be a network: 192.168.1.0/24") from None
    return value


def size(value: Any) -> Any:
    """Bytes of a number or of a text with its unit."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?([A-Za-z]{0,3})", value)
    if match is None or match[2] not in UNITS:
        raise ValueError("should be bytes, or a size with its unit: 20 GiB")
    return int(float(match[1]) * UNITS[match[2]])
