# SPDX-License-Identifier: MIT
"""Settings files of this machine become arguments that make the very same run."""

import pathlib
from collections.abc import Callable

import pytest

from preprocessing.contract.errors import ConfigError
from trainer import flags
from trainer.launch.description import job_file as reader

ROOT = pathlib.Path(__file__).parents[4]
DATA = {"data": "gs://bkt/d"}


def arguments(path: str) -> list[str]:
    *found, output = reader.load(path).arguments()
    assert output == "--output=gs://my-bucket/runs/quick"
    return found


@pytest.fixture
def file(tmp_path: pathlib.Path) -> Callable[[str, str], str]:
    def write(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize("name", ["demo", "nih_gpu1", "smoke"])
@pytest.mark.parametrize("form", ["preset:{}", f"{ROOT}/configs/training/{{}}.yaml"])
def test_the_trainer_reads_the_same_settings_from_the_arguments(
    job_file: Callable[..., str], name: str, form: str
) -> None:
    given = form.format(name)
    found = arguments(job_file(args={**DATA, "config": given, "config.train.epochs": 16}))
    assert not [one for one in found if one.startswith("--config=")]
    paths = ["--data=gs://bkt/d", "--output=gs://bkt/r"]
    direct = ["cxr14-train", *paths, f"--config={given}", "--config.train.epochs=16"]
    inlined = ["cxr14-train", *found, paths[1]]
    assert flags.parse(inlined, environ={}) == flags.parse(direct, environ={})


def test_a_file_beside_the_shell_is_found(
    job_file: Callable[..., str], file: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = pathlib.Path(file("mine.yaml", "seed: 3\nruntime: {xla: true}\ndata: {cache: ''}\n"))
    monkeypatch.chdir(here.parent)
    one = {"type": "NVIDIA_L4", "count": 1}
    settings = {**DATA, "config": "mine.yaml"}
    path = job_file(args=settings, accelerator=one, machine_type="g2-standard-12")
    assert arguments(path) == [
        "--config.seed=3",
        "--config.runtime.xla=true",
        "--config.data.cache=",
        "--data=gs://bkt/d",
    ]


def test_later_files_and_arguments_count_over_earlier_files(
    job_file: Callable[..., str], file: Callable[[str, str], str]
) -> None:
    a = file("a", "train: {epochs: 3, keep_best: 2}\noptimizer: {learning_rate: 1e-5}\nseed: 1\n")
    b = file("b", "train: {epochs: 4}\n")
    given = ["--config.seed=9", f"--config={a}", "--data=gs://bkt/d", "--config", b]
    assert arguments(job_file(args=given)) == [
        "--config.optimizer.learning_rate=1e-05",
        "--config.train.epochs=4",
        "--config.train.keep_best=2",
        "--config.seed=9",
        "--data=gs://bkt/d",
    ]


def test_a_file_in_a_bucket_stays_below_what_is_written_out(
    job_file: Callable[..., str], file: Callable[[str, str], str]
) -> None:
    # The default, too, since the file in the bucket may say something else.
    here, there = file("a", "train: {epochs: 10}\n"), "--config=gs://bkt/long.yaml"
    assert arguments(job_file(args=["--data=gs://bkt/d", there, f"--config={here}"])) == [
        there,
        "--config.train.epochs=10",
        "--data=gs://bkt/d",
    ]
    path = job_file(args=["--data=gs://bkt/d", f"--config={here}", there])
    with pytest.raises(ConfigError, match="put the one in the bucket first"):
        reader.load(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "train:\n  epochs: 3\n  epocs: 4",
            "SETTINGS, line 3: key train.epocs does not exist: did",
        ),
        ("train: {epochs: many}", "SETTINGS, line 1: train.epochs must be of type int"),
        (
            "model: {weights: w.h5}",
            "args holds --config.model.weights=w.h5, but the container sees",
        ),
        ("data: {image_size: 5}", "data.image_size is 5: use"),
    ],
)
def test_what_a_file_says_is_checked_before_anything_is_sent(
    job_file: Callable[..., str], file: Callable[[str, str], str], text: str, said: str
) -> None:
    settings = file("settings.yaml", text)
    path = job_file(args={**DATA, "config": settings})
    with pytest.raises(ConfigError) as caught:
        reader.load(path)
    # The line of `config` in `args`, or at least of `args`.
    assert str(caught.value).startswith((f"{path}, line 4: args", f"{path}, line 6: args"))
    assert said.replace("SETTINGS", settings) in str(caught.value)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("preset:nih_gpu", "preset:nih_gpu does not exist: did you mean nih_gpu1?"),
        ("preset:../jobs/vertex_gpu1", "does not exist"),
        ("none.yaml", "configuration file none.yaml does not exist"),
        ("~nobody-here/x", "names the home of a user"),
        ("gs:/bkt/x", "two slashes"),
        ("gs:///x", "the container sees no file of this machine"),
        ("", "--config names no file"),
    ],
)
def test_a_file_that_is_not_there_is_refused_with_the_line_that_names_it(
    job_file: Callable[..., str], config: str, said: str
) -> None:
    path = job_file(args={**DATA, "config": config})
    with pytest.raises(ConfigError) as caught:
        reader.load(path)
    assert str(caught.value).startswith(f"{path}, line 6: args") and said in str(caught.value)
