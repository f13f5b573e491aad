"""What a flow asks where it gathers a report: what lies on a host, and one file of all hosts together."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadRecords:
    """Fleet's own records on a host: builds, releases, ends of logs. Answer: dict path -> text.

    Bounded, harmless to draw, and without the API keys that lie there.
    """

    host: str
    lines: int  # of each log


@dataclass(frozen=True, slots=True)
class Bundle:
    """A host's part of the report. Answer: Bundled, the same for all; waits until all have asked.

    Attributes:
        texts: name in the host's folder -> text; secrets and names are taken out when it is written.
        known: words that look like secrets and are none: hashes, fingerprints.
        names: what tells who and where -> what stands for it.
    """

    host: str
    texts: Mapping[str, str]
    known: frozenset[str]
    names: Mapping[str, str]
    keep_names: bool
    output: str | None  # a path; None: a name of its own in the folder where fleet was called


@dataclass(frozen=True, slots=True)
class Bundled:
    path: str
    size: int  # bytes
    files: int
