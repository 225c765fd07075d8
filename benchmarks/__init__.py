# SPDX-License-Identifier: MIT
"""Measures this project against named alternatives in one run: `make bench`."""
