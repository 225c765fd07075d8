# SPDX-License-Identifier: MIT
"""Certificates and tokens of kubectl's configuration, and of a pod, reach the cluster."""

import http.server
import json
import logging
import pathlib
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import trustme
import yaml
from cxr14_kubernetes_api import write_kubeconfig
from kubernetes.config import incluster_config, kube_config

from preprocessing.contract.errors import ConfigError
from trainer.launch.kubernetes import connection
from trainer.launch.kubernetes.service import Api


class Safe(http.server.BaseHTTPRequestHandler):
    """Answers with an empty list and notes the tokens."""

    tokens: list[str | None] = []

    def do_GET(self) -> None:
        self.tokens.append(self.headers["Authorization"])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"items": []}')

    def log_message(self, format: str, *args: Any) -> None:
        """Keeps the test's output clean."""


@pytest.fixture
def port(tmp_path: pathlib.Path) -> Iterator[int]:
    """The port of a server with a certificate, whose authority is in `ca.pem`."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    Safe.tokens = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Safe) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "how", [{"certificate-authority": "ca.pem"}, {"insecure-skip-tls-verify": True}]
)
def test_a_certificate_is_checked_unless_kubectl_does_not(
    port: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    path = tmp_path / "kubeconfig"
    write_kubeconfig(path, f"https://127.0.0.1:{port}", monkeypatch)
    with pytest.raises(ConfigError, match="is not safe .*CERTIFICATE_VERIFY_FAILED"):
        Api().every("/apis/batch/v1/jobs")
    values = yaml.safe_load(path.read_text())
    values["clusters"][0]["cluster"].update(how)
    path.write_text(yaml.safe_dump(values))
    assert Api().every("/apis/batch/v1/jobs") == []
    assert Safe.tokens == ["Bearer abc"]
    assert connection.current_context() == "here"


def test_in_a_pod_its_own_cluster_and_service_account_are_used(
    port: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("of-the-pod")
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="kubectl has no usable context"):
        Api().every("/apis/batch/v1/jobs")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(port))
    defaults = {
        "token_filename": str(tmp_path / "token"),
        "cert_filename": str(tmp_path / "ca.pem"),
    }
    loader = incluster_config.InClusterConfigLoader
    monkeypatch.setattr(
        incluster_config, "InClusterConfigLoader", lambda **given: loader(**{**given, **defaults})
    )
    assert Api().every("/apis/batch/v1/jobs") == []
    assert [token and token.lower() for token in Safe.tokens] == ["bearer of-the-pod"]
    assert connection.current_context() == "of this pod"


def test_a_broken_line_of_the_configuration_is_not_shown(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text('users:\n- user: {token: "secret-token')
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    with pytest.raises(ConfigError, match="quoted scalar, line 2, column 17") as caught:
        connection.connect()
    assert "secret-token" not in str(caught.value)


@pytest.mark.parametrize("token", ["abc-secret\nx", "abc-secretł"])
def test_a_token_that_no_request_can_carry_is_one_sentence_without_it(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    path = tmp_path / "kubeconfig"
    write_kubeconfig(path, "http://127.0.0.1:9", monkeypatch)
    path.write_text(path.read_text().replace("token: abc", f"token: {json.dumps(token)}"))
    with pytest.raises(ConfigError, match="the token has a line break or a letter") as caught:
        Api().every("/apis/batch/v1/jobs")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("proxy", ["not a proxy", "::::", "http://me:secret@:::"])
def test_a_proxy_without_an_address_is_one_sentence(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    write_kubeconfig(tmp_path / "kubeconfig", "https://203.0.113.1", monkeypatch)
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(ConfigError, match="HTTPS_PROXY, .* is not an address") as caught:
        Api().every("/apis/batch/v1/jobs")
    assert "secret" not in str(caught.value)


def test_connecting_in_several_threads_leaves_the_log_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As readers of several pods do when the cluster's login has run out."""
    pauses = iter((0.1, 0.3))
    monkeypatch.setattr("kubernetes.config.load_kube_config", lambda **_: time.sleep(next(pauses)))
    before = list(logging.getLogger().handlers)
    threads = [threading.Thread(target=connection.connect) for _ in range(2)]
    for thread in threads:
        thread.start()
        time.sleep(0.05)
    for thread in threads:
        thread.join()
    assert logging.getLogger().handlers == before
