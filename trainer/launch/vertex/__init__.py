# SPDX-License-Identifier: MIT
"""Renders jobs for Vertex AI, sends them, and finds them again."""
