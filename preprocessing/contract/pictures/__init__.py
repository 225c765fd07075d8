# SPDX-License-Identifier: MIT
"""The canonical picture: from PNG and JPEG files to square grey pixels, offline and in a graph."""
