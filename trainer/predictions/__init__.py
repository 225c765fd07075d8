# SPDX-License-Identifier: MIT
"""Predictions and what is known of their images, as files; imports no TensorFlow."""
