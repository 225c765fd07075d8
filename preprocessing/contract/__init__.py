# SPDX-License-Identifier: MIT
"""What the preprocessing job and the trainer agree on: labels, records, pixels, storage."""
