# SPDX-License-Identifier: MIT
"""The login for a registry is Google's or the one of `docker login`, and helpers are named."""

import base64
import json
import pathlib
from typing import Any

import pytest

from trainer.launch.doctor import logins


@pytest.fixture
def docker(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Where Docker keeps its settings; empty."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"


@pytest.mark.parametrize(
    ("registry", "key"),
    [
        ("r.example.com:5000", "r.example.com:5000"),
        ("r.example.com", "https://r.example.com"),
        ("docker.io", "https://index.docker.io/v1/"),
    ],
)
def test_docker_login_is_found(docker: pathlib.Path, registry: str, key: str) -> None:
    coded = base64.b64encode(b"me:a:b").decode()
    docker.write_text(json.dumps({"auths": {key: {"auth": coded}, "other": {"auth": "x"}}}))
    found = logins.of(registry)
    assert found.pair == ("me", "a:b") and not found.lacks
    assert "a:b" not in found.whose and found.command == f"docker login {registry}"


@pytest.mark.parametrize(
    ("content", "lacks"),
    [
        (None, ""),
        ({}, ""),
        ({"auths": {"r.example.com": {}}, "credsStore": "desktop"}, "docker-credential-desktop"),
        ({"credHelpers": {"r.example.com": "ecr-login"}}, "docker-credential-ecr-login"),
        ({"auths": {"r.example.com": {"auth": "%"}}}, "cannot be read"),
        ([], "cannot be read"),
        ("{", "cannot be read"),
    ],
)
def test_without_one_it_is_said_why(docker: pathlib.Path, content: Any, lacks: str) -> None:
    if content is not None:
        docker.write_text(content if isinstance(content, str) else json.dumps(content))
    found = logins.of("r.example.com")
    assert (found.pair, found.whose) == (None, "nobody")
    assert lacks in found.lacks and bool(lacks) == bool(found.lacks)


def test_google_is_asked_with_a_token_of_googles_login(on_gcs: Any) -> None:
    found = logins.of("europe-west4-docker.pkg.dev")
    assert found.pair and found.pair[0] == "oauth2accesstoken" and found.pair[1]
    assert found.command == "gcloud auth application-default login"


def test_googles_login_that_is_not_there_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    found = logins.of("gcr.io")
    assert found.pair is None and "none.json" in found.lacks
