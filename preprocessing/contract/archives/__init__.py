# SPDX-License-Identifier: MIT
"""Reads the files of tar and zip archives without unpacking them, for both jobs."""
