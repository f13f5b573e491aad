"""What may stand for a place: it reaches ssh, and by a ProxyCommand of the user's own a shell."""

import pytest

from fleet.core.inventory_words import place


@pytest.mark.parametrize(
    "value",
    [
        "-oProxyCommand=x",
        "a b",
        "a;id",
        "$(id)",
        "`id`",
        "a|id",
        "a&id",
        "a'b",
        'a"b',
        "a\\b",
        "${IFS}",
        "a\nb",
    ],
)
def test_a_place_is_never_an_option_nor_a_command(value: str) -> None:
    with pytest.raises(ValueError, match="should be"):
        place(value)


@pytest.mark.parametrize(
    "value", ["mac", "10.0.0.1", "fe80::1%eth0", "rechner-ö.local", "user.host_2", "a+b@c"]
)
def test_names_and_addresses_are_places(value: str) -> None:
    assert place(value) == value
