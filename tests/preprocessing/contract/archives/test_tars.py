# SPDX-License-Identifier: MIT
"""A tar is read however it is packed, and its links give the files they lead to."""

import gzip
import io
import pathlib
import tarfile

import pytest

from preprocessing.contract.archives import archives

_FILES = {"images/a.png": b"first", "images/b.png": b"second" * 1000}
_LINKS = {
    # name -> type, target, content
    "images/hard.png": (tarfile.LNKTYPE, "./images/a.png", b"first"),
    "images/soft.png": (tarfile.SYMTYPE, "b.png", _FILES["images/b.png"]),
    "other/soft.png": (tarfile.SYMTYPE, "../images/a.png", b"first"),
    "other/chain.png": (tarfile.SYMTYPE, "soft.png", b"first"),
    "other/late.png": (tarfile.SYMTYPE, "z.png", b"last"),
}
_DEAD = {
    "images/out.png": (tarfile.SYMTYPE, "/etc/passwd"),
    "images/up.png": (tarfile.SYMTYPE, "../../etc/passwd"),
    "images/self.png": (tarfile.SYMTYPE, "self.png"),
    "images/folder.png": (tarfile.LNKTYPE, "images"),
    "images/gone.png": (tarfile.LNKTYPE, "images/gone.jpg"),
}


def _write(path: pathlib.Path, mode: str = "w") -> str:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        folder = tarfile.TarInfo("images")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        files = {**_FILES, **{n: link[:2] for n, link in (_LINKS | _DEAD).items()}}  # type: ignore[dict-item]
        for name, content in {**files, "other/z.png": b"last"}.items():
            entry = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
            else:
                entry.type, entry.linkname = content
                archive.addfile(entry)
    return str(path)


def _read(path: str) -> dict[str, archives.Member]:
    found = list(archives.members(path, lambda name: not name.endswith("b.png")))
    assert len({member.name for member in found}) == len(found)
    return {member.name: member for member in found}


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.tar", "w"),
        ("plain.tar.gz", "w"),
        ("gzip.tar", "w:gz"),
        ("bzip2.tar.bz2", "w:bz2"),
        ("xz.tar.xz", "w:xz"),
        ("xz.zip", "w:xz"),
    ],
)
def test_links_give_what_they_lead_to_however_the_tar_is_packed(
    tmp_path: pathlib.Path, name: str, mode: str
) -> None:
    found = _read(_write(tmp_path / name, mode))
    for link, (_, _, content) in _LINKS.items():
        assert found[link].data == content
    for link in _DEAD:
        assert (found[link].data, found[link].problem[0]) == (None, "not_a_file")
    assert set(found) == {*_FILES, *_LINKS, *_DEAD, "other/z.png"}
    assert found["images/b.png"] == archives.Member("images/b.png")


def test_a_tar_gz_that_a_server_packed_again_is_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(pathlib.Path(_write(path, "w:gz")).read_bytes()))
    assert _read(str(path))["images/a.png"].data == b"first"


def test_a_device_in_place_of_a_picture_is_refused_alone(tmp_path: pathlib.Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        entry = tarfile.TarInfo("a.png")
        entry.type = tarfile.FIFOTYPE
        archive.addfile(entry)
    (member,) = archives.members(str(tmp_path / "a.tar"), lambda name: True)
    assert member.problem == ("not_a_file", "the archive holds a device in its place")
