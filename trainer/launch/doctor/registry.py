# SPDX-License-Identifier: MIT
"""Asks a registry of container images for a manifest, by the Docker Registry HTTP API V2.

Registries differ in how they want to be asked: the first answer says where to get a token, which
is then asked for with a login, or without one.
"""

import base64
import dataclasses
import hashlib
import ipaddress
import json
import re
import urllib.parse
from typing import Any

_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_HUB = "docker.io"
_ANSWER_S = 20.0
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class RefusedError(Exception):
    """The registry answered, and not with what it was asked for.

    Attributes:
        status: of the answer, by HTTP.
    """

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"HTTP {status}: {said}" if said else f"HTTP {status}")
        self.status = status


@dataclasses.dataclass(frozen=True)
class Image:
    """The name of an image, taken apart as container runtimes do.

    Attributes:
        registry: host, with a port if it has one.
        name: of the image in it.
        reference: a tag, or sha256:DIGEST.
    """

    registry: str
    name: str
    reference: str

    @staticmethod
    def of(text: str) -> "Image":
        """Takes a name with a tag or a digest apart; of both the digest counts.

        >>> Image.of("gcr.io/p/cxr14:1")
        Image(registry='gcr.io', name='p/cxr14', reference='1')
        >>> Image.of("cxr14:1@sha256:ab")
        Image(registry='docker.io', name='library/cxr14', reference='sha256:ab')
        """
        host, slash, name = text.partition("/")
        if not slash or not (set(".:") & set(host) or host == "localhost"):
            host, name = _HUB, text
        name, _, digest = name.partition("@")
        name, _, tag = name.partition(":")
        if host == _HUB and "/" not in name:
            name = f"library/{name}"
        return Image(host, name, digest or tag)


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a registry says of an image.

    Attributes:
        digest: sha256:DIGEST, of what the name leads to.
        platforms: operating system and architecture, as linux/amd64; none if it says none.
    """

    digest: str
    platforms: tuple[str, ...]


def look(image: Image, login: tuple[str, str] | None) -> Manifest:
    """Returns what there is under a name.

    Args:
        image: to look for.
        login: user and password; None to ask as nobody.

    Raises:
        RefusedError: the registry does not have it, or does not say.
        requests.RequestException: the registry does not answer.
        ValueError: it answers something else than a manifest.
    """
    import requests  # a dry run need not wait for it

    with requests.Session() as session:
        registry = _Registry(session, image, login)
        body = registry.get(f"manifests/{image.reference}", accept=(*_INDEXES, *_MANIFESTS))
        values = _object(body)
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        if "manifests" in values:
            # Attestations that buildx puts beside an image are of the platform unknown/unknown.
            found = [_platform(one.get("platform") or {}) for one in values["manifests"]]
        elif isinstance(values.get("config"), dict):
            found = [_platform(_object(registry.get(f"blobs/{values['config']['digest']}")))]
        else:
            raise ValueError("it sent something else than a manifest")
    named = (one for one in found if one and "unknown" not in one)
    return Manifest(digest, tuple(dict.fromkeys(named)))


class _Registry:
    """One image's part of a registry, and the token for it once that was asked for."""

    def __init__(self, session: Any, image: Image, login: tuple[str, str] | None) -> None:
        host = "registry-1.docker.io" if image.registry == _HUB else image.registry
        self._address = f"{'http' if is_this_machine(host) else 'https'}://{host}/v2/{image.name}"
        self._session, self._image, self._login = session, image, login
        self._header = ""

    def get(self, path: str, accept: tuple[str, ...] = ()) -> bytes:
        """Returns a document of the image."""
        headers = {"Accept": ", ".join(accept)} if accept else {}
        answer = self._ask(path, headers)
        if answer.status_code == 401 and not self._header:
            self._header = self._authorization(answer.headers.get("WWW-Authenticate", ""))
            answer = self._ask(path, headers) if self._header else answer
        if answer.status_code != 200:
            raise RefusedError(answer.status_code, _said(answer))
        body: bytes = answer.content
        return body

    def _ask(self, path: str, headers: dict[str, str]) -> Any:
        def authorize(request: Any) -> Any:  # also keeps ~/.netrc out
            if self._header:
                request.headers["Authorization"] = self._header
            return request

        return self._session.get(
            f"{self._address}/{path}", headers=headers, auth=authorize, timeout=_ANSWER_S
        )

    def _authorization(self, challenge: str) -> str:
        """Returns the header that a registry asks for; empty if there is no way to it."""
        kind, _, rest = challenge.partition(" ")
        asked = dict(_CHALLENGE.findall(rest))
        realm = asked.get("realm", "")
        if kind.lower() == "basic" and self._login:
            return f"Basic {base64.b64encode(':'.join(self._login).encode()).decode()}"
        # A password goes nowhere in clear text but to this machine.
        host = realm.partition("://")[2].partition("/")[0]
        if kind.lower() != "bearer" or not (realm.startswith("https://") or is_this_machine(host)):
            return ""
        query = {key: asked[key] for key in ("service", "scope") if key in asked}
        query.setdefault("scope", f"repository:{self._image.name}:pull")
        login = self._login or (lambda request: request)
        answer = self._session.get(realm, params=query, auth=login, timeout=_ANSWER_S)
        if answer.status_code != 200:
            raise RefusedError(answer.status_code, _said(answer))
        values = _object(answer.content)
        return f"Bearer {values.get('token') or values.get('access_token') or ''}"


def is_this_machine(host: str) -> bool:
    """Tells whether a host, with or without a port, is the one that this program runs on.

    >>> is_this_machine("127.0.0.1:5000"), is_this_machine("gcr.io")
    (True, False)
    """
    name = urllib.parse.urlsplit(f"//{host}").hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _object(body: bytes) -> dict[str, Any]:
    values = json.loads(body)
    if not isinstance(values, dict):
        raise ValueError("it sent JSON that is not an object")
    return values


def _platform(values: dict[str, Any]) -> str:
    parts = [values.get("os"), values.get("architecture"), values.get("variant")]
    return "/".join(part for part in parts if part)


def _said(answer: Any) -> str:
    """Returns the registry's own words, by its convention for errors if it follows that."""
    try:
        return " ".join(str(_object(answer.content)["errors"][0]["message"]).split())[:200]
    except (ValueError, LookupError, TypeError):
        return str(answer.reason or "")
