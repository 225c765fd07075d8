# SPDX-License-Identifier: MIT
"""Starts the service where flags or Vertex AI's contract for containers say, and ends it."""

import ipaddress
import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from absl import logging

from preprocessing.contract.errors import ConfigError, UsageError
from preprocessing.contract.process import log
from preprocessing.contract.process.stopping import GRACE_SECONDS
from trainer.inference.service import app, connections
from trainer.inference.service.settings import LOOPBACK, Settings
from trainer.serving.served import Answering

_PORT, _HEALTH, _PREDICT = "AIP_HTTP_PORT", "AIP_HEALTH_ROUTE", "AIP_PREDICT_ROUTE"


def serve(
    load: Callable[[], Answering], *, host: str, port: int, environ: Mapping[str, str] = os.environ
) -> int:
    """Serves a model until SIGTERM or Ctrl-C; returns the exit code, 0.

    What is being answered then is finished, within 12 seconds.

    Args:
        load: loads the model; called once, in a thread.
        host: address of this machine to listen on, unless Vertex AI's variables are set.
        port: likewise; 0 for any that is free.
        environ: the process's environment.

    Raises:
        JobError: the address or a route cannot be used, or loading fails.
    """
    if given := environ.get(_PORT, ""):
        host, port = "0.0.0.0", int(given) if given.isdecimal() else -1
    with _listening(host, port) as bound:
        settings = _settings(host, bound, environ)
        service = app.create(None, settings)
        desk, failures = service.state.desk, list[BaseException]()
        server = connections.Server(service, GRACE_SECONDS, desk.stopping.set)

        def prepare() -> None:
            try:
                desk.model = _warm(load())
            except BaseException as error:
                failures.append(error)
                server.should_exit = True

        _announce(bound, settings)
        # A daemon, which does not keep the process when it is to stop meanwhile.
        threading.Thread(target=prepare, daemon=True).start()
        _run(server, bound)
    for failure in failures:
        raise failure
    return 0


def _run(server: Any, bound: socket.socket) -> None:
    # From here on the server alone hears signals: who did until now would end the process.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.handle_exit)
    wakeup = signal.set_wakeup_fd(-1)
    server.run(sockets=[bound])
    signal.set_wakeup_fd(wakeup)


def _warm(model: Answering) -> Answering:
    films = np.zeros([Settings.batch, model.facts.stored_size, model.facts.stored_size], np.uint8)
    model.answer(films[:1])
    model.answer(films)
    model.heat_maps(films[:1])
    log.show("the model is ready")
    return model


def _listening(host: str, port: int) -> socket.socket:
    try:
        if not 0 <= port < 1 << 16:
            raise OverflowError("ports end at 65535")
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=256)
    except (OSError, OverflowError, UnicodeError) as error:
        raise UsageError(
            f"{host} port {port} cannot be listened on ({error}): give an address of this machine "
            "and a free port, or --port=0 for any"
        ) from error


def _settings(host: str, bound: socket.socket, environ: Mapping[str, str]) -> Settings:
    health = environ.get(_HEALTH, "") or Settings.health_route
    predict = environ.get(_PREDICT, "") or Settings.predict_route
    for route in (health, predict):
        if not route.startswith("/"):
            raise ConfigError(f"{_HEALTH} or {_PREDICT} is {route}: a route begins with /")
    private = ipaddress.ip_address(bound.getsockname()[0]).is_loopback
    hosts = tuple(dict.fromkeys((*LOOPBACK, host.lower()))) if private else ()
    return Settings(hosts=hosts, health_route=health, predict_route=predict)


def _announce(bound: socket.socket, settings: Settings) -> None:
    host, port = bound.getsockname()[:2]
    log.show(f"serving http://{f'[{host}]' if ':' in host else host}:{port}/; Ctrl-C stops it")
    if settings.hosts:
        log.show("this machine alone can reach it")
        return
    logging.warning(
        "everybody who can reach this address can use the service: it asks nobody who they are, "
        "and films come unencrypted; put a proxy before it that does both and keeps the header "
        "Host, by which the page is known, or leave --host out"
    )
