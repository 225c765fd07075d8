# SPDX-License-Identifier: MIT
"""Reads a finished data set back whole and says everything that is wrong with it."""

from preprocessing.verify.shard_reading import Brief, Reading, read_all
from preprocessing.verify.verification import Findings, command, read_manifest, verify

__all__ = [
    "Brief",
    "Findings",
    "Reading",
    "command",
    "read_all",
    "read_manifest",
    "verify",
]
