# SPDX-License-Identifier: MIT
"""Describes a training job once and sends it to Vertex AI or Kubernetes; runs on a laptop."""
