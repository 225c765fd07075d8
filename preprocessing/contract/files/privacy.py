# SPDX-License-Identifier: MIT
"""Decides who may read a local file that names patients: its owner, and in a group's folder it too.

Such files are predictions, metadata, the lists of rejected, warned-of and duplicate images, the
images of a loss that diverged, and the notes of preprocessing. A stricter umask counts. `chmod g+r`
opens one file; a folder that belongs to a group (`chgrp GROUP FOLDER; chmod g+s FOLDER`) opens all
that will be written there.
"""

import os
import stat

_OWNER, _GROUP, _ALL = 0o600, 0o640, 0o666


def mode(folder: str, *, private: bool) -> int:
    """Returns the permissions to create a file with, before the umask takes from them.

    Args:
        folder: that it will lie in, which is there.
        private: whether it names patients.
    """
    if not private:
        return _ALL
    return _GROUP if os.stat(folder or ".").st_mode & stat.S_ISGID else _OWNER
