# SPDX-License-Identifier: MIT
"""A registry is asked as it wants to be asked, and its answers are told apart."""

from typing import Any

import pytest

from trainer.launch.doctor import registry as registries
from trainer.launch.doctor.registry import Image, RefusedError


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("cxr14:1", ("docker.io", "library/cxr14", "1")),
        ("team/cxr14:1", ("docker.io", "team/cxr14", "1")),
        ("localhost/cxr14:1", ("localhost", "cxr14", "1")),
        ("localhost:5000/a/b:1.0", ("localhost:5000", "a/b", "1.0")),
        ("europe-docker.pkg.dev/p/r/i:a@sha256:b", ("europe-docker.pkg.dev", "p/r/i", "sha256:b")),
    ],
)
def test_a_name_is_taken_apart_as_container_runtimes_do(text: str, parts: tuple[str, ...]) -> None:
    assert Image.of(text) == Image(*parts)


@pytest.mark.parametrize("scheme", ["Bearer", ""])
def test_what_everybody_may_read_needs_no_login(registry: Any, scheme: str) -> None:
    registry.scheme = scheme
    digest = registry.push("a/b", "1", "amd64")
    found = registries.look(Image(registry.host, "a/b", "1"), None)
    assert (found.digest, found.platforms) == (digest, ("linux/amd64",))
    assert registries.look(Image(registry.host, "a/b", digest), None) == found


@pytest.mark.parametrize("scheme", ["Bearer", "Basic"])
def test_a_login_opens_what_is_private(registry: Any, scheme: str) -> None:
    registry.scheme, registry.private, registry.users = scheme, True, {"me": "se:cret"}
    registry.push("b", "1", "amd64", "arm64")
    found = registries.look(Image(registry.host, "b", "1"), ("me", "se:cret"))
    assert found.platforms == ("linux/amd64", "linux/arm64")
    for login in (None, ("me", "wrong")):
        with pytest.raises(RefusedError, match="HTTP 40[13]") as caught:
            registries.look(Image(registry.host, "b", "1"), login)
        assert caught.value.status in (401, 403)


@pytest.mark.parametrize("realm", ["http://r.example.com/token", "ftp://r.example.com", ""])
def test_a_password_is_sent_in_clear_text_to_no_other_machine(registry: Any, realm: str) -> None:
    registry.push("b", "1", "amd64")
    registry.realm = realm
    with pytest.raises(RefusedError, match="HTTP 401: authentication required"):
        registries.look(Image(registry.host, "b", "1"), ("me", "secret"))
    assert len(registry.requests) == 1


def test_refusals_have_the_words_of_the_registry(registry: Any) -> None:
    registry.scheme = ""
    with pytest.raises(RefusedError, match="HTTP 404: manifest unknown"):
        registries.look(Image(registry.host, "b", "2"), None)
    registry.broken = 503
    with pytest.raises(RefusedError, match="HTTP 503: Service Unavailable"):
        registries.look(Image(registry.host, "b", "2"), None)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}"])
def test_what_is_not_a_manifest_is_said(registry: Any, body: bytes) -> None:
    registry.scheme = ""
    registry.documents["b/manifests/1"] = ("application/vnd.oci.image.index.v1+json", body)
    with pytest.raises(ValueError, match="sent|Expecting"):
        registries.look(Image(registry.host, "b", "1"), None)
