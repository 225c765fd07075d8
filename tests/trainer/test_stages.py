# SPDX-License-Identifier: MIT
"""Tests of the stages: what they leave behind, and restoring their own."""

import dataclasses
import json
import pathlib
import shutil
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from preprocessing.contract.errors import ConfigError, DataError
from preprocessing.contract.process.stopping import StopRequests
from preprocessing.contract.settings import settings
from trainer import stages, task
from trainer.checkpoints import checkpoints
from trainer.config import Config
from trainer.evaluation.auc import aurocs
from trainer.network import model
from trainer.predictions import table
from trainer.run import Run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_backbone")]


@pytest.fixture(scope="module")
def job(finished_run: Any, data_set: Any, one_device: Any) -> Run:
    return Run(
        data=data_set.folder,
        output=finished_run.output,
        config=settings.from_yaml(Config, f"{finished_run.output}/config.yaml"),
        manifest=data_set.manifest,
        runtime=one_device,
        stops=StopRequests(),
    )


def note_of(run: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((pathlib.Path(run.output) / name).read_text())
    return found


def test_the_training_note_says_what_was_done_and_where(finished_run: Any) -> None:
    note = note_of(finished_run, "training.json")
    assert (note["steps"], note["epochs"], note["best_step"]) == (7, 1, 7)
    assert 0 <= note["best_validation_mean_auc"] <= 1
    assert note["images_per_second"] > 0
    assert (note["strategy"], note["replicas"], note["precision"]) == ("one_device", 1, "float32")
    assert note["versions"]["tensorflow"] == tf.__version__


@pytest.mark.parametrize("content", [b"[]", b"null", b"{", b"\xff"])
def test_an_export_beside_a_damaged_report_is_refused_in_one_sentence(
    job: Run, tmp_path: pathlib.Path, content: bytes
) -> None:
    output = tmp_path / "copy"
    shutil.copytree(pathlib.Path(job.output) / "checkpoints", output / "checkpoints")
    (output / "report").mkdir()
    (output / "report" / "report.json").write_bytes(content)
    with pytest.raises(DataError, match=r"report\.json is damaged: make it again"):
        stages.export_best(dataclasses.replace(job, output=str(output)))


def test_predictions_hold_both_splits_and_give_the_auc_that_chose_the_network(
    finished_run: Any,
) -> None:
    found = table.read(f"{finished_run.output}/predictions/predictions.csv")
    assert found.split_names == ("validation", "test")
    assert len(found.ids) == 20
    chosen = found.select("validation")
    mean = np.nanmean(aurocs(chosen.labels, chosen.scores))
    note = note_of(finished_run, "training.json")
    assert mean == pytest.approx(note["best_validation_mean_auc"], abs=1e-6)
    # And the mean cross-entropy over what is known, whatever was minimised.
    right = np.where(chosen.labels == 1, chosen.scores, 1 - chosen.scores)[~np.isnan(chosen.labels)]
    assert note["best_validation_loss"] == pytest.approx(-np.log(right).mean(), rel=1e-5)
    assert note["monitor"] == "auc"


def test_one_split_is_scored_alone_each_example_once_and_nothing_else_is_written(
    job: Run, data_set: Any, tmp_path: pathlib.Path
) -> None:
    output = tmp_path / "copy"
    shutil.copytree(job.output, output)
    whole = output / "predictions" / "predictions.csv"
    before = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    argv = ["cxr14-train", f"--data={data_set.folder}", f"--output={output}"]
    argv += ["--mode=evaluate", "--split=train"]
    written = output / "predictions" / "train.csv"
    for _ in range(2):
        assert task.main(argv) == 0
        found = table.read(str(written))
        assert sorted(found.ids) == sorted(
            name for name in data_set.targets if name not in set(table.read(str(whole)).ids)
        )
        assert (found.split_names, len(found.ids)) == (("train",), 29)
        assert all(path.read_bytes() == content for path, content in before.items())
        written.write_text("of an older network")
    assert {path for path in output.rglob("*") if path.is_file()} == {*before, written}
    assert task.main([*argv[:-1], "--split=test"]) == 0
    np.testing.assert_array_equal(
        table.read(str(output / "predictions" / "test.csv")).scores,
        table.read(str(whole)).select("test").scores,
    )


def test_a_split_that_was_not_scored_to_the_end_has_no_file(
    job: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "copy"
    shutil.copytree(job.output, output)
    (output / "predictions" / "train.csv").write_text("of an older network")

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("trainer.network.scorer.Scorer.score", killed)
    with pytest.raises(KeyboardInterrupt):
        stages.score_split(dataclasses.replace(job, output=str(output)), "train")
    assert not (output / "predictions" / "train.csv").exists()


@pytest.mark.parametrize("kind", ["mixed_bfloat16", "mixed_float16"])
def test_a_run_trained_in_16_bits_is_evaluated_in_float32_like_its_export(
    job: Run, tmp_path: pathlib.Path, kind: str, precision: Any
) -> None:
    output = tmp_path / "copy"
    shutil.copytree(pathlib.Path(job.output) / "checkpoints", output / "checkpoints")
    precision(kind)
    found = table.read(stages.evaluate(dataclasses.replace(job, output=str(output)), ("test",)))
    assert keras.config.dtype_policy().name == kind
    before = table.read(f"{job.output}/predictions/predictions.csv").select("test")
    np.testing.assert_allclose(found.scores, before.scores, atol=1e-6)


def test_a_run_that_lost_its_note_takes_no_step_and_writes_it_again(
    job: Run, finished_run: Any, tmp_path: pathlib.Path
) -> None:
    output = tmp_path / "copy"
    shutil.copytree(job.output, output)
    (output / "training.json").unlink()
    summary = stages.train(dataclasses.replace(job, output=str(output)))
    assert (summary.step, len(summary.losses)) == (7, 0)
    before = note_of(finished_run, "training.json")
    text = (output / "training.json").read_text()
    assert "NaN" not in text  # which JSON does not know
    after = json.loads(text)
    assert after.pop("images_per_second") is None
    for note in (before, after):
        del note["seconds_since_last_start"], note["finished"]
    assert after == {name: value for name, value in before.items() if name in after}


def test_the_best_network_of_a_run_scores_as_its_predictions_file(job: Run) -> None:
    built = model.build(job.config.model, image_size=32, findings=3, pretrained=False)
    step, _ = checkpoints.restore_best(job.output, built.network)
    assert step == 7
    scores = job.scorer(built.network).score("test")
    written = table.read(f"{job.output}/predictions/predictions.csv").select("test").scores
    np.testing.assert_allclose(scores, written, atol=1e-6)


def test_batch_statistics_are_trained_and_restored(job: Run) -> None:
    new, built = (
        model.build(job.config.model, image_size=32, findings=3, pretrained=False) for _ in range(2)
    )
    checkpoints.restore_best(job.output, built.network)
    fresh, trained = (
        [value.numpy() for value in made.network.get_layer("resnet50").non_trainable_variables]
        for made in (new, built)
    )
    assert len(fresh) == len(trained) == 6
    assert all(not np.allclose(a, b) for a, b in zip(fresh, trained, strict=True))


def test_a_checkpoint_of_a_wider_head_is_refused(job: Run) -> None:
    config = settings.from_mapping(Config, settings.to_mapping(job.config), origin="test")
    config.model.hidden_units = 9
    wider = model.build(config.model, image_size=32, findings=3, pretrained=False)
    with pytest.raises(ConfigError, match="is of another model"):
        checkpoints.restore_best(job.output, wider.network)


def test_the_stages_leave_float32_behind(finished_run: Any) -> None:
    assert keras.config.dtype_policy().name == "float32"


def test_a_trial_of_a_study_reports_each_validation_once_however_often_it_is_started(
    job: Run, finished_run: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUD_ML_TRIAL_ID", "3")
    monkeypatch.setenv("CLOUD_ML_HP_METRIC_FILE", str(tmp_path / "metrics"))
    output = tmp_path / "copy"
    shutil.copytree(job.output, output)
    (output / "training.json").unlink()
    again = dataclasses.replace(job, output=str(output))
    # The checkpoint was taken before the validation, so that each start repeats it; the second time
    # the best result so far is known from the checkpoint, and its disk may be another.
    note = note_of(finished_run, "training.json")
    for _ in range(2):
        stages.train(again)
        [line] = (tmp_path / "metrics").read_text().splitlines()
        assert json.loads(line)["global_step"] == str(note["best_step"]) == "7"
        found = float(json.loads(line)["validation_mean_auc"])
        assert found == pytest.approx(note["best_validation_mean_auc"], abs=1e-6)


def test_a_trial_that_is_over_reports_its_best_result_again(
    finished_run: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUD_ML_HP_METRIC_FILE", str(tmp_path / "metrics"))
    assert task.main([*finished_run.argv, "--mode=train"]) == 0
    [line] = (tmp_path / "metrics").read_text().splitlines()
    note = note_of(finished_run, "training.json")
    found = json.loads(line)
    assert found["global_step"] == str(note["best_step"])
    assert found["validation_mean_auc"] == str(note["best_validation_mean_auc"])
