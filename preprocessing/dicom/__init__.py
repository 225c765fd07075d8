# SPDX-License-Identifier: MIT
"""Reads radiographs from DICOM files."""

REASONS: tuple[str, ...] = ()
