# SPDX-License-Identifier: MIT
"""How much the service takes on at a time, and how it refuses what is too much."""

import dataclasses
import os

# By which this machine calls itself. A page elsewhere that lets its own name point here (DNS
# rebinding) is known by that name.
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Limits and addresses of the service."""

    hosts: tuple[str, ...] = LOOPBACK  # names by which clients may call it; empty for any
    max_body: int = 64 << 20  # bytes of a request
    max_held: int = 256 << 20  # bytes of all requests that are being answered
    max_requests: int = 64  # that are being answered
    max_films: int = 64  # of a request
    max_maps: int = 4  # films of a request for heat maps in numbers
    max_waiting: int = 128  # films of all requests that are being answered
    batch: int = 16  # films of a call of the model
    linger: float = 0.005  # seconds that a smaller call waits for films that are being decoded
    # Threads, each with a film in full size: the largest that is read, 64 million pixels in 16-bit
    # colour, takes 0.8 GB, and a pod has 4 GiB if its job file says nothing else.
    decoders: int = min(4, os.cpu_count() or 1)
    body_seconds: float = 60.0  # in which a body must arrive
    answer_seconds: float = 60.0  # in which it must then be answered
    health_route: str = "/health"
    predict_route: str = "/predict"


class RefusedError(Exception):
    """A request that is not answered: the status of HTTP, a sentence, and whether to come again."""

    def __init__(self, status: int, sentence: str, *, later: bool = False) -> None:
        super().__init__(sentence)
        self.status, self.later = status, later
