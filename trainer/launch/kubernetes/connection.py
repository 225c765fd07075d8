# SPDX-License-Identifier: MIT
"""Connects to a cluster by the Python client of Kubernetes.

That is the cluster of kubectl's current context, or in a pod without such a configuration the one
that the pod runs in, with the rights of the pod's service account.
"""

import logging
import os
import threading
from typing import Any

from preprocessing.contract.errors import ConfigError, UsageError
from preprocessing.contract.files import faults
from preprocessing.contract.settings import yaml_files

# As in the extra `launch` of setup.py. The package itself is in no index, so that asking for its
# extra by name finds nothing, or another project's package.
INSTALL = "pip install 'kubernetes>=33,<38' 'python-dateutil>=2.9,<3'"
# What the client raises where a file is YAML, but not what it expects in it.
_WRITTEN_WRONGLY = (AttributeError, LookupError, TypeError, ValueError)
# Of two threads that connect at once, each would put back the other's listener for good.
_LISTENING = threading.Lock()


def connect() -> Any:
    """Returns a client that sends requests as they are, with kubectl's login.

    Raises:
        UsageError: the Python client of Kubernetes is not installed.
        ConfigError: no cluster is configured, or there are no credentials for it.
    """
    try:
        import urllib3
        from kubernetes import client, config, dynamic
    except ImportError as error:
        raise UsageError(
            f"sending a job to Kubernetes needs more packages ({error}): "
            f"{INSTALL}, or pipe what --dry_run prints into `kubectl create -f -`"
        ) from error
    settings = client.Configuration()
    settings.retries = False  # the client would also repeat what this module must not
    with _LISTENING:
        _configure(config, settings)
    if not settings.verify_ssl:  # it was said so in kubectl's configuration
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    try:
        # Without discovery, which takes requests and leaves a file on this machine.
        return dynamic.DynamicClient(client.ApiClient(settings), discoverer=lambda *_: None)
    except ValueError:  # whose text may hold a password
        raise ConfigError(
            "the proxy for the cluster, of HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, is not an address "
            "such as http://proxy.example.com:3128: correct it, or name the cluster in NO_PROXY"
        ) from None


def _configure(config: Any, settings: Any) -> None:
    """Reads kubectl's configuration, in which a user may have written anything."""
    import yaml

    # The client only logs that a program for logging in failed, and goes on without credentials.
    # What it logs is part of one sentence below, and not printed beside it.
    said: list[str] = []
    listener = logging.Handler(logging.ERROR)
    listener.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, [listener]
    try:
        if _is_of_a_pod():
            config.load_incluster_config(client_configuration=settings)
        else:
            config.load_kube_config(client_configuration=settings)
    except config.ConfigException as error:
        raise ConfigError(f"kubectl has no usable context: {faults.line(error)}") from error
    except (yaml.YAMLError, OSError, RuntimeError, *_WRITTEN_WRONGLY) as error:
        where = os.environ.get("KUBECONFIG") or "~/.kube/config"
        of_yaml = isinstance(error, yaml.YAMLError)  # which would quote the line, maybe a token's
        why = yaml_files.reason(error) if of_yaml else faults.line(error)
        raise ConfigError(
            f"kubectl's configuration {where} is not usable ({why}): see whether "
            "`kubectl config view` can read it"
        ) from error
    finally:
        root.handlers = handlers
    if said:
        raise ConfigError(
            f"kubectl's configuration gives no credentials ({faults.line(said[0])}): see whether "
            "`kubectl get jobs` works"
        )


def current_context() -> str:
    """Returns the name of kubectl's current context, or that it is this pod's cluster."""
    from kubernetes import config

    if _is_of_a_pod():
        return "of this pod"
    return str(config.list_kube_config_contexts()[1]["name"])


def _is_of_a_pod() -> bool:
    """Whether the cluster to use is the one that this process runs in."""
    from kubernetes.config import kube_config

    paths = kube_config.KUBE_CONFIG_DEFAULT_LOCATION.split(os.pathsep)
    found = any(os.path.exists(os.path.expanduser(path)) for path in paths)
    return not found and "KUBERNETES_SERVICE_HOST" in os.environ
