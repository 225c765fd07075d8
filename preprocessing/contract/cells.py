# SPDX-License-Identifier: MIT
"""Reads what people write into the cells of tables, and writes cells that no spreadsheet runs."""

import csv
import io
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator

from preprocessing.contract.errors import DataError

OLDEST_YEARS = 120

# How programs write that there is no value; -1 is the usual number for it.
_MISSING = frozenset(
    ("", "nan", "+nan", "-nan", "none", "null", "nil", "na", "n/a", "n.a.", "#na", "#n/a", "<na>")
    + ("#n/a n/a", "nat", "1.#qnan", "-1.#qnan", "1.#ind", "-1.#ind", "#null!", "#value!", "#ref!")
    + ("unknown", "undefined", "missing", "-", "--", "?", ".", "-1", "-1.0")
)
_SEXES = {"m": "M", "male": "M", "man": "M", "f": "F", "female": "F", "woman": "F"}
# As spreadsheets know a formula, in full-width letters too; behind apostrophes, so that taking one
# off is always right.
_FORMULA = re.compile("'*[=+\\-@\\t\\r\\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# The letters of DICOM (PS3.5, AS) and the words of six languages, by how many make a year.
_UNITS = {
    1.0: "y yr yrs year years yo y/o y.o. j jahr jahre an ans ano anos anno anni a",
    12.0: "m mo mos month months monat monate mois mes meses mese mesi",
    365.25 / 7: "w wk wks week weeks woche wochen semaine semaines semana semanas settimane",
    365.25: "d day days tag tage jour jours dia dias giorno giorni",
}
PER_YEAR = {word: per_year for per_year, words in _UNITS.items() for word in words.split()}
_AGE = re.compile(
    r"(?P<more>>=|=>|\u2265|>|over|above|older than|uber|plus de|mas de|mais de|piu di|<)?\s*"
    r"(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(?P<unit>[a-z][a-z./]*?)??\s*(?:old)?\s*"
    r"(?P<end>\+|plus|(?:or|and|oder|und|ou|et|o|y|e)\s+"
    r"(?:more|older|over|above|up|mehr|alter|plus|mas|mais|piu))?"
)


def csv_lines(path: str, text: str | Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yields the lines of a CSV file that are not empty, each with the number of its last line.

    A quote that is not closed would swallow all rows up to the next quote or the end of the file,
    so that text behind a closing quote is refused too.

    Args:
        path: the file that a message names.
        text: its content, or its lines as they are read, each with its end.

    Raises:
        DataError: a quote is not closed or closed too early, or a field is far too long.
    """
    # Unlike str.splitlines, a file's lines end at CR or LF alone: U+2028 may be part of a field.
    lines = io.StringIO(text, newline="") if isinstance(text, str) else text
    reader = csv.reader(lines, strict=True)
    begin = 1
    try:
        for line in reader:
            if line:
                yield reader.line_num, line
            begin = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path}, line {begin}: not CSV ({error}): close the quote that opens a field there, "
            "write a quote inside it twice, or fetch the file again"
        ) from error


def is_missing(text: str) -> bool:
    """Tells whether a text is empty or one of the words for no value.

    >>> is_missing(" "), is_missing("NaN"), is_missing("#N/A"), is_missing("0")
    (True, True, True, False)
    """
    return text.strip().casefold() in _MISSING


def truth(text: str) -> bool | None:
    """Reads a truth value as pandas and spreadsheets write it; None for anything else.

    >>> truth("True"), truth("FALSE"), truth("1"), truth("yes")
    (True, False, None, None)
    """
    return {"true": True, "false": False}.get(text.strip().casefold())


def whole(text: str) -> int | None:
    """Reads a whole number, also as pandas writes it (3.0); None for anything else.

    >>> whole("3"), whole(" 3.0"), whole("3.5"), whole("three"), whole("inf")
    (3, 3, None, None, None)
    """
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if math.isfinite(number) and number == int(number) else None


def years(text: str) -> tuple[int, str]:
    """Reads an age as people, databases and DICOM write it.

    Args:
        text: such as 41, 41.0, 060Y, 18 months, or a bound: 85 or more, >89, 90+, <1.

    Returns:
        Whole years, -1 for unknown; and what the text was taken as where it is not plain: of a
        bound the least age that it allows. An age that nobody reaches is unknown: ChestX-ray14's
        release of 2017 holds some, up to 411.

    >>> [years(text)[0] for text in ("060Y", "018M", "41", "41.0", "60y", "6 weeks", "", "nan")]
    [60, 1, 41, 41, 60, 0, -1, -1]
    >>> years("85 or more"), years(">89"), years("90+"), years("<1"), years("411")[0]
    ((85, 'taken as 85'), (90, 'taken as 90'), (90, 'taken as 90'), (0, 'taken as 0'), -1)
    """
    if is_missing(text):
        return -1, ""
    found = _AGE.fullmatch(folded(text))
    unit = found["unit"] if found else None
    if not found or (unit and unit not in PER_YEAR):
        return -1, "taken as unknown"
    age = int(min(float(found["number"]), 1e6) / PER_YEAR[unit or "y"])
    is_bound = bool(found["more"] or found["end"])
    if found["more"] == "<":
        # Of less than one year nothing is left but 0; of less than 18 too much is.
        age = 0 if age <= 1 else -1
    elif found["more"] and "=" not in found["more"] and found["more"] != "\u2265":
        age += 1
    if not 0 <= age <= OLDEST_YEARS:
        return -1, "taken as unknown"
    return age, f"taken as {age}" if is_bound else ""


def sex(text: str) -> str:
    """Reads a sex as people and databases write it; "" for unknown, and for any other.

    >>> sex("Male"), sex("f"), sex("O")
    ('M', 'F', '')
    """
    return _SEXES.get(text.strip().casefold(), "")


def harmless(text: str) -> str:
    """Returns a cell that a spreadsheet shows as text instead of running it as a formula.

    A text that begins like a formula (=, +, -, @, tab, line break) gets an apostrophe, as
    spreadsheets mark text; numbers stay as they are. `original` takes it off again.

    >>> harmless("=1+1"), harmless("-1.5e3"), harmless("-a"), harmless("'=a"), harmless("a=1")
    ("'=1+1", '-1.5e3', "'-a", "''=a", 'a=1')
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def original(cell: str) -> str:
    """Returns the text of which `harmless` made a cell.

    >>> [original(harmless(text)) for text in ("=1+1", "'=a", "'a", "-1")]
    ['=1+1', "'=a", "'a", '-1']
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell


def folded(text: str) -> str:
    """Returns text in small letters, without accents and outer blanks."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).strip()
