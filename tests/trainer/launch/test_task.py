# SPDX-License-Identifier: MIT
"""The command line of cxr14-launch: what it refuses, prints and sends."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from cxr14_kubernetes_api import JOBS, write_kubeconfig

from preprocessing.contract.files import buckets
from trainer.launch import task
from trainer.launch.description import job_file as reader
from trainer.launch.description.job import EXAMPLE
from trainer.launch.doctor import logins

ROOT = pathlib.Path(__file__).parents[3]
# True whether a job was sent, or the end of one asked for.
STOPPED = (
    "cxr14-launch: stopped by Ctrl-C: what was sent, a job or its end, goes on, and the same "
    "command finds it\n"
)


def launch(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the program as users do, in a process of its own."""
    direct = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    return subprocess.run(
        [sys.executable, "-m", "trainer.launch.task", *arguments],
        cwd=ROOT,
        env={**direct, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "vertex or kubernetes"),
        (["slurm", "--job=x.yaml"], "vertex or kubernetes"),
        (["vertex", "kubernetes", "--job=x.yaml"], "one word too many"),
        (["vertex"], "--job=YAML is missing"),
        (["vertex", "--jbo=x.yaml"], "jbo"),
        (["vertex", "--job=x.yaml", "--dry_run=maybe"], "dry_run"),
        (["vertex", "--job=x.yaml", "--nodry_run=no"], "--nodry_run=no does not take an argument"),
        (["vertex", "--job=x.yaml", "--api_endpoint=http://10.0.0.1"], "use https"),
        (["vertex", "--job=x.yaml", "--api_endpoint=http://localhost.example.com"], "use https"),
        (["vertex", "--job=x.yaml", "--api_endpoint=ftp://127.0.0.1"], "neither a host name"),
        (["vertex", "--job=x.yaml", "--api_endpoint=http://["], "neither a host name"),
        (["kubernetes", "--job=x.yaml", "--api_endpoint=a.example.com"], "is for vertex"),
    ],
)
def test_bad_usage_exits_64_with_one_sentence(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert task.run(["cxr14-launch", *arguments]) == 64
    shown = capsys.readouterr()
    assert named in shown.err and shown.err.count("\n") == 1 and shown.out == ""


def test_a_bad_job_file_exits_78_with_one_sentence(
    job_file: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = job_file(replicas=0)
    assert task.run(["cxr14-launch", "vertex", "--job", path, "--dry_run"]) == 78
    shown = capsys.readouterr()
    assert f"{path}, line 18: replicas is 0" in shown.err
    assert shown.err.count("\n") == 1 and shown.out == ""


def test_help_lists_the_flags_and_a_job_file(
    capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    assert task.run(["cxr14-launch", "--help"]) == 0
    text = capsys.readouterr().out
    assert "--[no]dry_run" in text and "between starts" not in text
    path = tmp_path / "job.yaml"
    path.write_text("# " + text[text.index("A job file") :])
    assert reader.load(str(path)) == EXAMPLE
    assert task.run(["cxr14-launch", "kubernetes", f"--job={path}", "--dry_run"]) == 0


def test_dry_run_talks_to_nobody(job_file: Callable[..., str], google_apis: Any) -> None:
    done = launch(
        "vertex", f"--job={job_file()}", "--dry_run", f"--api_endpoint={google_apis.address}"
    )
    assert done.returncode == 0 and google_apis.requests == []


@pytest.fixture
def kubeconfig(tmp_path: pathlib.Path, stand_in: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    path = tmp_path / "kubeconfig"
    write_kubeconfig(path, stand_in.address, monkeypatch)
    return str(path)


def test_kubernetes_is_sent_a_job_from_a_process_of_its_own(
    job_file: Callable[..., str], kubernetes_api: Any
) -> None:
    done = launch("kubernetes", f"--job={job_file()}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "research/quick-run\n", "")
    assert kubernetes_api.posted() == [JOBS]


def test_a_certificate_that_cannot_be_right_is_one_sentence(
    kubernetes_api: Any,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    address = kubernetes_api.address.replace("http:", "https:")  # it speaks no TLS
    write_kubeconfig(tmp_path / "safe", address, monkeypatch)
    assert task.run(["cxr14-launch", "list", "kubernetes"]) == 78
    err = capsys.readouterr().err
    assert "is not safe (SSLError" in err and err.count("\n") == 1


def test_without_a_cluster_the_context_is_blamed(
    job_file: Callable[..., str], tmp_path: pathlib.Path
) -> None:
    done = launch("kubernetes", f"--job={job_file()}", KUBECONFIG=str(tmp_path / "none"))
    assert done.returncode == 78 and "no usable context" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "text",
    ["a: [b", "- 1", "contexts: 7\ncurrent-context: x", "users: [{}]", "\x00", "[" * 3000]
    + ["current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"],
)
def test_a_broken_configuration_of_kubectl_is_one_sentence(
    job_file: Callable[..., str],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    message = kubectl_says(job_file(), str(path), monkeypatch, capsys)
    assert "kubectl" in message


def test_a_folder_as_configuration_of_kubectl_is_one_sentence(
    job_file: Callable[..., str],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert str(tmp_path) in kubectl_says(job_file(), str(tmp_path), monkeypatch, capsys)


@pytest.mark.parametrize("command", ["false", "/nowhere/gke-gcloud-auth-plugin"])
def test_a_program_for_logging_in_that_fails_is_one_sentence(
    job_file: Callable[..., str],
    kubeconfig: str,
    stand_in: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    values = yaml.safe_load(pathlib.Path(kubeconfig).read_text())
    version = "client.authentication.k8s.io/v1beta1"
    login = {"apiVersion": version, "command": command, "interactiveMode": "Never"}
    values["users"] = [{"name": "me", "user": {"exec": login}}]
    pathlib.Path(kubeconfig).write_text(yaml.safe_dump(values))
    message = kubectl_says(job_file(), kubeconfig, monkeypatch, capsys)
    assert "configuration gives no credentials" in message and stand_in.requests == []


@pytest.mark.parametrize(
    "content",
    [
        None,
        "folder",
        "{",
        "{}",
        "[]",
        '"x"',
        "5",
        "null",
        '{"type": "impersonated_service_account"}',
    ],
)
def test_a_key_file_that_is_of_no_use_is_named(
    job_file: Callable[..., str],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: str | None,
) -> None:
    path = tmp_path if content == "folder" else tmp_path / "key.json"
    if content not in (None, "folder"):
        path.write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    assert task.run(["cxr14-launch", "vertex", f"--job={job_file()}"]) == 78
    err = capsys.readouterr().err
    assert str(path) in err and err.count("\n") == 1
    buckets.of.cache_clear()
    assert task.run(["cxr14-launch", "vertex", "--job=gs://my-bucket/job.yaml"]) == 64
    err = capsys.readouterr().err
    assert str(path) in err and "job.yaml" not in err and err.count("\n") == 1
    assert str(path) in logins.of("gcr.io").lacks


def kubectl_says(
    path: str,
    kubeconfig: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> str:
    """Sends a job with a configuration that cannot be used; returns the only sentence."""
    from kubernetes.config import kube_config

    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", kubeconfig)
    monkeypatch.setenv("KUBECONFIG", kubeconfig)
    assert task.run(["cxr14-launch", "kubernetes", f"--job={path}"]) == 78
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1
    return shown.err


def test_a_missing_client_says_what_to_install(job_file: Callable[..., str]) -> None:
    program = (
        "import sys; sys.modules['kubernetes'] = None; from trainer.launch import task; "
        f"sys.exit(task.run(['cxr14-launch', 'kubernetes', '--job', {job_file()!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 64 and "pip install 'kubernetes>=" in done.stderr
    assert "cxr14[" not in done.stderr  # it is in no index
    assert done.stderr.count("\n") == 1


def test_ctrl_c_is_one_sentence(job_file: Callable[..., str]) -> None:
    direct = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"--api_endpoint=http://127.0.0.1:{server.getsockname()[1]}"
        process = subprocess.Popen(
            [sys.executable, "-m", "trainer.launch.task", "vertex", f"--job={job_file()}", address],
            cwd=ROOT,
            env=direct,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        with server.accept()[0]:  # the program waits for an answer that does not come
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and said == STOPPED


@pytest.mark.parametrize("module", ["absl", "trainer.launch.commands", "jinja2"])
def test_ctrl_c_while_the_program_is_loaded_is_the_same_sentence(module: str) -> None:
    program = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "class Stop:\n"
        "    def find_spec(name, *_):\n"
        f"        name == {module!r} and os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Stop)\n"
        "from trainer.launch import task\n"
        "sys.exit(task.main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (130, STOPPED)


def test_the_presets_are_listed_for_job_and_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert task.run(["cxr14-launch", "--list_presets"]) == 0
    shown = capsys.readouterr().out
    assert "  vertex_gpu1 " in shown and "  nih_gpu1 " in shown and shown.count("NAME takes") == 2


def test_a_preset_that_is_to_be_filled_in_is_named_as_the_file_to_copy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert task.run(["cxr14-launch", "vertex", "--job=preset:vertex_gpu1", "--dry_run"]) == 0
    assert task.run(["cxr14-launch", "vertex", "--job=preset:vertex_gpu1"]) == 78
    assert "configs/jobs/vertex_gpu1.yaml: replace BUCKET" in capsys.readouterr().err
