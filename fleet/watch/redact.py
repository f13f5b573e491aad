"""What must not leave the house is taken out of a text: keys, tokens, passwords, and on request names.

Four nets, each for what the others let through: secrets that are known by their value, values beside a
word such as `token`, tokens known by how they begin, and any long word that looks thrown by dice. Hashes
of builds and models look so too; those that are known stay.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise

HIDDEN = "***"
SHORTEST = 20  # characters; what is shorter is no key that anybody generates
CHANGES = 0.36  # share of neighbours of different kind (upper, lower, digit): dice throw 0.4 to 0.6
KEEPS = frozenset(("true", "false", "null", "none", HIDDEN, ""))

PRIVATE = re.compile(r"-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|\Z)", re.DOTALL)
HEADER = re.compile(
    r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key)(\\?[\"']?\s*[:=]\s*\\?[\"']?)[^\r\n\"'\\]+"
)
BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}")
WORDS = (
    r"(?:api|access)[_-]?keys?|(?:access|auth|hf|id|refresh|session|github|gitlab)[_-]?tokens?|token|secrets?|passw(?:or)?d|pwd|"
    r"passphrase|private[_-]?key|credentials?|signature"
)
# `--api-key-file` names a place, `max_tokens` a number of words.
NAMED = rf"((?<![A-Za-z])[A-Za-z0-9_.-]{{0,64}}?(?:{WORDS})(?![A-Za-z]|[_-](?:file|path|type|id)))"
ASKED = rf"(--?(?:[a-z]+-)?(?:{WORDS}))(?![a-z]|-)"
# What quotes hold may have spaces; so may what people write after `passphrase: `, up to the next `key=`.
QUOTED = re.compile(
    rf"(?i){NAMED}((?:\\?[\"']?\s*[:=]\s*\\?|[\"']?\s*,\s*)(?P<quote>[\"']))"
    r"(?P<value>(?:(?!(?P=quote))[^\r\n\\])+)"
)
PHRASE = re.compile(
    r"(?i)((?:passw(?:or)?d|passphrase|pwd))(\s*:[^\S\r\n]+|\s*=[^\S\r\n]+)"
    r"(?P<value>[^\s\"',;&\\]+(?:[^\S\r\n]+(?![\w.-]+[:=]|--?[a-z])[^\s\"',;&\\]+)*)"
)
BESIDE = re.compile(rf"(?i){NAMED}(\\?[\"']?\s*[:=]\s*\\?[\"']?|[\"']?\s*,\s*[\"'])(?P<value>[^\s\"',;&\\]+)")
FLAG = re.compile(rf"(?i){ASKED}(\s+)(?P<value>[^\s\"',]+)")
FLAG_QUOTED = re.compile(rf"(?i){ASKED}(\s+(?P<quote>[\"']))(?P<value>(?:(?!(?P=quote))[^\r\n])+)")
COUNTED = re.compile(r"(?i)(?:tokens?|keys?|credentials?|signature)$")  # a number beside them is no secret
# Who has the address may post: Slack, Discord, Teams.
# Source: api.slack.com/messaging/webhooks; discord.com/developers/docs/resources/webhook.
HOOK = re.compile(
    r"(?i)(hooks\.slack(?:-gov)?\.com/|discord(?:app)?\.com/api/(?:v\d+/)?webhooks/|"
    r"webhook\.office\.com/)[^\s\"'<>,\\)]+"
)
LOGIN = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{0,20}://)[^/\s:@\"']+(?::[^/\s@\"']*)?@")
BEGINS = re.compile(
    r"\b(?:hf_|sk-|gh[opsur]_|github_pat_|glpat-|xox[abeprs]-|AKIA|ASIA|AIza|ya29\.|npm_|pypi-|dckr_pat_|eyJ)"
    r"[A-Za-z0-9_.=-]{8,}"
)
LONG = re.compile(rf"[A-Za-z0-9_+/=-]{{{SHORTEST},}}")
ADDRESS = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4})(?![\w.:]\w)"
)
HARDWARE = re.compile(r"\b(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}\b")
MAIL = re.compile(r"\b[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+\b")
HOMES = re.compile(r"(/(?:home|Users)/)[^/\s\"':]+")


class Redactor:
    """Takes secrets out of texts.

    Args:
        secrets: values that are known to be secret.
        known: words that look like secrets and are none: hashes, fingerprints.
        names: what is to be replaced by what: users, machines, addresses. None keeps names, homes
            and addresses as they are.
    """

    def __init__(
        self,
        secrets: Iterable[str] = (),
        known: Iterable[str] = (),
        names: Mapping[str, str] | None = None,
    ) -> None:
        self.secrets = sorted({one for one in secrets if len(one) >= 4}, key=len, reverse=True)
        self.known = frozenset(known) - set(self.secrets)
        self.names = names
        self._named = _any_of(names or {})

    def text(self, text: str) -> str:
        """The text without them. Doing it again changes nothing."""
        for secret in self.secrets:
            text = text.replace(secret, HIDDEN)
        text = PRIVATE.sub(HIDDEN, text)
        text = HEADER.sub(rf"\1\2{HIDDEN}", text)
        text = BEARER.sub(rf"\1 {HIDDEN}", text)
        text = LOGIN.sub(rf"\1{HIDDEN}@", text)
        text = HOOK.sub(rf"\1{HIDDEN}", text)
        for net in (FLAG_QUOTED, FLAG, QUOTED, PHRASE, BESIDE):
            text = net.sub(self._value, text)
        text = BEGINS.sub(HIDDEN, text)
        if self.names is not None:
            text = self._without_names(text)
        return LONG.sub(self._long, text)

    def _value(self, match: re.Match[str]) -> str:
        word, between, value = match[1], match[2], match["value"]
        # Nor is the next flag one: `--no-cors-credentials --metrics`; `PWD` is where a shell stands.
        is_count = COUNTED.search(word) and re.fullmatch(r"[\d.]+[\])}]*", value)
        is_place = word == "PWD" and value.startswith("/")
        if value.lower() in KEEPS or is_count or is_place or re.fullmatch(r"--[a-z][a-z0-9-]*", value):
            return match[0]
        return f"{word}{between}{HIDDEN}"

    def _without_names(self, text: str) -> str:
        text = MAIL.sub("<mail>", text)
        text = HARDWARE.sub("<mac>", text)
        if self._named is not None:
            text = self._named.sub(lambda match: (self.names or {})[match[0]], text)
        text = HOMES.sub(r"\1user", text)
        return ADDRESS.sub(_address, text)

    def _long(self, match: re.Match[str]) -> str:
        word = match[0]
        pieces = word.split("/")
        if len(pieces) == 1:
            return self._judged(word)
        joined = word.replace("/", "")
        # A path has many short pieces; base64 has a few long ones.
        is_path = word.startswith("/") or len(pieces) > len(word) / 12 or self.known.intersection(pieces)
        if not is_path and _is_thrown(joined):
            return HIDDEN
        return "/".join(self._judged(piece) for piece in pieces)

    def _judged(self, word: str) -> str:
        """A word, or several that dashes join: `=` and `-` stand beside hashes that are known."""
        if len(word) < SHORTEST or word in self.known:
            return word
        parts = re.split(r"([=-])", word)
        if any(part in self.known for part in parts):
            return "".join(part if part in self.known else self._judged_alone(part) for part in parts)
        return self._judged_alone(word)

    def _judged_alone(self, word: str) -> str:
        return HIDDEN if len(word) >= SHORTEST and _is_thrown(word) else word


def _is_thrown(word: str) -> bool:
    """Whether its characters change between upper, lower and digits as no name does."""
    letters = [letter for letter in word if letter.isalnum()]
    kinds = ["0" if letter.isdigit() else "A" if letter.isupper() else "a" for letter in letters]
    if len(letters) < SHORTEST or len(set(kinds)) < 2:
        return False
    changes = sum(one != other for one, other in pairwise(kinds))
    if re.fullmatch(r"[0-9a-f]+|[0-9A-F]+", "".join(letters)):
        return changes >= 4
    return changes / (len(kinds) - 1) >= CHANGES


def _any_of(names: Mapping[str, str]) -> re.Pattern[str] | None:
    words = sorted((re.escape(name) for name in names if len(name) >= 3), key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(words)})(?![\w-])") if words else None


def _address(match: re.Match[str]) -> str:
    try:
        address = ipaddress.ip_address(match[0])
    except ValueError:
        return match[0]
    is_plain = address.is_loopback or address.is_unspecified or match[0].startswith("0.")
    return match[0] if is_plain else "<address>"
