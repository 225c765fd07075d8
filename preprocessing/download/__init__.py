# SPDX-License-Identifier: MIT
"""Fetches ChestX-ray14 to a folder or a bucket, in pieces that a later start goes on with."""
