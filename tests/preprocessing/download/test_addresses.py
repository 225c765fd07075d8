# SPDX-License-Identifier: MIT
"""The addresses of ChestX-ray14's files, and a user's own table of them."""

import pathlib

import pytest

from preprocessing.contract.archives.archives import PUBLISHED_MD5
from preprocessing.contract.errors import DataError, UsageError
from preprocessing.download import addresses
from preprocessing.download.addresses import File


def test_the_twelve_archives_have_their_own_address_and_published_sum() -> None:
    found = addresses.files("", "", None)
    assert {file.name: file.md5 for file in found} == PUBLISHED_MD5
    assert len({file.address for file in found}) == 12
    assert all(file.address.startswith("https://nihcc.box.com/shared/static/") for file in found)
    assert found == sorted(found, key=lambda file: file.name)


def test_the_first_archives_are_fetched_with_all_label_files() -> None:
    found = addresses.files("", "https://example.com/nih/", 2)
    assert [file.name for file in found] == [
        *("images_001.tar.gz", "images_002.tar.gz", "Data_Entry_2017_v2020.csv"),
        *("train_val_list.txt", "test_list.txt", "BBox_List_2017.csv"),
    ]
    assert found[2] == File(found[2].name, "https://example.com/nih/Data_Entry_2017_v2020.csv")
    with pytest.raises(UsageError, match="only 12 archives"):
        addresses.files("", "", 13)
    with pytest.raises(UsageError, match="--labels_url is not an address"):
        addresses.files("", "/data/labels", None)


def test_a_table_takes_the_place_of_the_published_addresses(tmp_path: pathlib.Path) -> None:
    table = tmp_path / "table.csv"
    sums = "0123456789ABCDEF" * 2
    table.write_text(
        "name,address,md5,bytes\n"
        "images_002.tar.gz,https://user:pass@example.com/a?token=secret,,\n"
        f"mine.tar,http://example.com/b,{sums},17\n"
    )
    published, own = addresses.files(str(table), "", None)
    assert published.md5 == PUBLISHED_MD5["images_002.tar.gz"]
    assert (own.md5, own.size) == (sums.lower(), 17)
    assert published.place == "https://example.com/a"
    assert "secret" not in repr(published) and "pass" not in repr(published)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no file"),
        ("name,address\n", "names no file"),
        ("a,b\nx,y\n", "first line must be"),
        ("name,address\n../x,https://h/x\n", "not a plain file name"),
        ("name,address\nx,ftp://h/secret\n", "must begin with https://"),
        ("name,address\nx,https://h/x\nx,https://h/y\n", "named twice"),
        ("name,address,md5\nx,https://h/x,12\n", "32 hexadecimal"),
        ("name,address,md5,bytes\nx,https://h/x,,many\n", "bytes a number"),
    ],
)
def test_a_bad_table_is_refused_without_its_secrets(
    tmp_path: pathlib.Path, text: str, said: str
) -> None:
    table = tmp_path / "table.csv"
    table.write_text(text)
    with pytest.raises(DataError, match=said) as caught:
        addresses.files(str(table), "", None)
    assert "secret" not in str(caught.value)
    with pytest.raises(DataError, match="cannot be used"):
        addresses.files(str(tmp_path / "none.csv"), "", None)


@pytest.mark.parametrize("address", ["http://[x", "ftp://h/x", "labels"])
def test_a_folder_on_the_web_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="--labels_url is not an address"):
        addresses.files("", address, None)
