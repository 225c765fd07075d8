# SPDX-License-Identifier: MIT
"""Renders jobs for Kubernetes, sends them, and finds them again."""
