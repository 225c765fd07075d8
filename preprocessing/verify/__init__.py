# SPDX-License-Identifier: MIT
"""Reads a finished data set back whole and says everything that is wrong with it."""

from preprocessing.verify.verification import Findings, command, verify

__all__ = ["Findings", "command", "verify"]
