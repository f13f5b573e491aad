"""An object of S3, or of a server like it, through boto3: what it is, and a link to its bytes.

boto3 finds the credentials as all of Amazon's tools do: in the environment, in profiles, by single sign-on,
from the role of the machine. They stay in this process. A link holds a signature of version 4, which only
the server that it names takes, for that object and an hour: so an inventory, which may come from somebody
else, may name the server.
"""

import asyncio
import base64
import binascii
import contextlib
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from fleet.core.errors import DeadlineError, FleetError, PlanError, UsageError
from fleet.core.names import nearest
from fleet.core.text import safe_line
from fleet.io.hubs.access import Access
from fleet.models.fixed import LARGEST, is_mark
from fleet.sources.base import Object
from fleet.sources.s3 import is_key

IDLE = 20.0  # seconds without an answer; a command that is interrupted waits for it
SIGNED = 3600  # seconds that a link is good for; it is signed anew when it is not
ANYWHERE = "export AWS_PROFILE=NAME, or aws configure"
# Source: Amazon S3 API Reference, error responses, list of error codes.
STRANGERS = {
    "InvalidAccessKeyId": "the access key is not known there",
    "SignatureDoesNotMatch": "the secret does not fit the access key",
    "InvalidToken": "the session token is none",
    "ExpiredToken": "the session is over",
    "TokenRefreshRequired": "the session is over",
    "InvalidSecurity": "they are not valid",
    "NotSignedUp": "their account has no S3",
}
BUSY = ("SlowDown", "ServiceUnavailable", "RequestLimitExceeded", "Throttling", "429", "503")
ELSEWHERE = ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301")
ARCHIVES = ("GLACIER", "DEEP_ARCHIVE")


@dataclass(frozen=True, slots=True)
class Seen:
    """An object as its bucket describes it.

    Attributes:
        size: bytes.
        sha256: None: the bucket keeps no hash of the whole object.
        marks: what tells this version from another: its etag, and its version where the bucket keeps them.
    """

    size: int
    sha256: str | None
    marks: Mapping[str, str]


