# SPDX-License-Identifier: MIT
"""Which parts of a picture speak for a finding, and which pictures are worth showing."""
