# SPDX-License-Identifier: MIT
"""Turns shards into checkpoints, predictions, an AUC report and a SavedModel."""
