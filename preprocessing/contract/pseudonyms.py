# SPDX-License-Identifier: MIT
"""Makes pseudonyms of patients with a secret: the same secret gives the same ones in both jobs."""

import hashlib
import hmac

from preprocessing.contract import patients
from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import storage

KEY_BYTES = 8
NEW_KEY = "`head -c 32 /dev/urandom | base64 > FILE` makes one: keep it, private and for good"


def of(patient: str, key: bytes) -> str:
    """Returns 16 hexadecimal digits; "" for nobody, and the name itself without a key."""
    if patients.is_missing(patient):
        return ""
    if not key:
        return patient
    # Of the value, so that two spellings of a patient get one pseudonym.
    return hmac.new(key, patients.value(patient).encode(), hashlib.sha256).hexdigest()[:16]


def read_key(path: str) -> bytes:
    """Reads the secret that --pseudonym_key_file names.

    Raises:
        UsageError: there is none, or it is too short.
    """
    try:
        key = storage.read_bytes(path).strip()
    except FileNotFoundError as error:
        raise UsageError(f"--pseudonym_key_file={path} does not exist; {NEW_KEY}") from error
    except OSError as error:
        raise UsageError(f"--pseudonym_key_file={path} cannot be read: {error}") from error
    if len(key) < KEY_BYTES:
        raise UsageError(
            f"--pseudonym_key_file={path} holds {len(key)} bytes: use {KEY_BYTES} or more"
        )
    return key


def proof(key: bytes) -> str:
    """Returns a proof that a key is the same, from which no pseudonym follows."""
    return hmac.new(key, b"\0cxr14 data set", hashlib.sha256).hexdigest()
