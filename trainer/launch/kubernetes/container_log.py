# SPDX-License-Identifier: MIT
"""Reads the log of one container, and goes on where a stream broke.

A stream breaks when an API server, a node or a proxy does. It is read again from the last second
on; as the API cannot start within a second, what was read of that one is left out.
"""

import collections
import dataclasses
import re
from collections.abc import Iterator

from trainer.launch.kubernetes import namespace as ns
from trainer.launch.kubernetes import service
from trainer.launch.kubernetes.namespace import Namespace

_FRACTION = re.compile(r"\.[0-9]+")
# Seconds without a line after which a followed stream is opened again; it may be dead.
SILENCE_S = 120.0


@dataclasses.dataclass
class ContainerLog:
    """The log of one container, as far as it was read.

    Attributes:
        namespace: of the pod.
        pod: its name.
        prefix: of each line.
        query: which container, and whether the one before its last restart.
    """

    namespace: Namespace
    pod: str
    prefix: str
    query: dict[str, str]
    # Second -> lines that were read of it: of the last two, as two writers may cross in a log.
    _read: dict[str, collections.Counter[bytes]] = dataclasses.field(default_factory=dict)

    def lines(self, *, follow: bool) -> Iterator[tuple[str, str]]:
        """Yields times and texts of the lines that were not read yet, until the stream ends.

        Raises:
            ServiceError: it broke; a second call goes on where it did.
            Refusal: there is no such log.
        """
        since = min(self._read, default=None)
        again = sum(self._read.values(), collections.Counter[bytes]())
        for line in self._stream(since, follow=follow):
            if again[line] > 0:
                again[line] -= 1
                continue
            stamp, _, text = line.decode("utf-8", "replace").partition(" ")
            self._note(stamp, line)
            yield stamp, self.prefix + text

    def _note(self, stamp: str, line: bytes) -> None:
        second = _FRACTION.sub("", stamp)
        self._read.setdefault(second, collections.Counter())[line] += 1
        while len(self._read) > 2:
            del self._read[min(self._read)]

    def _stream(self, since: str | None, *, follow: bool) -> Iterator[bytes]:
        where = f"{ns.path('v1', 'Pod', self.namespace.name, self.pod)}/log"
        query = {**self.query, "timestamps": "true", "sinceTime": since}
        if follow:
            query["follow"] = "true"
        silence = SILENCE_S if follow else service.ANSWER_S
        rest = b""
        for part in self.namespace.api.stream(where, silence=silence, **query):
            *lines, rest = (rest + part).split(b"\n")
            yield from lines
        if rest and not follow:  # else it may be half of a line
            yield rest
