# SPDX-License-Identifier: MIT
"""Keras's ImageNet file, from a server of the test into a folder, by the command line."""

import functools
import hashlib
import http.server
import pathlib
import threading
import urllib.request
from collections.abc import Iterator

import numpy as np
import pytest

from preprocessing.contract.files import patience
from trainer import task
from trainer.network import published

CONTENT = b"stands in for 94 MB of weights"


@pytest.fixture
def server(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[http.server.ThreadingHTTPServer]:
    """Serves a file of Keras's name."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / published.NAME).write_bytes(CONTENT)
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "web")
    )
    monkeypatch.setattr(handler.func, "log_message", lambda *_: None)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(urllib.request, "_opener", None)
        monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.02)
        monkeypatch.setattr(patience, "SECONDS", 0.5)
        monkeypatch.setattr(published, "FOLDER", f"http://127.0.0.1:{serving.server_port}/")
        monkeypatch.setattr(published, "MD5", hashlib.md5(CONTENT).hexdigest())
        yield serving
        serving.shutdown()
        thread.join()


def fetched(output: object) -> int:
    return task.main(["cxr14-train", "--mode=fetch_weights", f"--output={output}"])


def test_it_is_written_once_with_the_settings_that_use_it(
    server: object, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "new" / "weights"
    assert fetched(output) == 0
    path = output / published.NAME
    assert path.read_bytes() == CONTENT
    assert [one.name for one in output.iterdir()] == [published.NAME]
    told = capsys.readouterr().out
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert f"were written: {path}\n" in told
    assert f"--config.model.weights={path} --config.model.weights_sha256={digest}" in told
    (tmp_path / "web" / published.NAME).unlink()
    assert fetched(output) == 0
    assert f"are there already: {path}\n" in capsys.readouterr().out


def test_what_lies_there_under_its_name_is_not_overwritten(
    server: object, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / published.NAME).write_bytes(b"another")
    assert fetched(tmp_path) == 78
    assert "fetch it into another folder (--mode=fetch_weights)" in capsys.readouterr().err
    assert (tmp_path / published.NAME).read_bytes() == b"another"


def test_a_server_that_sends_something_else_leaves_nothing(
    server: object, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "web" / published.NAME).write_bytes(b"a page of a proxy")
    assert fetched(tmp_path / "out") == 78
    assert "the ImageNet weights could not be downloaded" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    (tmp_path / "web" / published.NAME).unlink()
    assert fetched(tmp_path / "out") == 78
    assert "404" in capsys.readouterr().err


def test_a_data_set_has_no_part_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["cxr14-train", "--mode=fetch_weights", "--output=/o", "--data=/d"]
    assert task.main(argv) == 64
    assert "--data does not go with --mode=fetch_weights" in capsys.readouterr().err


# Keras, which writes the file, and NumPy 2.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_run_downloads_it_once_and_starts_from_it(
    server: http.server.ThreadingHTTPServer,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the command line does, for which Keras has no home."""
    import h5py
    import keras
    from keras.src.legacy.saving import legacy_h5_format

    from trainer.network import keras_home, model
    from trainer.recipe import ModelConfig

    plain = keras.applications.ResNet50(
        include_top=False, weights=None, input_shape=(32, 32, 3), name="resnet50"
    )
    path = tmp_path / "web" / published.NAME
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, plain)
    monkeypatch.setattr(published, "MD5", hashlib.md5(path.read_bytes()).hexdigest())
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KERAS_HOME", "")
    keras_home.ignore()
    for _ in range(2):
        made = model.build(ModelConfig(), image_size=32, findings=3)
        for ours, theirs in zip(made.backbone.weights, plain.weights, strict=True):
            np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
        path.unlink(missing_ok=True)
    assert (tmp_path / "home" / ".keras" / "models" / published.NAME).is_file()
