# SPDX-License-Identifier: MIT
"""The report on a predictions file: numbers as JSON and CSV, and pages that people read."""
