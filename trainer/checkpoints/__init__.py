# SPDX-License-Identifier: MIT
"""Saves and restores what a run needs to go on, and the best networks so far."""
