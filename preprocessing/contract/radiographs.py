# SPDX-License-Identifier: MIT
"""Makes the stored picture out of a radiograph's file: the one place where pixels are worked on."""

import concurrent.futures
import dataclasses
import errno
from collections.abc import Iterator, Sequence

from preprocessing.contract import dicom
from preprocessing.contract.files import storage
from preprocessing.contract.files.folders import NotAFileError
from preprocessing.contract.pictures import image
from preprocessing.contract.pictures.image import ImageError

_OF_FILES = ("vanished", "unreadable", "not_a_file", "encrypted")
REASONS = tuple(dict.fromkeys((*image.REASONS, *dicom.REASONS, *_OF_FILES)))

# Of the names of picture files, in lower case.
PICTURES = (".png", ".jpg", ".jpeg")
DICOM = (".dcm", ".dicom", ".ima")

# Files fetched at a time from a bucket, where a request takes tens of milliseconds.
_AHEAD = 8


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How every picture of a data set is made.

    Attributes:
        stored_size: side of the stored picture in pixels.
        encoding: "png" or "raw".
        source_px: side that every original must have, 0 for any.
        words: a hospital's own for parts and views in DICOM files, `Config.words`.
    """

    stored_size: int
    encoding: str
    source_px: int = 0
    words: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Picture:
    """A stored picture.

    Attributes:
        data: encoded pixels.
        digest: of its pixels.
        width: of the original in pixels.
        height: of the original in pixels.
        patient: name of the patient as the file has it; only from DICOM.
        view: "AP", "PA" or ""; only from DICOM, like the next two.
        sex: "M", "F" or "".
        age: years, -1 if unknown.
        warnings: what the file leaves open, and what was assumed.
        turned: the file stores it turned or mirrored, and says so.
    """

    data: bytes
    digest: str
    width: int
    height: int
    patient: str = ""
    view: str = ""
    sex: str = ""
    age: int = -1
    warnings: tuple[str, ...] = ()
    turned: bool = False


def from_file(encoded: bytes, recipe: Recipe) -> Picture:
    """Makes the stored picture from a PNG or JPEG file.

    Raises:
        ImageError: the file is not a picture that can be used.
    """
    return _stored(image.read(encoded), recipe)


def from_dicom(encoded: bytes, name: str, recipe: Recipe) -> Picture:
    """Makes the stored picture from a DICOM file.

    Args:
        encoded: content of the file.
        name: of the image, to be checked for identifiers.
        recipe: how pictures are made.

    Raises:
        ImageError: the file is not a frontal chest radiograph that can be used.
    """
    return _stored(dicom.read(encoded, name, recipe.words), recipe)


def read_all(uris: Sequence[str]) -> Iterator[bytes | ImageError]:
    """Yields each file's content in turn, or why it has none; reads ahead from buckets."""
    if not any(storage.scheme_of(uri) for uri in uris):
        yield from map(read_file, uris)
        return
    with concurrent.futures.ThreadPoolExecutor(_AHEAD) as pool:
        waiting: list[concurrent.futures.Future[bytes | ImageError]] = []
        for uri in uris:
            waiting.append(pool.submit(read_file, uri))
            if len(waiting) > _AHEAD:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()


def read_file(uri: str) -> bytes | ImageError:
    """Returns a file's content, or why it has none that belongs to this file alone."""
    try:
        return storage.read_bytes(uri)
    except FileNotFoundError:
        return ImageError("vanished", "the file is gone")
    except PermissionError as error:
        return ImageError("unreadable", f"the file cannot be read: {error.strerror}")
    except IsADirectoryError:
        return ImageError("not_a_file", "a folder lies in its place")
    except NotAFileError:
        return ImageError("not_a_file", "a pipe or a device lies in its place")
    except OSError as error:
        if error.errno != errno.ELOOP:  # of the machine, not of this file
            raise
        return ImageError("not_a_file", "a link that leads to itself lies in its place")


def _stored(original: image.Original, recipe: Recipe) -> Picture:
    image.check_original(original.pixels, recipe.source_px)
    pixels = image.resize(image.square(original.pixels), recipe.stored_size)
    height, width = original.pixels.shape
    return Picture(
        data=image.encode(pixels, recipe.encoding),
        digest=image.digest(pixels),
        width=width,
        height=height,
        patient=original.patient,
        view=original.view,
        sex=original.sex,
        age=original.age,
        warnings=original.warnings,
        turned=original.turned,
    )


__all__ = [
    *("DICOM", "PICTURES", "REASONS", "ImageError", "Picture", "Recipe"),
    *("from_dicom", "from_file", "read_all", "read_file"),
]
