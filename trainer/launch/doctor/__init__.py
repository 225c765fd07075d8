# SPDX-License-Identifier: MIT
"""Finds out before anything is paid for whether a job can run, whichever platform runs it."""
