# SPDX-License-Identifier: MIT
"""ONNX Runtime says of canonical pictures what the SavedModel says."""

import json
import pathlib
import shutil
import sys
from typing import Any

import numpy as np
import pytest
from cxr14_small_backbone import used

from preprocessing.contract.errors import UsageError
from trainer import flags, task
from trainer.serving import onnx_file, served

pytestmark = pytest.mark.slow


def test_onnx_answers_like_the_saved_model(
    finished_run: Any, data_set: Any, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tf2onnx")
    runtime = pytest.importorskip("onnxruntime")
    output = shutil.copytree(finished_run.output, tmp_path / "out")
    argv = [flag for flag in finished_run.argv if not flag.startswith("--output")]
    with used():
        assert task.main([*argv, f"--output={output}", "--mode=export", "--onnx"]) == 0
    assert f"ONNX: {output}/model.onnx\n" in capsys.readouterr().out
    session = runtime.InferenceSession(f"{output}/model.onnx")
    pixels = np.stack(list(data_set.pixels.values()))
    expected = served.ServedModel(str(output)).answer(pixels)
    scores, probabilities = session.run(["scores", "probabilities"], {"pixels": pixels})
    np.testing.assert_allclose(scores, expected.raw, atol=1e-4, rtol=0)
    np.testing.assert_allclose(probabilities, expected.probabilities, atol=1e-4, rtol=0)
    assert np.ptp(scores) > 0.01
    said = session.get_modelmeta().custom_metadata_map
    assert json.loads(said["findings"]) == ["Mass", "Nodule", "Edema"]
    assert said["data"] == data_set.manifest.identity


def test_where_tf2onnx_is_absent_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(UsageError, match=r"--onnx needs the package tf2onnx.*: pip install 'tf2o"):
        onnx_file.check_installed()


def test_onnx_goes_with_export_alone() -> None:
    with pytest.raises(UsageError, match="--onnx goes with --mode=export, not --mode=all"):
        flags.parse(["cxr14-train", "--onnx", "--data=/d", "--output=/o"], {})
