# SPDX-License-Identifier: MIT
"""Checks paths as people give them, before a slip makes a local folder with an odd name.

`gs:/bucket/run` has lost a slash and would be a folder `gs:` on this machine; a run that trains for
days into it leaves its results where they are not looked for, or are lost with the machine.
"""

import os
import re
from urllib.parse import urlsplit

from preprocessing.contract.errors import UsageError

_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?P<slashes>/*)(?P<rest>.*)", re.DOTALL)
_VARIABLE = re.compile(r"\$(\{|[A-Za-z_])")
# Short of a slash these are slips; of other words before a colon, only what goes on with a slash.
_STORES = {"abfs", "abfss", "az", "gcs", "gs", "hdfs", "s3", "s3a", "s3n", "wasb", "wasbs"}
# Their addresses may leave the host out.
_WITH_DEFAULT_HOST = {"hdfs", "viewfs"}


def checked(name: str, path: str, *, local: bool = True) -> str:
    """Returns a path with `~` expanded; an empty path stays empty.

    >>> checked("--output", "gs://bucket/runs/1")
    'gs://bucket/runs/1'

    Args:
        name: the flag or setting, for the sentence.
        path: local, or an address such as gs://BUCKET/FOLDER.
        local: whether a local path would do; where not, `~` stays and no sentence advises one.

    Raises:
        UsageError: it cannot be what was meant.
    """
    if not path:
        return path
    if path != path.strip() or any(ord(letter) < 32 for letter in path):
        raise UsageError(
            f"{name}={path!r} begins or ends with a blank, or holds a line break or tab: remove it"
        )
    if address := _SCHEME.match(path):
        _check_address(f"{name}={path}", address, local)
    elif _VARIABLE.search(path) and not os.path.lexists(path):
        raise UsageError(
            f"{name}={path} holds a shell variable that no shell replaced: write it out"
        )
    return _at_home(name, path) if local and path.startswith("~") else path


def within(path: str, folder: str) -> bool:
    """Tells whether a path is a folder or below it, both local or both in a bucket.

    >>> within("gs://b/data/", "gs://b/data"), within("gs://b/data-2", "gs://b/data")
    (True, False)
    >>> within("/data/../data/run", "/data"), within("/data", "")
    (True, False)
    """
    ends = [
        one.rstrip("/") if "://" in one else os.path.realpath(one).rstrip("/")
        for one in (path, folder)
    ]
    return bool(path and folder) and f"{ends[0]}/".startswith(f"{ends[1]}/")


def is_web_address(text: str) -> bool:
    """Tells whether a text is a whole http:// or https:// address.

    >>> is_web_address("https://host/a"), is_web_address("host/a"), is_web_address("http://[")
    (True, False, False)
    """
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _check_address(given: str, address: re.Match[str], local: bool) -> None:
    scheme, slashes, rest = address["scheme"], address["slashes"], address["rest"]
    store = scheme.lower()
    if not slashes and store not in _STORES:
        return  # a local name with a colon in it
    if store == "file":
        right = "the plain path, as /data/x" if local else "gs://BUCKET/..."
        raise UsageError(f"{given} is the address of a local file: give {right}")
    if store in ("http", "https"):
        right = "a local path or gs://BUCKET/..." if local else "gs://BUCKET/..."
        raise UsageError(f"{given} is a web address: give {right}")
    right = "gs" if store == "gcs" else store
    if scheme != right:
        raise UsageError(f"{given} is not how such an address is written: use {right}://")
    if len(slashes) < 2:
        meant = f", or ./{scheme}:{slashes}{rest} if you mean that path" if local else ""
        raise UsageError(
            f"{given} would be a path on this machine: write {scheme}://{rest}, with two slashes"
            f"{meant}"
        )
    bucket, _, below = rest.partition("/")
    if (len(slashes) > 2 or not bucket) and scheme not in _WITH_DEFAULT_HOST:
        raise UsageError(f"{given} names no bucket: write {scheme}://BUCKET/{rest.lstrip('/')}")
    if _VARIABLE.search(rest):
        raise UsageError(f"{given} holds a shell variable that no shell replaced: write it out")
    if {".", ".."} & set(below.split("/")):
        raise UsageError(
            f"{given} holds . or .., which a bucket does not have: write the path without"
        )


def _at_home(name: str, path: str) -> str:
    expanded = os.path.expanduser(path)
    if expanded == path and not os.path.lexists(path):
        raise UsageError(
            f"{name}={path} names the home of a user who is not known here: write the path out, or "
            f"./{path} for a folder of that name"
        )
    return expanded
