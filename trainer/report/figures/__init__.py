# SPDX-License-Identifier: MIT
"""The drawings of the report: inline SVG for the page, SVG and PNG as files."""
