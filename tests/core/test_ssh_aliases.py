"""Which machines an ssh_config names."""

import pytest

from fleet.core.ssh_aliases import aliases, words


def nothing(pattern: str) -> list[str]:
    return []


CONFIG = """
# Host commented
Host mac studio
    HostName 10.0.0.1
    User me
Host=rtx
  Port 2222
host "laptop" # mine
Host *.example.com !bad gpu-? *
Match host mac exec "true"
  User other
Include more/*
Host mac
Host -oProxyCommand=x "" "open
"""


def test_hosts_are_listed_in_order_and_once_without_patterns() -> None:
    assert aliases(CONFIG, nothing) == ("mac", "studio", "rtx", "laptop", "open")


def test_included_files_are_read_where_they_are_included() -> None:
    files = {"more/*": ["Host a", "Host b\nInclude more/*"]}
    found = aliases("Host x\nInclude more/*\nHost y", lambda pattern: files[pattern])
    assert found == ("x", "a", "b", "y")


def test_a_file_that_includes_itself_ends() -> None:
    assert aliases("Include self\nHost a", lambda pattern: ["Include self\nHost a"]) == ("a",)


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("Host a b", ("host", ["a", "b"])),
        ("  HOST\ta", ("host", ["a"])),
        ("Host = a", ("host", ["a"])),
        ("Host=a", ("host", ["a"])),
        ('Host "a b"', ("host", ["a b"])),
        ("# Host a", ("", [])),
        ("", ("", [])),
        ("Host", ("host", [])),
        ("=", ("", [])),
    ],
)
def test_a_line_is_a_keyword_and_values(line: str, meaning: tuple[str, list[str]]) -> None:
    assert words(line) == meaning
