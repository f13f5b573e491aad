"""Which addresses a host may be told, and what the answer it got means."""

import pytest

from fleet.models.pulling import config, problem, reason, refusal

MODEL = "https://example.org/a/model.gguf"


@pytest.mark.parametrize(
    "url",
    [
        MODEL,
        "http://192.168.1.7:8000/model.gguf",
        f"{MODEL}?download=true",
        "https://[2001:db8::7]/model.gguf",
        'https://example.org/it\'s $(a) `b` "c" [d]{e}.gguf'.replace(" ", "%20"),
    ],
)
def test_a_plain_address_may_be_told(url):
    assert refusal(url) is None


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://ada:pw@example.org/model.gguf", "its address holds a password, which no host is told"),
        ("https://ada@example.org/model.gguf", "its address holds a password, which no host is told"),
        ("ftp://example.org/model.gguf", "its source is no http or https address"),
        ("https:///model.gguf", "its source is no http or https address"),
        (f"{MODEL}\nurl = x", "its source is no http or https address"),
        ("http://[::1/model.gguf", "its source is no address"),
        ("http://127.0.0.1:8000/model.gguf", "127.0.0.1 is another machine there"),
        ("http://[::1]/model.gguf", "::1 is another machine there"),
        ("http://hub.localhost/model.gguf", "hub.localhost is another machine there"),
    ],
)
def test_an_address_that_stays_here_says_why(url, why):
    assert refusal(url) == why


@pytest.mark.parametrize(
    "query",
    ["token=x", "X-Amz-Signature=0", "sig=1", "key=", "v=hf_" + "x" * 34, "hf_xxxxxxxxxxxx", "a=b&Api-Key=c"],
)
def test_a_query_that_may_be_a_key_stays_here(query):
    assert refusal(f"{MODEL}?{query}") == "its address has a query that may be a key, which no host is told"


def test_no_sign_of_an_address_ends_its_line_for_curl():
    lines = config('https://example.org/a"b\\c').splitlines()
    assert lines[0] == 'url = "https://example.org/a\\"b\\\\c"'
    assert lines[1:] == ['proto = "=http,https"', 'proto-redir = "=https"']


def test_an_address_without_encryption_may_lead_to_one_with_it():
    assert config("http://example.org/a").splitlines()[2] == 'proto-redir = "=http,https"'


REDIRECTED = "tool curl\nHTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\nHTTP/2 206 \r\n"


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (f"{REDIRECTED}content-range: bytes 0-0/5000\r\ncontent-length: 1\r\n", None),
        ("HTTP/1.1 200 OK\nContent-Length: 5000\n", None),
        ("  HTTP/1.1 200 OK\n  Content-Length: 5000\n", None),
        ("HTTP/1.1 200 OK\n", None),
        ("HTTP/1.1 200 OK\nContent-Length: 23\n", "it has 23 B of it (23 bytes), it should have 5000"),
        (f"{REDIRECTED}Content-Range: bytes 0-0/9\n", "it has 9 B of it (9 bytes), it should have 5000"),
        ("HTTP/1.1 404 Not Found\n", "it answered 404"),
        ("HTTP/1.1 200 OK\nContent-Length: 5000\nHTTP/1.1 403 Forbidden\n", "it answered 403"),
        ("tool curl\n", "no answer"),
        ("", "no answer"),
    ],
)
def test_what_the_answer_of_a_server_means(head, said):
    assert problem(head, 5000) == said


def test_a_size_that_nobody_knows_is_not_compared():
    assert problem("HTTP/1.1 200 OK\nContent-Length: 23\n", None) is None


def test_a_reason_is_one_harmless_line_without_the_signature_of_a_link():
    said = "first\ncurl: (22) \x1b[31mhttps://cdn/x?X-Amz-Signature=abc answered 403\n\n"
    assert reason(said).endswith("https://cdn/x?… answered 403")
    assert "\x1b" not in reason(said)
    assert reason("\n") == "no answer"
