# SPDX-License-Identifier: MIT
"""What the data set is made from: label files, picture trees, archives and DICOM folders."""
