"""A model hub over http: what a repository holds, and where the bytes of a file are."""

import contextlib
import re
from collections.abc import Callable
from urllib.parse import quote

import httpx

from fleet.core.errors import FleetError, PlanError
from fleet.core.names import nearest
from fleet.core.secret import Secret
from fleet.core.text import safe_line
from fleet.io.fetch import answers
from fleet.io.hubs.access import Access
from fleet.io.hubs.ask import ask
from fleet.models import hub
from fleet.sources.base import Repository

DEADLINE = 60.0  # seconds for one answer
CAP = 16 << 20  # bytes of one; a repository of 50 000 files has about as many
BRIEF = 10.0  # seconds for what only makes a message better
WRONG_TOKEN = "Invalid credentials in Authorization header"


class Hub:
    """The hub that a run speaks to.

    Raises: whatever `Access.token` raises.
    """

    def __init__(self, access: Access) -> None:
        self.access = access
        self.endpoint = access.endpoint()
        self.key: Secret | None = access.token()

    async def listing(
        self,
        place: Repository,
        *,
        deadline: float = DEADLINE,
        is_wanted: Callable[[str], bool] = hub.is_gguf,
    ) -> hub.Listing:
        """The repository's commit and its files of the wanted names, in one question.

        Raises:
            PlanError: no such repository or revision, or it may not be read; says what to do.
            FleetError: no connection, too many questions, or an answer that is none.
        """
        revision = quote(place.revision or "main", safe="")
        path = f"/api/models/{place.id}/revision/{revision}?blobs=true"
        response, body = await self._ask(path, deadline)
        if response.status_code != 200:
            raise await self._refused(place, response)
        return hub.listing(body, place, is_wanted)

    def url(self, place: Repository, commit: str, file: str) -> str:
        return f"{self.endpoint}/{place.id}/resolve/{commit}/{quote(file)}"

    def check(self, place: Repository) -> answers.Check:
        """Judges the answers to requests for a file of the repository, in the hub's own words."""

        def check(url: str, response: httpx.Response) -> None:
            is_file = response.status_code in (200, 206)
            problem = None if is_file else self._problem(place, response, is_repository=False)
            if problem is not None:
                raise problem
            answers.check(url, response)

        return check

    async def _ask(self, path: str, deadline: float) -> tuple[httpx.Response, bytes]:
        setting = "HF_ENDPOINT and at hub in [defaults]"
        return await ask(self.endpoint + path, deadline=deadline, cap=CAP, setting=setting, key=self.key)

    async def _refused(self, place: Repository, response: httpx.Response) -> FleetError:
        problem = self._problem(place, response)
        if problem is None:
            with contextlib.suppress(httpx.HTTPError):
                answers.check(self.endpoint, response)
            return FleetError(f"{self.host} answered {response.status_code}", next=f"curl -I {self.endpoint}")
        if problem.kind == "no-revision":
            known = await self._names(f"/api/models/{place.id}/refs", "name", "branches", "tags")
            self._offer(problem, place.revision or "main", known)
        if problem.kind == "no-repository":
            stem = re.split(r"[-_.]", place.name)[0]
            path = f"/api/models?author={place.owner}&search={quote(stem)}&limit=100"
            self._offer(problem, place.id, await self._names(path, "id"))
        return problem

    async def _names(self, path: str, key: str, *tables: str) -> list[str]:
        with contextlib.suppress(FleetError):
            response, body = await self._ask(path, BRIEF)
            if response.status_code == 200:
                return hub.names(body, key=key, tables=tables)
        return []

    def _offer(self, problem: FleetError, wanted: str, known: list[str]) -> None:
        if known:
            problem.next = f"one of: {', '.join(nearest(wanted, known))}"

    def _problem(
        self, place: Repository, response: httpx.Response, *, is_repository: bool = True
    ) -> FleetError | None:
        """What an answer means; None: it says nothing that only a hub would say.

        Args:
            is_repository: whether the repository was asked for, and not a file of it.

        Source: huggingface_hub utils/_http.py, `hf_raise_for_status`: X-Error-Code, X-Error-Message,
            and that a repository which does not exist is answered with 401 like one that is hidden.
        """
        status = response.status_code
        code, said = (response.headers.get(f"x-error-{name}", "") for name in ("code", "message"))
        page = f"{self.endpoint}/{place.id}"
        match status, code:
            case 429, _:
                wait = _seconds(response)
                after = f"wait {wait} s" if wait else "wait"
                more = "" if self.key else "; with a token the hub allows more"
                return FleetError(
                    f"{self.host} has had too many questions from here",
                    kind="rate-limit",
                    next=f"{after}, then the same command again{more}",
                )
            case 401, _ if said == WRONG_TOKEN:
                return PlanError(
                    f"{self.host} does not know the token",
                    kind="wrong-token",
                    next=f"make one at {self.endpoint}/settings/tokens, and export HF_TOKEN",
                )
            case _, "GatedRepo":
                what = (
                    "your account has not been let in" if self.key else "it is gated, and no token was sent"
                )
                return PlanError(
                    f"{place.id}: {what}",
                    kind="gated",
                    next=f"accept the licence at {page}" + ("" if self.key else f", then {self._how()}"),
                )
            case _, "RevisionNotFound":
                return PlanError(
                    f"{place.id} has no revision {place.revision or 'main'}", kind="no-revision", next=page
                )
            case _, "EntryNotFound":
                return self._gone(place)
            case 404, "" if not is_repository:
                return self._gone(place)
            case 401, _:
                hidden = "" if self.key else f"; if it is private: {self._how()}"
                return PlanError(
                    f"{self.host} shows no repository {place.id}",
                    kind="no-repository",
                    next=f"look at {page}{hidden}",
                )
            case (404, _) | (_, "RepoNotFound"):
                return PlanError(
                    f"{self.host} has no repository {place.id}", kind="no-repository", next=f"look at {page}"
                )
            case 403, _:
                reason = safe_line(said, 200) or "it may not be read"
                return PlanError(f"{place.id}: {reason}", kind="forbidden", next=f"look at {page}")
        return None

    def _gone(self, place: Repository) -> FleetError:
        return PlanError(
            f"the pinned file of {place} is not there any more",
            kind="no-file",
            next="fleet models pin NAME, which asks for what is there today",
        )

    def _how(self) -> str:
        return self.access.withheld() or "export HF_TOKEN"

    @property
    def host(self) -> str:
        return httpx.URL(self.endpoint).host


def _seconds(response: httpx.Response) -> int | None:
    """How long it asks us to wait.

    Source: Hugging Face hub documentation, rate limits: `RateLimit: "api";r=0;t=55`, t in seconds.
    """
    after = response.headers.get("retry-after", "")
    if re.fullmatch(r"\d{1,6}", after):
        return int(after)
    found = re.search(r";\s*t=(\d{1,6})\b", response.headers.get("ratelimit", ""))
    return int(found[1]) if found else None
