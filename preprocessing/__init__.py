# SPDX-License-Identifier: MIT
"""Turns raw radiographs and their index into sharded TFRecords with a manifest."""
