"""Every structural fault of a CSV file is named with its file, line and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from scorematching.data.tables import read_table
from scorematching.errors import DataError


def saved(folder: Path, content: bytes | str, name: str = "some data.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", ["the file is empty"]),
        (b"\n\r\n \n", ["only blank lines"]),
        (b"a,b\n", ["a header and no rows", "2 columns", "line 1"]),
        (b"\n\na,b\n\n\n", ["a header and no rows", "line 3"]),
        (b"a,b\n1,2\n3\n4,5\n", ["line 3 has 1 cells", "2 columns (a, b)", "one cell a column"]),
        (b"a,b\n1,2\n3,4,5\n", ["line 3 has 3 cells", "If a comma is the decimal sign"]),
        (b"a,b\r\n1,2\r\n\r\n3\r\n", ["line 4 has 1 cells"]),
        (b'a,b\n"1\n2",2\n3\n', ["line 4 has 1 cells"]),
        (b'a,b\n1,2\n3,"4\n5,6\n7,8\n', ["line 3", "opened and never closed", "Close it"]),
        (b'"a,b\n1,2\n', ["line 1", "opened and never closed"]),
        (b'a,b\n1,"2"3\n', ["line 2", "text follows a closing quote"]),
        (b"a,b\n1,2\n3,\x004\n", ["line 3, character 3", "NUL"]),
        (b"a,b\r1,2\r3,\x004\r", ["line 3, character 3", "NUL"]),
        (b"a,b,a\n1,2,3\n", ["line 1", "columns 1 and 3", "same name 'a'", "Rename"]),
        (b",a,b\n0,1,2\n", ["line 1", "column 1 of 3 has no name", "index=False"]),
        (b"1,2.5\n3,4\n", ["must name the columns", "numbers only (1, 2.5)", "Add a header"]),
        ("naïve,b\n1,2\n".encode("latin1"), ["line 1", "0xEF is not UTF-8", "iconv"]),
        ("a,b\n1,2\né,4\n".encode("latin1"), ["line 3", "0xE9 is not UTF-8"]),
        ("a,b\n1,2\n".encode("utf-16"), ["UTF-16", "Save it as UTF-8"]),
    ],
)
def test_a_structural_fault_is_named(tmp_path: Path, content: bytes, parts: list[str]) -> None:
    path = saved(tmp_path, content)
    with pytest.raises(DataError) as caught:
        read_table(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,2\n3,5\n",
        "\ufeffa,b\n1,2\n3,5\n",
        "a,b\r\n1,2\r\n3,5\r\n\r\n",
        "a,b\r1,2\r3,5",
        "\n\na,b\n1,2\n\n3,5\n",
        '"a","b"\n"1","2"\n3,5\n',
        " a , b \n 1 ,2\n3, +5 \n",
    ],
)
def test_the_usual_dialects_read_the_same(tmp_path: Path, content: str) -> None:
    data = read_table(saved(tmp_path, content))
    assert [column.name for column in data.schema.columns] == ["a", "b"]
    assert data.values.tolist() == [[1.0, 2.0], [3.0, 5.0]]


def test_a_header_with_semicolons_is_read_with_semicolons_and_said(tmp_path: Path) -> None:
    data = read_table(saved(tmp_path, "a;b\n1.5;2\n3;5\n"))
    assert data.values.tolist() == [[1.5, 2.0], [3.0, 5.0]]
    assert any("semicolons" in note for note in data.notes)


def test_a_tab_separated_file_keeps_its_commas(tmp_path: Path) -> None:
    data = read_table(saved(tmp_path, "a,x\tb\n1\t2\n3\t5\n", "t.tsv"))
    assert [column.name for column in data.schema.columns] == ["a,x", "b"]


def test_a_blank_line_in_a_file_of_one_column_is_a_missing_cell(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'a' \(1 missing or NaN, first: line 3\)"):
        read_table(saved(tmp_path, "a\n1\n\n2\n"))


def test_the_line_of_a_cell_counts_blank_lines_and_quoted_line_ends(tmp_path: Path) -> None:
    content = 'a,b,t\n1,2,"x\ny"\n\n3,oops,z\n4,5,z\n'
    with pytest.raises(DataError, match="line 5 holds 'oops'"):
        read_table(saved(tmp_path, content), drop=["t"])


def test_a_file_above_the_limit_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, "a,b\n" + "1,2\n3,4\n" * 100)
    with pytest.raises(DataError, match="more than the limit of 500"):
        read_table(path, max_bytes=500)
    # 804 bytes of text decode to 200 rows × 2 columns × 8 bytes.
    with pytest.raises(DataError, match="200 rows × 2 columns decode to more"):
        read_table(path, max_bytes=1000)
    assert read_table(path, max_bytes=3200).n == 200


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="expected a file, got a folder"):
        read_table(tmp_path / "folder.csv")