class Bucket:
    """Where one object is.

    Args:
        library: what boto3 is called.

    Raises:
        PlanError: it is not installed.
    """

    def __init__(self, place: Object, access: Access, library: str = "boto3") -> None:
        try:
            self._boto = import_module(library)
        except ImportError as error:
            raise PlanError(
                f"s3: sources need {library}, which is not installed",
                kind="no-library",
                next=f"{sys.executable} -m pip install {library}",
            ) from error
        self._errors: Any = import_module("botocore.exceptions")
        self._place = place
        self._endpoint = access.bucket_endpoint(place.endpoint)

    async def look(self, version: str | None = None) -> Seen:
        """What the bucket says of the object today, or of a version of it.

        Raises:
            PlanError: no such bucket or object, or it may not be read.
            UsageError: the settings of boto3 are no good.
            DeadlineError: no answer.
            FleetError: no connection, or too many questions.
        """
        return await asyncio.to_thread(self._look, version)

    async def link(self, version: str | None = None) -> str:
        """An address of its bytes that needs no more credentials: a secret. Raises as look."""
        return await asyncio.to_thread(self._link, version)

    def _look(self, version: str | None) -> Seen:
        with self._translated():
            try:
                head = self._client.head_object(**self._named(version), ChecksumMode="ENABLED")
            except self._errors.ClientError:
                # The answer to a HEAD has no body that would say why.
                self._client.get_object(**self._named(version), Range="bytes=0-0")["Body"].close()
                raise
        size = head.get("ContentLength")
        if type(size) is not int or not 0 < size < LARGEST:
            raise PlanError(f"{self._place} has {size} bytes", next="name an object that is a model")
        self._refuse_archived(head)
        marks = {"etag": head.get("ETag"), "version": head.get("VersionId")}
        kept = {name: mark for name, mark in marks.items() if is_mark(mark) and mark != "null"}
        return Seen(size, _sha256(head), kept)

    def _link(self, version: str | None) -> str:
        with self._translated():
            made = self._client.generate_presigned_url(
                "get_object", Params=self._named(version), ExpiresIn=SIGNED
            )
            return str(made)

    def _named(self, version: str | None) -> dict[str, str]:
        wanted = {"Bucket": self._place.bucket, "Key": self._place.key}
        return wanted | ({"VersionId": version} if version else {})

    @cached_property
    def _session(self) -> Any:
        return self._boto.Session()

    @cached_property
    def _client(self) -> Any:
        """Without credentials it asks as everybody may, which public buckets allow."""
        config = import_module("botocore.config").Config(
            # Presigned links would else be of version 2, whose signature is good for any server.
            signature_version="s3v4" if self._session.get_credentials() else _unsigned(),
            connect_timeout=10.0,
            read_timeout=IDLE,
            retries={"total_max_attempts": 2, "mode": "standard"},
        )
        return self._session.client("s3", endpoint_url=self._endpoint, config=config)

    @property
    def host(self) -> str:
        return urlsplit(self._server).hostname or "S3"

    @property
    def _server(self) -> str:
        parts = urlsplit(self._client.meta.endpoint_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Errors of boto3 as sentences. Nothing of what a server writes is repeated but its error's code."""
        errors = self._errors
        try:
            yield
        except errors.ClientError as error:
            raise self._refused(str(error.response.get("Error", {}).get("Code", ""))) from error
        except (errors.ReadTimeoutError, errors.ConnectTimeoutError) as error:
            raise DeadlineError(f"no answer from {self.host}", next="the same command again") from error
        except (errors.ConnectionError, errors.HTTPClientError) as error:
            kind = type(error).__name__
            raise FleetError(
                f"no connection to {self.host}: {kind}",
                kind="download",
                next=f"curl -I {self._server}",
            ) from error
        except (errors.CredentialRetrievalError, errors.TokenRetrievalError) as error:
            # What a program of the user's that makes credentials prints may be one.
            provider = safe_line(str(error.kwargs.get("provider", "boto3")), 80)
            raise UsageError(f"{provider} gives no AWS credentials", next=ANYWHERE) from error
        except errors.BotoCoreError as error:
            raise UsageError(f"the settings of AWS: {safe_line(str(error), 200)}", next=ANYWHERE) from error
        except ValueError as error:  # it may hold a password
            raise UsageError(
                "the endpoint of S3 is no address of a server",
                next="export AWS_ENDPOINT_URL_S3=https://HOST, or unset it",
            ) from error

    def _refused(self, code: str) -> FleetError:
        """What an error's code means. A HEAD that stays without a body has its status as code."""
        place, host = self._place, self.host
        if code == "NoSuchBucket":
            return PlanError(
                f"{host} has no bucket {place.bucket}",
                kind="no-bucket",
                next="correct its source, or name the server: s3:BUCKET/KEY?endpoint=https://HOST",
            )
        if code in ("NoSuchKey", "NoSuchVersion", "404"):
            near = ", ".join(str(Object(place.bucket, key, place.endpoint)) for key in self._near())
            return PlanError(
                f"bucket {place.bucket} of {host} has no object {place.key}",
                kind="no-file",
                next=f"one of: {near}" if near else "correct its source",
            )
        if code in STRANGERS:
            return PlanError(
                f"{host} refuses {self._whose()}: {STRANGERS[code]}", kind="wrong-credentials", next=ANYWHERE
            )
        if code in ("AccessDenied", "AllAccessDisabled", "AccountProblem", "403", "401"):
            return PlanError(
                f"{place} is not there, or may not be read with {self._whose()}",
                kind="forbidden",
                next=f"{ANYWHERE}; s3:GetObject is what it takes",
            )
        if code == "RequestTimeTooSkewed":
            return PlanError(f"{host} says that the clock of this machine is wrong", next="date -u")
        if code in ELSEWHERE:
            return PlanError(
                f"bucket {place.bucket} is in another region", next="export AWS_DEFAULT_REGION=REGION"
            )
        if code in BUSY:
            return FleetError(
                f"{host} has had too many questions", kind="rate-limit", next="wait, then the same again"
            )
        return FleetError(f"{host} answered {safe_line(code, 60)}", next=f"aws s3 ls {_quoted(place)}")

    def _whose(self) -> str:
        """Whose credentials were sent, without a letter of them."""
        found = self._session.get_credentials()
        return f"the AWS credentials of {safe_line(str(found.method), 40)}" if found else "no AWS credentials"

    def _near(self) -> list[str]:
        """Models beside it that may have been meant; none where the bucket does not tell."""
        folder, slash, _ = self._place.key.rpartition("/")
        with contextlib.suppress(self._errors.ClientError, self._errors.BotoCoreError):
            found = self._client.list_objects_v2(Bucket=self._place.bucket, Prefix=folder + slash)
            keys = [str(each["Key"]) for each in found.get("Contents", ())]
            models = [key for key in keys if key.endswith(".gguf") and is_mark(key) and is_key(key)]
            return nearest(self._place.key, models)
        return []

    def _refuse_archived(self, head: Mapping[str, Any]) -> None:
        """Source: Amazon S3 API Reference, HeadObject: x-amz-storage-class, x-amz-restore."""
        is_back = 'ongoing-request="false"' in str(head.get("Restore", ""))
        if head.get("StorageClass") in ARCHIVES and not is_back:
            raise PlanError(
                f"{self._place} lies in an archive",
                kind="archived",
                next=f"aws s3api restore-object --bucket {self._place.bucket} "
                f"--key {shlex.quote(self._place.key)} --restore-request Days=7",
            )


def _unsigned() -> Any:
    return import_module("botocore").UNSIGNED


def _quoted(place: Object) -> str:
    return shlex.quote(f"s3://{place.bucket}/{place.key}")


def _sha256(head: Mapping[str, Any]) -> str | None:
    """The hash of all of an object; that of one in parts is over the hashes of its parts.

    Source: Amazon S3 User Guide, checking object integrity: FULL_OBJECT and COMPOSITE; SHA-256 of a
        multipart upload is always COMPOSITE, and its etag ends in -N, which every server keeps to.
    """
    is_in_parts = re.search(r'-\d+"?$', str(head.get("ETag", "")))
    if is_in_parts or head.get("ChecksumType") not in (None, "FULL_OBJECT"):
        return None
    try:
        found = base64.b64decode(str(head.get("ChecksumSHA256", "")), validate=True)
    except (binascii.Error, ValueError):
        return None
    return found.hex() if len(found) == 32 else None
