# SPDX-License-Identifier: MIT
"""How both jobs reach files, on disks and in buckets, and what is said when one refuses."""
