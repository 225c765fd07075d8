# SPDX-License-Identifier: MIT
"""Films that the HTTP service answers in a second, against its SavedModel called in a loop.

    python -m benchmarks.service MODEL [FILMS]

Both get the same PNG files of 1024 px, 1 to 16 in a request; two clients ask, as one would leave
the service idle while it sends. Both take turns, so that other work on the machine slows both.
"""

import argparse
import base64
import concurrent.futures
import contextlib
import json
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from benchmarks.ratio import HEADER, Ratio
from preprocessing.contract.pictures import image
from trainer.inference.service import app, connections
from trainer.serving import names
from trainer.serving.served import ServedModel

_SIZES, _CLIENTS, _TURNS = (1, 4, 16), 2, 3


def measure(folder: str, films: int) -> Iterator[Ratio]:
    """Times as many films, a multiple of 32, by each size of request."""
    model = ServedModel(folder)
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (16, 64, 64)).astype(np.uint8)
    files = [image.encode(image.resize(one, 1024)) for one in coarse]
    signature = model.signatures[names.AS_ARRAY]
    with _served(model) as url:
        for size in _SIZES:
            given = [{"b64": base64.b64encode(one).decode()} for one in files[:size]]
            body = json.dumps({"instances": given, "signature_name": names.AS_ARRAY}).encode()

            def ask(_: int, body: bytes = body) -> None:
                urllib.request.urlopen(urllib.request.Request(url, body)).read()

            def call(_: int, size: int = size) -> None:
                signature(image_bytes=tf.constant(files[:size]))

            seconds = {ask: 0.0, call: 0.0}
            with concurrent.futures.ThreadPoolExecutor(_CLIENTS) as clients:
                # The first turn warms up.
                for turn in range(_TURNS + 1):
                    for work, run in ((ask, clients.map), (call, map)):
                        start = time.perf_counter()
                        list(run(work, range(films // size)))
                        seconds[work] += (time.perf_counter() - start) * (turn > 0)
            ours, theirs = (_TURNS * films / seconds[work] for work in (ask, call))
            yield Ratio(
                f"films by HTTP, {size} a request",
                ours,
                "the SavedModel in a loop",
                theirs,
                ">= 0.9",
            )


@contextlib.contextmanager
def _served(model: ServedModel) -> Iterator[str]:
    bound = socket.create_server(("127.0.0.1", 0))
    server = connections.Server(app.create(model), 5, lambda: None)
    thread = threading.Thread(target=lambda: server.run(sockets=[bound]))
    thread.start()
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/v1/models/cxr14:predict"
    finally:
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", help="folder of a SavedModel or of a run")
    parser.add_argument("films", nargs="?", type=int, default=96, help="of each measurement")
    arguments = parser.parse_args()
    print(HEADER)
    for row in measure(arguments.model, arguments.films):
        print(row.line(), flush=True)
