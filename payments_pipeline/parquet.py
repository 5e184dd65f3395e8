"""A Parquet file of rows that come one by one, however many. Needs the package pyarrow.

Belongs here: batches on disk, and one schema for all of them. Does not belong here: which rows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa  # type: ignore[import-untyped,import-not-found,unused-ignore]
import pyarrow.parquet as pq  # type: ignore[import-untyped,import-not-found,unused-ignore]

BATCH = 20_000


class Spool:
    """Collects rows; the file is there when the block ends well, and not touched otherwise.

    A batch knows its own types only (no value yet, amounts of two decimals): batches lie in a temporary file until
    the widest is known.
    """

    def __init__(self, file: Path, columns: Sequence[str]) -> None:
        self._file = file
        self._columns = columns
        self._rows: list[list[Any]] = []
        self._batches: list[Path] = []
        self._schema: Any = pa.schema([(name, pa.null()) for name in columns])
        self._folder = tempfile.TemporaryDirectory(dir=file.absolute().parent, prefix=".parquet-")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if kind is None:
                self._keep()
                self._finish()
        finally:
            self._folder.cleanup()

    def add(self, row: Mapping[str, Any]) -> None:
        """One row more."""
        self._rows.append([row[name] for name in self._columns])
        if len(self._rows) >= BATCH:
            self._keep()

    def _keep(self) -> None:
        columns = list(zip(*self._rows, strict=True)) if self._rows else [() for _ in self._columns]
        table = pa.table([_array(values) for values in columns], names=list(self._columns))
        self._schema = pa.unify_schemas([self._schema, table.schema], promote_options="permissive")
        path = Path(self._folder.name) / str(len(self._batches))
        with pa.OSFile(str(path), "wb") as out, pa.ipc.new_file(out, table.schema) as writer:
            writer.write_table(table)
        self._batches.append(path)
        self._rows.clear()

    def _finish(self) -> None:
        with pq.ParquetWriter(str(self._file), self._schema) as writer:
            for path in self._batches:
                with pa.memory_map(str(path)) as source:
                    writer.write_table(pa.ipc.open_file(source).read_all().cast(self._schema))


def _array(values: Sequence[Any]) -> Any:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):  # e.g. a UUID, or kinds that are mixed
        return pa.array([None if value is None else str(value) for value in values])
