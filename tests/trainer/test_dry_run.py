# SPDX-License-Identifier: MIT
"""A dry run says what a run needs, refuses what the run would, and leaves nothing behind."""

import os
import pathlib
import re
import shutil
from collections.abc import Callable
from typing import Any

import keras
import pytest

from trainer import task

pytestmark = pytest.mark.slow


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    capsys.readouterr()
    assert task.main(["cxr14-train", "--mode=dry_run", *argv]) == 0
    return capsys.readouterr().out


def number(pattern: str, text: str) -> float:
    [found] = re.findall(pattern, text)
    return float(found.replace(",", ""))


def test_resnet_50_at_64_px_needs_what_its_layers_say(
    capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))  # no nvidia-smi
    text = said(capsys, "--config.data.image_size=64")
    assert "14 findings" in text and number(r"([\d,]+) of them trainable", text) == 24_062_734
    weights = number(r"weights +([\d.,]+) MiB", text)
    assert weights == pytest.approx(24_115_854 * 4 / 2**20, abs=0.06)
    gradients = number(r"gradients +([\d.,]+) MiB", text)
    assert number(r"optimizer +([\d.,]+) MiB", text) == pytest.approx(2 * gradients, abs=0.15)
    # One real step on a CPU grew by 9.75 MiB for each further example.
    assert number(r"kept +([\d.,]+) MiB an example", text) == pytest.approx(9.75, rel=0.15)
    largest = [int(found) for found in re.findall(r"GB +(\d+)  ", text)]
    assert [name in text for name in ("NVIDIA L4", "A100", "H100")] == [True] * 3
    assert largest == sorted(largest) and 1000 < largest[0] < 2500
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("small_backbone")
class TestWithTheSmallBackbone:
    def test_a_data_set_is_checked_and_counted(
        self, data_set: Any, tmp_path: pathlib.Path, capsys: Any, command_line: Any
    ) -> None:
        before = sorted(os.listdir(data_set.folder))
        wide = {"train__epochs": 3, "model__hidden_units": 65536, "optimizer__ema_decay": 0.9}
        wide |= {"train__frozen_epochs": 1, "optimizer__frozen_rate": 0.01}
        argv = command_line(data_set.folder, str(tmp_path / "run"), **wide)[1:]
        text = said(capsys, *argv, "--device_memory_gb=24")
        weights = number(r"weights +([\d.,]+) MiB", text)
        assert weights > 4 and number(r"average +([\d.,]+) MiB", text) == weights
        assert "7 an epoch, of 4 examples; 21 in all; 3 for a validation" in text
        assert "3 findings, 40 px" in text
        assert "frozen up to step 7, only the head learns, at a learning rate of 0.01\n" in text
        assert "24 GB" in text and "as given: the batch of 4 fits on one replica" in text
        assert not (tmp_path / "run").exists() and sorted(os.listdir(data_set.folder)) == before

    def test_half_precision_keeps_less_and_the_policy_stays(self, capsys: Any) -> None:
        kept = [
            number(r"kept +([\d.,]+) MiB", said(capsys, f"--config.runtime.precision={name}"))
            for name in ("float32", "mixed_bfloat16")
        ]
        assert kept[1] < 0.95 * kept[0]
        assert keras.config.dtype_policy().name == "float32"

    def test_a_batch_that_does_not_fit_is_spread(self, capsys: Any) -> None:
        argv = ["--config.data.global_batch_size=96", "--config.data.image_size=512"]
        text = said(capsys, *argv, "--device_memory_gb=1.5")
        most = int(number(r"1.5 GB +(\d+)  ", text))
        replicas = int(number(r"needs (\d+) replicas, or train.accumulation_steps=\d+", text))
        assert 96 % replicas == 0 and 96 / replicas <= most < 96
        again = said(capsys, *argv, "--device_memory_gb=1.5", _parts(replicas))
        assert "the batch of 96 fits on one replica" in again
        assert "not one example fits" in said(capsys, *argv, "--device_memory_gb=1")

    def test_the_memory_of_this_machines_gpu_is_asked_for(
        self, capsys: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        program = tmp_path / "nvidia-smi"
        program.write_text("#!/bin/sh\necho 'NVIDIA L4, 23034'\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
        text = said(capsys)
        assert "24.2 GB" in text and "  NVIDIA L4: the batch" in text and "A100" not in text
        program.write_text("#!/bin/sh\nexit 9\n")
        assert "A100" in said(capsys)

    @pytest.mark.parametrize(
        ("settings", "code", "sentence"),
        [
            ({"data__global_batch_size": 64}, 78, "is larger than the train split"),
            ({"train__accumulation_steps": 3}, 78, "does not divide by train.accumulation_steps"),
            ({"model__weights": "none.h5"}, 78, "model.weights none.h5 is not a file"),
            ({"model__weights": "no-run"}, 78, "no-run"),
        ],
    )
    def test_what_the_run_would_refuse_is_refused(
        self,
        data_set: Any,
        tmp_path: pathlib.Path,
        capsys: Any,
        command_line: Callable[..., list[str]],
        settings: dict[str, Any],
        code: int,
        sentence: str,
    ) -> None:
        argv = command_line(data_set.folder, str(tmp_path / "run"), **settings)
        assert task.main([*argv, "--mode=dry_run"]) == code
        assert sentence in capsys.readouterr().err

    def test_a_data_set_that_is_not_whole_is_refused(
        self, data_set: Any, tmp_path: pathlib.Path, capsys: Any, command_line: Any
    ) -> None:
        shutil.copytree(data_set.folder, tmp_path / "data")
        (tmp_path / "data" / data_set.manifest.shards[0].name).unlink()
        argv = command_line(str(tmp_path / "data"), str(tmp_path / "run"))
        assert task.main([*argv, "--mode=dry_run"]) == 65
        assert "is missing: copy the data set again" in capsys.readouterr().err

    def test_a_folder_with_another_run_is_refused(self, finished_run: Any, capsys: Any) -> None:
        before = sorted(pathlib.Path(finished_run.output).rglob("*"))
        argv = [*finished_run.argv, "--mode=dry_run"]
        assert task.main(argv) == 0
        assert task.main([*argv, "--config.seed=5"]) == 78
        assert "holds a run with another seed" in capsys.readouterr().err
        assert sorted(pathlib.Path(finished_run.output).rglob("*")) == before


def _parts(number: int) -> str:
    return f"--config.train.accumulation_steps={number}"
