# SPDX-License-Identifier: MIT
"""A scheme that this installation cannot reach is told in one sentence, whatever is asked of it."""

from collections.abc import Callable

import pytest

from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import storage


@pytest.fixture(scope="module", autouse=True)
def _default_installation() -> None:
    try:
        import tensorflow_io
    except ImportError:
        return
    pytest.skip(f"tensorflow-io {tensorflow_io.__version__} is installed: s3:// can be reached")


@pytest.mark.parametrize(
    "act",
    [
        storage.read_bytes,
        storage.read_text,
        storage.exists,
        storage.list_files,
        storage.delete,
        storage.sha256_of,
        storage.sizes,
        lambda path: storage.read_range(path, 0, 1),
        lambda path: storage.open_read(path).__enter__(),
        lambda path: storage.write_text(path, "text"),
        lambda path: storage.rename(path, path + "x"),
    ],
)
@pytest.mark.parametrize("scheme", ["s3", "az"])
def test_other_schemes_name_the_environment_they_need(
    act: Callable[[str], object], scheme: str
) -> None:
    with pytest.raises(UsageError) as caught:
        act(f"{scheme}://bucket/file")
    text = str(caught.value)
    assert text.startswith(f"{scheme}:// paths need the tensorflow-io environment")
    assert "\n" not in text
    assert "gs://" in text
