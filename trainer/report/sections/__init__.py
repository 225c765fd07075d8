# SPDX-License-Identifier: MIT
"""The sections of the report, one room each: its figures, its words, its place on the page."""
