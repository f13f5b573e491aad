"""Why a host could not take a file, from what its tools said."""

import re

from fleet.core.errors import StepError
from fleet.core.shell import complaint
from fleet.core.text import safe_text
from fleet.io.ports import Answer
from fleet.io.shelltext import taken_over
from fleet.platforms.base import FENCED

GONE = 74  # of the receiving line: no part where there was one
TOO_LARGE = 153  # 128 + SIGXFSZ

# What C libraries say under LC_ALL=C -> kind, sentence, next. {root} is filled in.
KNOWN = (
    ("No space left on device", "disk-full", "the disk is full; what arrived is kept",
     "free space (or files: df -i) on the disk of {root}, then the same command again"),
    ("quota exceeded", "disk-full", "the disk quota is used up; what arrived is kept",
     "free space in {root}, or ask for a larger quota: quota -s"),
    ("File too large", "step", "the file system of {root} takes no file of this size",
     "set root to a folder on another file system, or raise ulimit -f there"),
    ("Read-only file system", "step", "the file system of {root} is read-only",
     "set root to a folder that can be written, or mount it read-write"),
    ("Permission denied", "step", "the user may not write in {root}",
     "ls -ld {root}, or set root to a folder of that user"),
    ("Operation not permitted", "step", "the user may not change files in {root}",
     "ls -ld {root}, or set root to a folder of that user"),
    ("Not a directory", "step", "a part of the path {root} is not a folder", "set root to a folder"),
    ("File exists", "step", "something that is not a folder is in the way below {root}", "ls -l {root}"),
    ("Input/output error", "step", "the disk of {root} has errors", "look at its kernel log: dmesg"),
    ("Stale file handle", "step", "the network disk of {root} went away", "mount it again there"),
)  # fmt: skip


def explained(answer: Answer, root: str) -> StepError:
    """The error of a program that received or checked a file."""
    text = safe_text(answer.err)
    if answer.status == FENCED:
        return taken_over()
    if answer.status == GONE:
        return StepError("the part was taken away while it was received", next="the same command again")
    what, following = complaint(text)
    if what is not None:
        return StepError(what, next=following or "fleet doctor")
    if answer.status == TOO_LARGE:
        text += "File too large"
    for phrase, kind, sentence, remedy in KNOWN:
        if phrase in text:
            return StepError(sentence.format(root=root), kind=kind, next=remedy.format(root=root))
    lines = [line for line in text.splitlines() if line.strip() and not re.search(r"records (in|out)$", line)]
    said = lines[-1][:300] if lines else "nothing"
    return StepError(f"it stopped with exit {answer.status} and said: {said}", next="fleet doctor")
