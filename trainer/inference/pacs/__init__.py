# SPDX-License-Identifier: MIT
"""Answers for a PACS: a structured report and a capture with the heat map for each DICOM film."""
