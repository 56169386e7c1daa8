"""CSV and TSV files to a table of text cells, every structural fault named with its line."""

from __future__ import annotations

import codecs
import csv
import io
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from scorematching.data.formulas import plain
from scorematching.data.origin import Origin, fault, read_bytes
from scorematching.errors import DataError

NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"


def read_csv_text(
    path: Path, delimiter: str, max_bytes: int
) -> tuple[pa.Table, Origin, tuple[str, ...]]:
    """Every cell as text, where the rows came from, and notes.

    Blank lines are skipped, except in a file of one column, where they are missing cells.
    A ``,`` file whose header has semicolons or tabs instead of commas is read with those, and a
    note says so.

    Raises
    ------
    DataError
        The file is empty, has a header only, is not UTF-8, holds NUL bytes, has unclosed quotes,
        unnamed or doubly named columns, no header, or rows of another length than the header.
    """
    raw = read_bytes(path, max_bytes)
    text, first_line = _decode(path, raw)
    header_line = text[: re.search(r"[\r\n]|$", text).start()]  # type: ignore[union-attr]
    delimiter, notes = _delimiter(header_line, delimiter)
    origin = Origin(str(path), text, delimiter, first_line)
    names, body_at = _header(origin)
    if len(names) == 1:
        origin = Origin(str(path), text, delimiter, first_line, single_column=True)
    if '"' in text:
        _check_quotes(origin)
    body = text[body_at:].rstrip("\r\n")
    if not body.strip():
        raise origin.error(
            f"the file has a header and no rows ({len(names)} columns named on line {first_line}). "
            "Export it again with its rows."
        )
    table = _parse(origin, names, body)
    if table.num_rows * len(names) * 8 > max_bytes:
        raise origin.error(
            f"{table.num_rows:,} rows × {len(names)} columns decode to more than the limit of "
            f"{max_bytes:,} bytes. Split the file, or raise max_bytes."
        )
    return table, origin, notes


def _decode(path: Path, raw: bytes) -> tuple[str, int]:
    """The text from the header on, and the line number of the header."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise fault(path, "the file is UTF-16. Save it as UTF-8.")
    nul = raw.find(b"\0")
    if nul >= 0:
        line_start = max(raw.rfind(b"\n", 0, nul), raw.rfind(b"\r", 0, nul)) + 1
        raise fault(
            path,
            f"line {_lines_before(raw, nul) + 1}, character {nul - line_start + 1}: a NUL "
            "byte. The file is damaged or is not text; export it again as UTF-8 CSV.",
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = error.start + (len(codecs.BOM_UTF8) if raw.startswith(codecs.BOM_UTF8) else 0)
        raise fault(
            path,
            f"line {_lines_before(raw, at) + 1}: byte 0x{raw[at]:02X} is not UTF-8. "
            "Save the file as UTF-8 (iconv -f LATIN1 -t UTF-8 IN > OUT, if it is Latin-1).",
        ) from error
    stripped = text.lstrip("\r\n")
    if not stripped.strip():
        raise fault(path, "the file is empty: it holds only blank lines. Export it again.")
    blank = text[: len(text) - len(stripped)].encode()
    return stripped, 1 + _lines_before(blank, len(blank))


def _lines_before(raw: bytes, at: int) -> int:
    """Number of line ends (LF, CRLF or CR) before a position."""
    return raw.count(b"\n", 0, at) + raw.count(b"\r", 0, at) - raw.count(b"\r\n", 0, at)


def _delimiter(header: str, delimiter: str) -> tuple[str, tuple[str, ...]]:
    """The delimiter that the header uses, and a note if it is not the ending's own."""
    if delimiter == "," and "," not in header:
        for other, what in ((";", "semicolons"), ("\t", "tabs")):
            if other in header:
                return other, (
                    f"the header has {what} and no commas: read with {what} between cells.",
                )
    return delimiter, ()


def _header(origin: Origin) -> tuple[list[str], int]:
    """The column names, and where in the text the rows start."""
    lines = io.StringIO(origin.text, newline="")
    try:
        cells = next(csv.reader(lines, delimiter=origin.delimiter, strict=True))
    except csv.Error as error:
        raise _quote_error(origin, origin.first_line, error) from error
    names = [plain(cell.strip()) for cell in cells]
    where = f"line {origin.first_line}"
    for number, name in enumerate(names, start=1):
        if not name:
            raise origin.error(
                f"{where}: column {number} of {len(names)} has no name. "
                "Name it, or leave it out (pandas writes one for the index: to_csv(index=False))."
            )
        if name in names[: number - 1]:
            first = names.index(name) + 1
            raise origin.error(
                f"{where}: columns {first} and {number} have the same name {name!r}. Rename one."
            )
    if all(re.fullmatch(NUMBER, name) for name in names):
        raise origin.error(
            f"{where}: the first line must name the columns: got numbers only "
            f"({', '.join(names[:4])}{', …' if len(names) > 4 else ''}). Add a header line."
        )
    return names, lines.tell()


def _check_quotes(origin: Origin) -> None:
    """Raise if a quote is never closed or is closed in the middle of a cell."""
    line = origin.first_line
    records = origin.records()
    try:
        for start, cells in records:
            line = start + 1 + sum(cell.count("\n") for cell in cells)
    except csv.Error as error:
        raise _quote_error(origin, line, error) from error


def _quote_error(origin: Origin, line: int, error: csv.Error) -> DataError:
    """What the csv module found, in this library's words."""
    if "unexpected end" in str(error):
        return origin.error(
            f'line {line}: a quote (") is opened and never closed. Close it, or remove it.'
        )
    if "expected after" in str(error):
        return origin.error(
            f"line {line}: text follows a closing quote within a cell. "
            'Double the quotes inside a quoted cell ("").'
        )
    return origin.error(f"line {line}: {error}.")


def _parse(origin: Origin, names: list[str], body: str) -> pa.Table:
    """All cells as text, by Arrow's parser; a row of another length is found again for its line."""
    raw = body.encode()
    read = pacsv.ReadOptions(
        column_names=names,
        block_size=max(1 << 20, min(len(raw) + 1, 1 << 29)),
        use_threads=False,
    )
    parse = pacsv.ParseOptions(
        delimiter=origin.delimiter,
        newlines_in_values='"' in body,
        ignore_empty_lines=not origin.single_column,
    )
    convert = pacsv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        strings_can_be_null=False,
        quoted_strings_can_be_null=False,
    )
    try:
        return pacsv.read_csv(pa.BufferReader(raw), read, parse, convert)
    except pa.ArrowInvalid as error:
        raise _ragged_error(origin, names, error) from error


def _ragged_error(origin: Origin, names: list[str], error: pa.ArrowInvalid) -> DataError:
    for line, cells in origin.records():
        if len(cells) != len(names):
            hint = ""
            if origin.delimiter == "," and len(cells) > len(names):
                hint = " If a comma is the decimal sign, write a point instead (1.5)."
            return origin.error(
                f"line {line} has {len(cells)} cells, and the header names {len(names)} columns "
                f"({', '.join(names[:4])}{', …' if len(names) > 4 else ''}). "
                f"Every row must have one cell a column.{hint}"
            )
    return origin.error(f"cannot be parsed: {error}")
