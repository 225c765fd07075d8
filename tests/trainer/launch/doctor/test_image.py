# SPDX-License-Identifier: MIT
"""An image that is there, absent, not to be seen, or for other machines is told apart."""

import base64
import json
import os
import pathlib
from typing import Any

import pytest

from trainer.launch.doctor import image


@pytest.fixture
def public(registry: Any) -> Any:
    registry.scheme = ""
    return registry


def test_a_tag_gets_the_digest_to_pin(public: Any) -> None:
    digest = public.push("p/cxr14", "1.0", "amd64")
    found = image.finding(f"{public.host}/p/cxr14:1.0", "g2-standard-12")
    assert found.ok and digest in found.said and "linux/amd64" in found.said
    assert f"`image: {public.host}/p/cxr14@{digest}`" in found.fix
    assert "asked as nobody" in found.said
    pinned = image.finding(f"{public.host}/p/cxr14:1.0@{digest}", "g2-standard-12")
    assert (pinned.ok, pinned.fix) == (True, "")


@pytest.mark.parametrize(
    ("built", "machine", "ok"),
    [
        (["arm64"], "g2-standard-12", False),
        (["arm64"], "a4x-highgpu-4g", True),
        (["amd64"], "c4a-standard-8", False),
        (["amd64", "arm64"], "n1-standard-8", True),
        (["arm64"], None, True),  # which may be what the cluster has
    ],
)
def test_the_machine_must_be_one_that_the_image_is_for(
    public: Any, built: list[str], machine: str | None, ok: bool
) -> None:
    public.push("b", "1", *built)
    found = image.finding(f"{public.host}/b:1", machine)
    assert found.ok is ok
    if not ok:
        assert "docker buildx build --platform=linux/" in found.fix and built[0] in found.said


def test_an_absent_image_is_wrong_and_says_what_to_push(public: Any) -> None:
    by_tag = image.finding(f"{public.host}/b:1", None)
    assert by_tag.ok is False and by_tag.fix == f"`docker push {public.host}/b:1`"
    assert "manifest unknown" in by_tag.said
    by_digest = image.finding(f"{public.host}/b@sha256:{'0' * 64}", None)
    assert by_digest.fix.startswith(f"`docker push {public.host}/b:TAG` prints the digest")


def test_a_refusal_is_unknown_as_the_platform_pulls_with_rights_of_its_own(registry: Any) -> None:
    registry.private, registry.users = True, {"me": "secret"}
    registry.push("b", "1", "amd64")
    refused = image.finding(f"{registry.host}/b:1", None)
    assert refused.ok is None and "HTTP 403" in refused.said
    assert refused.fix == f"docker login {registry.host}"
    folder = pathlib.Path(os.environ["DOCKER_CONFIG"])
    folder.mkdir()
    coded = base64.b64encode(b"me:secret").decode()
    (folder / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": coded}}}))
    assert image.finding(f"{registry.host}/b:1", None).ok
    (folder / "config.json").write_text(json.dumps({"credsStore": "desktop"}))
    helped = image.finding(f"{registry.host}/b:1", None)
    assert helped.ok is None and "docker-credential-desktop" in helped.said


def test_a_registry_that_fails_or_is_not_there_is_unknown(public: Any) -> None:
    public.broken = 503
    failing = image.finding(f"{public.host}/b:1", None)
    assert failing.ok is None and "HTTP 503" in failing.said and "again" in failing.fix
    nowhere = image.finding("127.0.0.1:1/b:1", None)
    assert nowhere.ok is None and "could not be asked" in nowhere.said
    assert nowhere.fix.endswith("curl -sI https://127.0.0.1:1/v2/")
