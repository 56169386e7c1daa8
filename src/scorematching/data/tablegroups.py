"""Row groups of Parquet files, one after the other, as the groups of a stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from scorematching.data.columnar import CELL, column_names, read_columns, row_groups
from scorematching.data.dataset import Dataset
from scorematching.data.labels import as_texts, label_of
from scorematching.data.numbers import Numbers, numbers, odd_notes
from scorematching.data.origin import Origin, fault
from scorematching.data.schema import Column, TableSchema
from scorematching.data.selection import Selection
from scorematching.data.streams import MAX_GROUP_BYTES, NOT_LOOKED_FOR, Stream, Survey
from scorematching.data.tables import constant_note, declared, from_arrow, label_cells, wanted_names


@dataclass(frozen=True)
class TableGroups:
    """The row groups of Parquet files with the same columns.

    Attributes
    ----------
    name
        What messages call them.
    places
        The file of each group, its number there, and that of its first row.
    sizes
        The number of rows of each group.
    names
        The columns to read, in the order of the file.
    wanted
        The columns to model, in their order, the label last.
    selection
        What the user asks for.
    """

    name: str
    places: tuple[tuple[Path, int, int], ...]
    sizes: tuple[int, ...]
    names: tuple[str, ...]
    wanted: tuple[str, ...]
    selection: Selection

    @classmethod
    def of(cls, source: Path, files: Sequence[Path], selection: Selection) -> TableGroups:
        """Those of files, in order.

        Raises
        ------
        DataError
            A file is damaged, lacks a column, or has a row group too large to hold; or as
            `Selection`.
        """
        origin = Origin(str(source))
        names = column_names(files[0])
        origin.check_unique(names)
        wanted = wanted_names(names, selection, None, origin)
        places, sizes = [], []
        for file in files:
            there = column_names(file)
            missing = [name for name in wanted if name not in there]
            if missing:
                raise fault(file, f"has no column {missing[0]!r}, which {files[0].name} has.")
            first = 0
            for group, rows in enumerate(row_groups(file)):
                if rows * len(wanted) * CELL > MAX_GROUP_BYTES:
                    fit = MAX_GROUP_BYTES // (CELL * len(wanted))
                    raise fault(
                        file,
                        f"row group {group} has {rows:,} rows × {len(wanted)} columns, and a group "
                        f"is held at once: {fit:,} rows at most. Write smaller ones: "
                        "pyarrow.parquet.write_table(table, path, row_group_size=100_000).",
                    )
                places.append((file, group, first))
                sizes.append(rows)
                first += rows
        kept = tuple(name for name in names if name in wanted)
        return cls(str(source), tuple(places), tuple(sizes), kept, tuple(wanted), selection)

    def read(self, group: int, schema: TableSchema) -> Dataset:
        """The rows of a group, checked against the schema."""
        return from_arrow(self._table(group), self._origin(group), Selection(), schema)

    def surveyed(self) -> Stream:
        """The stream, after one pass over all groups.

        Raises
        ------
        DataError
            As `read_table`, but for repeated rows.
        """
        survey, origin, label = Survey(), Origin(self.name), self.selection.label
        modelled = [name for name in self.wanted if name != label]
        first: dict[str, Numbers] = {}
        for group in (g for g, size in enumerate(self.sizes) if size):
            table, place = self._table(group), self._origin(group)
            found = numbers({name: table[name] for name in modelled}, place)
            found = {name: declared(each, self.selection) for name, each in found.items()}
            first = first or found
            for name, each in found.items():
                if each.kind is not first[name].kind:
                    raise place.error(
                        f"column {name!r} holds {each.kind.value} numbers here and "
                        f"{first[name].kind.value} ones before. Write it with one type throughout."
                    )
                each.check_bounds(place)
            survey.add(np.column_stack([found[name].values for name in modelled]))
            if label is not None:
                cells = label_cells(table[label], place)
                survey.add_labels(label, as_texts(label, cells, place), origin)
        if survey.n < 2:
            raise origin.error(f"{survey.n} rows: a density needs two rows or more.")
        columns = tuple(
            Column(name, each.kind, each.low, each.high, float(low) if constant else None)
            for (name, each), low, constant in zip(
                first.items(), survey.low, survey.constant, strict=True
            )
        )
        notes = [NOT_LOOKED_FOR, *constant_note(columns, origin)]
        for column, whole, counting in zip(columns, survey.whole, survey.counting, strict=True):
            if column.constant is None:
                notes += odd_notes(column.name, column.kind, whole=whole, counting=counting)
        if label is None:
            schema, counts = TableSchema(columns), None
        else:
            before = self.names[: self.names.index(label)]
            position = sum(name in modelled for name in before)
            classes, more = label_of(label, survey.counts, origin, position)
            notes += more
            schema = TableSchema(columns, classes)
            counts = tuple(survey.counts[each] for each in classes.classes)
        return Stream(self, schema, counts, survey.digest(), tuple(notes))

    def _table(self, group: int) -> pa.Table:
        path, number, _ = self.places[group]
        return read_columns(path, list(self.names), MAX_GROUP_BYTES, number)

    def _origin(self, group: int) -> Origin:
        path, _, first = self.places[group]
        return Origin(str(path), first_row=first)
