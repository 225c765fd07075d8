# SPDX-License-Identifier: MIT
"""A local file that names patients is its owner's, and in a group's folder the group's."""

import os
import pathlib
import stat

import pytest

from preprocessing.contract.files import storage


def _mode(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("umask", "private", "open_to_group", "public"),
    [(0o022, 0o600, 0o640, 0o644), (0o077, 0o600, 0o600, 0o600), (0o002, 0o600, 0o640, 0o664)],
)
def test_a_stricter_umask_counts_and_a_group_folder_opens(
    tmp_path: pathlib.Path, umask: int, private: int, open_to_group: int, public: int
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o2770)
    before = os.umask(umask)
    try:
        for folder, mode in ((tmp_path / "own", private), (shared, open_to_group)):
            storage.write_text(str(folder / "predictions.csv"), "x", private=True)
            storage.write_text(str(folder / "report.html"), "x")
            assert _mode(folder / "predictions.csv") == mode
            assert _mode(folder / "report.html") == public
    finally:
        os.umask(before)


def test_an_open_file_is_private_again_when_it_is_written_again(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.csv"
    path.touch(mode=0o644)
    with storage.open_write(str(path), private=True) as file:
        file.write(b"x")
        (temporary,) = tmp_path.glob("a.csv.partial-*")
        assert _mode(temporary) == 0o600
    assert _mode(path) == 0o600
