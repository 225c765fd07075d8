# SPDX-License-Identifier: MIT
"""Finds the login of this machine for a registry: Google's, or the one that `docker login` left."""

import base64
import dataclasses
import json
import os
import re
from typing import Any

from preprocessing.contract.files import faults
from trainer.launch.doctor.sight import LOGIN

_GOOGLE = re.compile(r"([a-z0-9-]+-docker\.pkg\.dev|([a-z]+\.)?gcr\.io)")
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_HUB = ("docker.io", "https://index.docker.io/v1/")


@dataclasses.dataclass(frozen=True)
class Login:
    """What a registry is asked with.

    Attributes:
        pair: user and password; None for nobody's.
        whose: the same for people, without the password.
        lacks: why it is nobody's though there may be another; empty if there is none.
        command: gets a login, or another one.
    """

    pair: tuple[str, str] | None
    whose: str
    lacks: str
    command: str


def of(registry: str) -> Login:
    """Returns this machine's login for a registry."""
    if _GOOGLE.fullmatch(registry):
        return _google()
    lacks, pair = _from_docker(registry)
    whose = f"the login {pair[0]} of `docker login`" if pair else "nobody"
    return Login(pair, whose, lacks, f"docker login {registry}")


def _google() -> Login:
    import google.auth
    from google.auth import exceptions
    from google.auth.transport.requests import Request

    from preprocessing.contract.files import google_login

    try:
        with google_login.named():
            credentials, _ = google.auth.default(scopes=[_SCOPE])
        credentials.refresh(Request())
    except exceptions.GoogleAuthError as error:
        return Login(None, "nobody", f"no Google credentials ({faults.line(error)})", LOGIN)
    pair = ("oauth2accesstoken", str(credentials.token))
    return Login(pair, "the Google credentials of this machine", "", LOGIN)


def _from_docker(registry: str) -> tuple[str, tuple[str, str] | None]:
    """Returns why no login could be read, or the login."""
    folder = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    path = os.path.join(folder, "config.json")
    try:
        with open(path, encoding="utf-8") as file:
            config: dict[str, Any] = json.load(file)
        keys = _HUB if registry == _HUB[0] else (registry, f"https://{registry}")
        entries = [entry for key, entry in config.get("auths", {}).items() if key in keys]
        if coded := next((entry["auth"] for entry in entries if entry.get("auth")), ""):
            user, _, password = base64.b64decode(coded, validate=True).decode().partition(":")
            return "", (user, password)
        helper = config.get("credHelpers", {}).get(registry) or config.get("credsStore")
    except FileNotFoundError:
        return "", None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        return f"{path} cannot be read ({faults.line(error)})", None
    return (f"its login is kept by docker-credential-{helper}" if helper else ""), None
