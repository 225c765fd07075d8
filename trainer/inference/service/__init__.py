# SPDX-License-Identifier: MIT
"""Answers over HTTP: a page for people, and the forms that model servers speak."""
