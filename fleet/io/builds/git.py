"""Commits of a git repository, read with the git of this machine."""

from pathlib import Path

from fleet.core.errors import FleetError, InventoryError
from fleet.io.tool import Said, run_tool
from fleet.trees.base import COMMIT

DEADLINE = 1800.0  # seconds for a fetch
ASKING = 60.0  # seconds for one question
QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true", "SSH_ASKPASS": "true"}


async def commit_of(url: str, ref: str) -> str:
    """The commit that a tag or branch names now."""
    said = await run_tool(
        "git", "ls-remote", "--", url, ref, f"{ref}^{{}}", deadline=ASKING, environment=QUIET
    )
    if said.status:
        raise _git(said, url)
    lines = (line.partition("\t") for line in said.out.splitlines())
    found = {name: commit for commit, _, name in lines}
    # a tag with a message names itself first, and its commit with ^{}
    for name in (f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}", f"refs/heads/{ref}", ref):
        if COMMIT.fullmatch(found.get(name, "")):
            return found[name]
    raise InventoryError(
        f"llama_cpp.ref: {url} has no tag or branch {ref!r}", next="a tag, a branch, or 40 digits of a commit"
    )


async def fetch_commit(url: str, ref: str, commit: str, folder: Path) -> Path:
    """The tree of one commit, as git packs it; git checks every object against its id."""

    async def git(*argv: str) -> Said:
        said = await run_tool("git", *argv, deadline=DEADLINE, folder=folder, environment=QUIET)
        if said.status:
            raise _git(said, url)
        return said

    await git("init", "-q", "--bare", ".")
    try:
        await git("fetch", "-q", "--depth", "1", "--no-tags", "--", url, commit)
    except FleetError:
        # an old server gives out only what has a name
        if ref == commit:
            raise
        await git("fetch", "-q", "--depth", "1", "--no-tags", "--", url, ref)
    got = (await git("rev-parse", "FETCH_HEAD^{commit}")).out.strip()
    if got != commit:
        raise FleetError(f"{url} moved {ref} while it was fetched", next="the same command again")
    await git("archive", "--format=tar", "-o", "tree.tar", commit)
    return folder / "tree.tar"


def _git(said: Said, url: str) -> FleetError:
    return FleetError(f"git cannot read {url}: {said.last}", kind="source", next=f"git ls-remote {url}")
