"""Text from hosts, made harmless: no terminal control, no bidirectional tricks."""

import re

CAP = 1 << 20  # bytes of one answer, unless the caller says otherwise
REPLACEMENT = "\ufffd"

# C0 but tab and newline, DEL, C1, zero-width and bidirectional controls, line and
# paragraph separators, byte order mark, interlinear and tag characters, surrogates.
HOSTILE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def safe_text(data: bytes | str, cap: int = CAP) -> str:
    """What a host said, as data that can be stored and drawn.

    Args:
        data: as it came over the wire, or decoded elsewhere.
        cap: bytes (characters for str) kept; the rest is dropped.

    Returns:
        Text without control characters other than tab and newline. CRLF becomes a
        newline, a lone carriage return too, so that progress bars become lines.
        It is still data: never draw it as markup.
    """
    text = data[:cap].decode("utf-8", "replace") if isinstance(data, bytes) else data[:cap]
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return HOSTILE.sub(REPLACEMENT, text)


def safe_line(data: bytes | str, cap: int = 8192) -> str:
    """As safe_text, on one line: tabs and newlines become single spaces."""
    return " ".join(safe_text(data, cap).split())
