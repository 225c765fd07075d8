# SPDX-License-Identifier: MIT
"""Reads archives and DICOM files once, and leaves their pictures where shards find them."""
