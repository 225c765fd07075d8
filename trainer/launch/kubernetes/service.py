# SPDX-License-Identifier: MIT
"""Talks to a cluster by the Python client of Kubernetes, in plain JSON.

The client's typed calls differ between its versions and do not know JobSet or Kueue; what it is
here for is kubectl's configuration: certificates, tokens, and programs for logging in.
"""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NoReturn

from preprocessing.contract.errors import ConfigError, ServiceError
from preprocessing.contract.files import faults
from trainer.launch.kubernetes import connection
from trainer.launch.manifests import Spec

# Seconds before the next try of a request that may be made twice, and of making a job.
PAUSES = (1.0, 2.0, 4.0)
_CONNECT_S, ANSWER_S = 10.0, 60.0
_PASSING = (408, 429)
WHICH_ROLE = "`cxr14-launch doctor kubernetes --job=...` says which role you lack"
_PAGE = 500


class Refusal(ConfigError):
    """What a cluster refuses to do (exit 78).

    Attributes:
        status: of its answer, by HTTP.
        said: why, in its own words.
    """

    def __init__(self, text: str, status: int, said: str) -> None:
        super().__init__(text)
        self.status, self.said = status, said


class Api:
    """The cluster of kubectl's current context; connects with the first request.

    All methods raise:
        UsageError: the Python client of Kubernetes is not installed.
        ConfigError: no cluster is configured, or there are no credentials for it.
        Refusal: the cluster refuses.
        ServiceError: it did not answer, though it was asked several times where that does no harm.
    """

    def __init__(self) -> None:
        self._client: Any = None
        self._connecting = threading.Lock()

    def read(self, path: str, **query: Any) -> Spec | None:
        """Returns what is at a path, None if nothing is."""
        try:
            return self._json("GET", path, query=query)
        except Refusal as error:
            if error.status != 404:
                raise
            return None

    def every(self, path: str, **query: Any) -> list[Spec]:
        """Returns all items of a list, however many pages it has."""
        items: list[Spec] = []
        seen: list[str | None] = [None]
        query["limit"] = _PAGE
        while True:
            try:
                page = self._json("GET", path, query={**query, "continue": seen[-1]})
            except Refusal as error:
                if error.status != 410 or seen == [None]:
                    raise
                # The cluster no longer knows the list that the page is of: all of it in one page.
                items, seen, query["limit"] = [], [None], None
                continue
            items += page.get("items") or []
            token = page.get("metadata", {}).get("continue") or None
            if token is None:
                return items
            if token in seen or query["limit"] is None:
                raise ServiceError(
                    f"the list at {path} does not end: run the same command again, and if that "
                    "does not help, see whether a proxy answers for the cluster"
                )
            seen.append(token)

    def ask(self, path: str, body: Spec, **query: Any) -> Spec:
        """Posts what changes nothing and may be posted again: a review, a dry run."""
        return self._json("POST", path, body, query=query)

    def make(self, path: str, manifest: Spec) -> Spec:
        """Makes what a manifest describes, in one request that is not repeated."""
        return _parsed(self._request("POST", path, manifest), path)

    def delete(self, path: str, uid: str) -> None:
        """Deletes what has this uid, if it is still there; what it owns goes before it does."""
        body = {"propagationPolicy": "Foreground", "preconditions": {"uid": uid}}
        try:
            self._json("DELETE", path, body)
        except Refusal as error:
            if error.status not in (404, 409):  # gone, or another has its name
                raise

    def stream(self, path: str, *, silence: float, **query: Any) -> Iterator[bytes]:
        """Yields what comes from a path as it comes, until its end.

        Args:
            path: of a log.
            silence: seconds after which a stream that says nothing counts as broken.
            query: of the request.
        """
        import urllib3

        response = self._request("GET", path, query=query, silence=silence)
        try:
            yield from response.stream(2**16)
        except urllib3.exceptions.HTTPError as error:
            raise _lost(error) from error
        finally:
            response.close()

    def _json(self, method: str, path: str, body: Any = None, *, query: Any = None) -> Spec:
        for pause in PAUSES:
            with contextlib.suppress(ServiceError):
                return _parsed(self._request(method, path, body, query=query), path)
            time.sleep(pause)
        return _parsed(self._request(method, path, body, query=query), path)

    def _request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Any = None,
        silence: float = ANSWER_S,
    ) -> Any:
        """Makes one request; with new credentials once more if the cluster takes these no longer.

        A log may be followed for longer than a token is good for.
        """
        client, old = self._connected(None), None
        while True:
            try:
                return client.request(
                    method,
                    path,
                    body,
                    query_params=[(k, v) for k, v in (query or {}).items() if v is not None],
                    serialize=False,
                    _request_timeout=(_CONNECT_S, silence),
                )
            except Exception as error:
                if getattr(error, "status", None) != 401 or old is not None:
                    _explain(error, f"{method} {path}")
            client, old = self._connected(client), client

    def _connected(self, but: Any) -> Any:
        """Returns a client other than a given one; several threads may need one at once."""
        with self._connecting:
            if self._client is but:
                self._client = connection.connect()
            return self._client


def quantity(text: Any) -> Decimal:
    """Returns what a quantity of Kubernetes such as 1500m or 8Gi means."""
    from kubernetes import utils

    return Decimal(utils.parse_quantity(text))


def _parsed(response: Any, path: str) -> Spec:
    import urllib3

    try:
        # To Kubernetes, null is the same as nothing.
        found = json.loads(response.data, object_hook=_without_nulls)
    except urllib3.exceptions.HTTPError as error:
        raise _lost(error) from error
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ServiceError(f"what answered {path} is not a cluster of Kubernetes")
    return found


def _without_nulls(found: Spec) -> Spec:
    return {key: value for key, value in found.items() if value is not None}


def _explain(error: Exception, request: str) -> NoReturn:
    """Raises what an answer other than success means, or none at all."""
    import urllib3
    from kubernetes import client

    if isinstance(error, ValueError):  # whose text holds the token
        raise ConfigError(
            "kubectl's configuration makes no request: the address of the cluster is wrong, or the "
            "token has a line break or a letter that is not ASCII: log in again, until `kubectl "
            "auth whoami` works"
        ) from None
    if isinstance(error, urllib3.exceptions.HTTPError):
        raise _lost(error) from error
    if not isinstance(error, client.ApiException):
        raise error
    status, said = error.status or 0, _message(error)
    if status == 401:
        raise Refusal(
            f"the cluster does not take the credentials of kubectl's current context ({said}): log "
            "in again, until `kubectl auth whoami` works",
            status,
            said,
        ) from error
    if 400 <= status < 500 and status not in _PASSING:
        role = f": {WHICH_ROLE}" if status == 403 else ""
        raise Refusal(f"the cluster refused {request}: {said}{role}", status, said) from error
    if not status:
        raise ConfigError(
            f"the connection to the cluster is not safe ({faults.line(error.reason)}): get its "
            "certificate again, until `kubectl version` works"
        ) from error
    raise ServiceError(f"the cluster failed ({said}): run the same command again") from error


def _lost(error: Exception) -> ServiceError:
    return ServiceError(
        f"the cluster did not answer ({faults.line(error)}): see whether `kubectl version` gets an "
        "answer, and run the same command again"
    )


def _message(error: Any) -> str:
    """Returns what a cluster says of a failure, out of its Status if it is one."""
    try:
        return faults.line(json.loads(error.body)["message"])
    except (ValueError, LookupError, TypeError):
        return faults.line(error.body or f"{error.status} {error.reason}")
