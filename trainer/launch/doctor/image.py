# SPDX-License-Identifier: MIT
"""Looks for a job's image in its registry, and at what machines the image is for."""

import re

from preprocessing.contract.files import faults
from trainer.launch.doctor import logins, registry
from trainer.launch.doctor.logins import Login
from trainer.launch.doctor.registry import Image
from trainer.launch.platform import Finding

# Series of machines of Google Cloud with Arm processors; all others have amd64.
_ARM = re.compile(r"(a4x|c4a|n4a|t2a)-.+")


def finding(image: str, machine: str | None) -> Finding:
    """Looks for an image with the logins of this machine; the platform pulls with its own.

    Args:
        image: its name.
        machine: type of the machine that is to run it; None if that is not known.
    """
    import requests

    what, name = f"image {image}", Image.of(image)
    login = logins.of(name.registry)
    asked = f"asked as {login.whose}" + (f", since {login.lacks}" if login.lacks else "")
    try:
        found = registry.look(name, login.pair)
    except registry.RefusedError as error:
        return _refused(image, login, error, asked)
    except (requests.RequestException, ValueError, LookupError, TypeError) as error:
        said = f"{name.registry} could not be asked ({faults.line(error)})"
        fix = f"see whether this machine reaches it: curl -sI https://{name.registry}/v2/"
        return Finding(what, None, said, fix)
    platforms = ", ".join(found.platforms)
    wanted = "linux/arm64" if machine and _ARM.fullmatch(machine) else "linux/amd64"
    fitting = not found.platforms or any(one.startswith(wanted) for one in found.platforms)
    if machine and not fitting:
        said = f"is for {platforms}, and {machine} runs {wanted}"
        tag = image.partition("@")[0]
        fix = f"build it as before, by docker buildx build --platform={wanted} --tag={tag} --push"
        return Finding(what, False, said, fix)
    said = f"{found.digest}, for {platforms or 'a platform that it does not name'}; {asked}"
    if name.reference.startswith("sha256:"):
        return Finding(what, True, said)
    plain = image.partition("@")[0].rpartition(":")[0]
    return Finding(what, True, said, f"a tag can move; pin it: `image: {plain}@{found.digest}`")


def _refused(image: str, login: Login, error: registry.RefusedError, asked: str) -> Finding:
    what, name = f"image {image}", Image.of(image)
    if error.status == 404:
        said = f"{name.registry} has no {name.name} with {name.reference} ({error}); {asked}"
        by_digest = name.reference.startswith("sha256:")
        tag = ":TAG` prints the digest to name" if by_digest else f":{name.reference}`"
        plain = image.partition("@")[0].removesuffix(f":{name.reference}")
        return Finding(what, False, said, f"`docker push {plain}{tag}")
    if error.status in (401, 403):
        # Whoever pulls it for the job may be allowed to; and some registries say so of what is
        # not there.
        said = f"{name.registry} does not show it ({error}); {asked}"
        return Finding(what, None, said, login.command)
    said = f"{name.registry} failed ({error}); {asked}"
    return Finding(what, None, said, "try again in a few minutes")
