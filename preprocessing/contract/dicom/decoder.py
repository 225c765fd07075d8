# SPDX-License-Identifier: MIT
"""Decodes compressed frames with GDCM, in a process of its own.

A few flipped bits in a JPEG stream make GDCM abort the process or write beyond its memory, and its
libraries print what they dislike. So it works in a child, which lives as long as its parent: the
child's death, a complaint or too long a time means a damaged picture and nothing else.
"""

import atexit
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.pictures.picture_files import ImageError
from preprocessing.contract.process import processes

TIMEOUT_S = 60.0

# The largest picture needs an eighth of it.
_CHILD_BYTES = 1 << 32


class _Child:
    """The parent's side of a decoding process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def ask(self, header: dict[str, Any], frame: bytes) -> tuple[dict[str, Any], bytes]:
        """Returns what the child answers: its header and the bytes of the pixels.

        Raises:
            EOFError: the child died of it, or took too long and was ended.
        """
        with self._lock:
            process = self.started()
            watch = threading.Timer(TIMEOUT_S, process.kill)
            watch.start()
            try:
                assert process.stdin is not None and process.stdout is not None
                _send(process.stdin, header, frame)
                return _receive(process.stdout)
            except (OSError, ValueError) as error:
                raise EOFError from error
            finally:
                watch.cancel()

    def stop(self) -> None:
        """Ends the child, if this process has one."""
        process, self._process = self._process, None
        if process and self._owner == os.getpid():
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream:
                    with contextlib.suppress(OSError):  # what was not sent yet has no reader
                        stream.close()

    def started(self) -> "subprocess.Popen[bytes]":
        """Returns the running child.

        Raises:
            ConfigError: it does not start.
        """
        # A fork has its parent's pipes but must not use them: two would read one answer.
        if self._process and self._owner == os.getpid() and self._process.poll() is None:
            return self._process
        self.stop()
        self._owner = os.getpid()
        self._process = subprocess.Popen(
            processes.python("from preprocessing.contract.dicom import decoder; decoder.serve()"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert self._process.stdout is not None
            _receive(self._process.stdout)
        except EOFError:
            raise ConfigError(
                "the decoder of compressed DICOM files does not start: install python-gdcm"
            ) from None
        return self._process


_CHILD = _Child()
atexit.register(_CHILD.stop)


def decode(attributes: dict[str, Any], syntax: str, frame: bytes) -> npt.NDArray[np.generic]:
    """Decodes a frame.

    Args:
        attributes: of the image pixel module by keyword, checked.
        syntax: the transfer syntax.
        frame: the compressed frame.

    Returns:
        [height, width] or [height, width, channels]; YBR is converted to RGB.

    Raises:
        ImageError: damaged.
        ConfigError: GDCM is not there.
    """
    try:
        answer, data = _CHILD.ask({"syntax": syntax, "attributes": attributes}, frame)
    except EOFError:
        _CHILD.stop()
        answer, data = {}, b""
    if "dtype" not in answer:
        raise ImageError("damaged", "the picture is damaged: it cannot be decoded")
    return np.frombuffer(data, answer["dtype"]).reshape(answer["shape"])


def _send(file: IO[bytes], header: dict[str, Any], data: bytes) -> None:
    file.write(json.dumps({**header, "length": len(data)}).encode() + b"\n")
    file.write(data)
    file.flush()


def _receive(file: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    line = file.readline()
    if not line:
        raise EOFError
    header = json.loads(line)
    data = file.read(header["length"])
    if len(data) < header["length"]:
        raise EOFError
    return header, data


def serve() -> None:
    """Answers requests until the parent closes the pipe."""
    import gdcm  # type: ignore[import-untyped, unused-ignore] # noqa: F401

    answers = os.fdopen(os.dup(1), "wb")
    _send(answers, {}, b"")
    with tempfile.TemporaryFile() as complaints:
        # Libraries in C print to both; nothing that they say may reach a log.
        os.dup2(complaints.fileno(), 1)
        os.dup2(complaints.fileno(), 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (_CHILD_BYTES, _CHILD_BYTES))
        while True:
            try:
                request, frame = _receive(sys.stdin.buffer)
            except EOFError:
                return
            answer, data = _answer(request, frame)
            if os.fstat(complaints.fileno()).st_size:
                answer, data = {}, b""
                os.ftruncate(complaints.fileno(), 0)
            _send(answers, answer, data)


def _answer(request: dict[str, Any], frame: bytes) -> tuple[dict[str, Any], bytes]:
    from pydicom import encaps
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.pixels.utils import pixel_array
    from pydicom.uid import UID

    from preprocessing.contract.dicom import files

    files.silence()
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(request["syntax"])
    for keyword, value in request["attributes"].items():
        setattr(dataset, keyword, value)
    dataset.PixelData = encaps.encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    options: dict[str, Any] = {"correct_unused_bits": False}
    try:
        pixels = pixel_array(dataset, index=0, decoding_plugin="gdcm", **options)
    except Exception:  # of no narrower type
        return {}, b""
    return {"dtype": pixels.dtype.str, "shape": pixels.shape}, pixels.tobytes()
