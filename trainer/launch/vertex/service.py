# SPDX-License-Identifier: MIT
"""Talks to the REST APIs of Google Cloud with the credentials of this machine."""

import contextlib
import dataclasses
import functools
import logging
import warnings
from collections.abc import Iterator
from typing import Any

from preprocessing.contract.errors import ServiceError
from preprocessing.contract.files import faults, patience
from trainer.launch.manifests import Spec
from trainer.launch.vertex import refusals
from trainer.launch.vertex.refusals import RefusedError

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_ANSWER_S = 60.0


@dataclasses.dataclass(frozen=True)
class Google:
    """The services of Google Cloud, for one project and region.

    Every method raises:
        RefusedError: the service or the credentials refuse a request; a person must act.
        ServiceError: there was no answer.

    Attributes:
        project: Google Cloud project.
        region: of Vertex AI and Dataflow.
        api_endpoint: another server than the region's own for Vertex AI. An http:// one is a server
            on this machine: it takes the place of all services, and is sent no credentials.
    """

    project: str
    region: str
    api_endpoint: str | None = None

    @property
    def place(self) -> str:
        """What the names of all that Vertex AI and Dataflow hold in the region begin with."""
        return f"projects/{self.project}/locations/{self.region}"

    @property
    def is_here(self) -> bool:
        """Whether a server on this machine takes the place of Google's."""
        return (self.api_endpoint or "").startswith("http://")

    def once(
        self, method: str, api: str, path: str, *, query: Any = None, body: Any = None
    ) -> Spec:
        """Sends one request, which is never repeated, and returns the answer.

        Args:
            method: of HTTP.
            api: one of `refusals.NAMES`.
            path: within the API, its version first.
            query: name -> value.
            body: sent as JSON.
        """
        address = f"{self._address(api)}/{path}"
        with _explained(refusals.NAMES[api]):
            answer = self._session.request(
                method, address, params=query, json=body, timeout=_ANSWER_S
            )
            found = _read(answer)
        if answer.status_code >= 400:
            raise refusals.meaning(api, self.project, answer.status_code, _error(found, answer))
        return found

    def insist(
        self, method: str, api: str, path: str, *, query: Any = None, body: Any = None
    ) -> Spec:
        """Sends a request that may be repeated, for a minute where there is no answer."""
        return patience.insist(lambda: self.once(method, api, path, query=query, body=body), passes)

    def every(
        self, api: str, path: str, key: str, *, query: Any = None, body: Any = None
    ) -> Iterator[Spec]:
        """Yields the items of a list, which its answers hold under a key; see `pages`."""
        for found in self.pages(api, path, query=query, body=body):
            yield from found.get(key) or []

    def pages(self, api: str, path: str, *, query: Any = None, body: Any = None) -> Iterator[Spec]:
        """Yields the answers that make up a list.

        Args:
            api: one of `refusals.NAMES`.
            path: within the API, its version first.
            query: name -> value.
            body: makes it a POST, in which the next page is asked for, too.
        """
        method = "GET" if body is None else "POST"
        token: dict[str, str] = {}
        seen: set[str] = set()
        while True:
            if body is None:
                found = self.insist(method, api, path, query={**(query or {}), **token})
            else:
                found = self.insist(method, api, path, query=query, body={**body, **token})
            yield found
            if not found.get("nextPageToken"):
                return
            token = {"pageToken": found["nextPageToken"]}
            if token["pageToken"] in seen:
                raise ServiceError(
                    f"{refusals.NAMES[api]} sent the same page of a list twice, and would go on "
                    "so: run the same command again"
                )
            seen.add(token["pageToken"])

    def login(self) -> str:
        """Renews the login and returns whose it is."""
        if self.is_here:
            return "none is needed on this machine"
        with _explained("Google's login service"):
            from google.auth.transport.requests import Request

            credentials = self._session.credentials
            credentials.refresh(Request())
        named = (getattr(credentials, key, "") for key in ("service_account_email", "account"))
        return next((f"of {name}" for name in named if name), "valid")

    @functools.cached_property
    def _session(self) -> Any:
        import google.auth
        import requests
        from google.auth.transport.requests import AuthorizedSession

        from preprocessing.contract.files import google_login

        if self.is_here:
            return requests.Session()
        # The project is named by the job, and what is wrong with a login is said in one sentence.
        logging.getLogger("google.auth").setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with google_login.named():
                credentials, _ = google.auth.default(scopes=[_SCOPE])
        return AuthorizedSession(credentials)

    def _address(self, api: str) -> str:
        host = f"{api}.googleapis.com"
        if api == "aiplatform":
            host = self.api_endpoint or f"{self.region}-{host}"
        address = self.api_endpoint if self.is_here and self.api_endpoint else host
        address = address if "://" in address else f"https://{address}"
        return address.rstrip("/")


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    """Says in one sentence what keeps a service from being reached."""
    # Imported here because it takes half a second that a dry run need not pay.
    from google.auth import exceptions

    try:
        yield
    except exceptions.DefaultCredentialsError as error:
        raise RefusedError(
            f"there are no usable Google Cloud credentials ({faults.line(error)}): {faults.LOGIN}"
        ) from error
    except (exceptions.GoogleAuthError, OSError, ValueError) as error:
        from preprocessing.contract.files import google_errors  # brings Google's client for buckets

        if isinstance(error, exceptions.GoogleAuthError) and not google_errors.passes(error):
            said = faults.line(error.args[0] if error.args else error)
            raise RefusedError(
                f"the login of this machine is no longer valid ({said}): {faults.LOGIN}"
            ) from error
        raise ServiceError(
            f"{name} did not answer ({faults.line(error)}): run the same command again"
        ) from error


def passes(error: Exception) -> bool:
    """Tells whether the same request may succeed later."""
    return isinstance(error, ServiceError)


def _read(answer: Any) -> Spec:
    """Returns the JSON object of an answer; an error may have another body."""
    try:
        found = answer.json(object_hook=_without_nulls)
    except ValueError:
        found = None
    if isinstance(found, dict):
        return found
    if answer.status_code < 400:
        raise ValueError("what it sent is not a JSON object")
    return {}


def _without_nulls(found: Spec) -> Spec:
    """Returns what is there: null is another form of leaving a field out."""
    return {key: value for key, value in found.items() if value is not None}


def _error(found: Spec, answer: Any) -> dict[str, Any]:
    error = found.get("error")
    if isinstance(error, dict) and error.get("message"):
        return error
    return {"message": answer.text or answer.reason}
