"""What of an address may be printed."""

from fleet.io.fetch.answers import shown


def test_a_signed_link_is_printed_without_its_signature():
    assert shown("https://host.example/m.gguf?signature=abc&key=1") == "https://host.example/m.gguf"


def test_a_plain_link_is_printed_as_it_is():
    assert shown("http://host.example/models/m.gguf") == "http://host.example/models/m.gguf"
