# SPDX-License-Identifier: MIT
"""Keras settings that another project left behind change nothing."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

_SHOW = """
from trainer.network import keras_home
keras_home.ignore()
import keras
import sys
print(keras.config.backend(), keras.config.image_data_format(), keras.config.floatx())
sys.exit(bool(sys.modules["matplotlib"]))
"""


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"backend": "jax", "image_data_format": "channels_first", "floatx": "float64"}),
        json.dumps(["not", "settings"]),
    ],
)
def test_keras_settings_of_the_home_folder_and_the_shell_change_nothing(
    tmp_path: pathlib.Path, text: str
) -> None:
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras/keras.json").write_text(text)
    shell = {"HOME": str(tmp_path), "KERAS_BACKEND": "torch", "KERAS_MAX_EPOCHS": "many"}
    shell["MPLBACKEND"] = "bogus"
    done = subprocess.run(
        [sys.executable, "-c", _SHOW],
        env={**os.environ, **shell},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "tensorflow channels_last float32\n", done.stderr
    assert done.returncode == 0
    assert list(tmp_path.rglob("*.json")) == [tmp_path / ".keras/keras.json"]
