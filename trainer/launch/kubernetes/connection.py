# SPDX-License-Identifier: MIT
"""Connects to the cluster of kubectl's current context by the Python client of Kubernetes."""

import logging
import os
from typing import Any

from preprocessing.contract.errors import ConfigError, UsageError
from preprocessing.contract.files import faults

# As in the extra `launch` of setup.py. The package itself is in no index, so that asking for its
# extra by name finds nothing, or another project's package.
INSTALL = "pip install 'kubernetes>=33,<38' 'python-dateutil>=2.9,<3'"
# What the client raises where a file is YAML, but not what it expects in it.
_WRITTEN_WRONGLY = (AttributeError, LookupError, TypeError, ValueError)


def connect() -> Any:
    """Returns a client that sends requests as they are, with kubectl's login.

    Raises:
        UsageError: the Python client of Kubernetes is not installed.
        ConfigError: there is no cluster configured, or its credentials cannot be had.
    """
    try:
        from kubernetes import client, config, dynamic
    except ImportError as error:
        raise UsageError(
            f"sending a job to Kubernetes needs more packages ({error}): "
            f"{INSTALL}, or pipe what --dry_run prints into `kubectl create -f -`"
        ) from error
    settings = client.Configuration()
    settings.retries = False  # the client would also repeat what this module must not
    connection = _configured(config, settings)
    # Without discovery, which takes requests and leaves a file on this machine.
    return dynamic.DynamicClient(connection, discoverer=lambda *_: None)


def _configured(config: Any, settings: Any) -> Any:
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
        connection = config.new_client_from_config(client_configuration=settings)
    except config.ConfigException as error:
        raise ConfigError(f"kubectl has no usable context: {faults.line(error)}") from error
    except (yaml.YAMLError, OSError, RuntimeError, *_WRITTEN_WRONGLY) as error:
        where = os.environ.get("KUBECONFIG") or "~/.kube/config"
        raise ConfigError(
            f"kubectl's configuration {where} is not usable ({faults.line(error)}): see whether "
            "`kubectl config view` can read it"
        ) from error
    finally:
        root.handlers = handlers
    if said:
        raise ConfigError(
            f"kubectl's credentials could not be had ({faults.line(said[0])}): see whether "
            "`kubectl get jobs` works"
        )
    return connection


def current_context() -> str:
    """Returns the name of kubectl's current context."""
    from kubernetes import config

    return str(config.list_kube_config_contexts()[1]["name"])
