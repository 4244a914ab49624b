"""Loads a dataset version with the libraries its users have, and compares.

    python tests/python/check_dataset.py <version dir> <row.json> <schema.json>

The second file is one row as `synthd episode show --json` gives it; a document that holds it
under the key "row" is taken as well. The third is what `synthd schema <kind of row> --json` prints.
Checked with each of `datasets`, pandas, polars and duckdb: rows in each split against
metadata.json, the columns with their order and types against the schema, and the whole row,
value for value. Exit code 0 when all agree;
every difference is printed otherwise.
"""

from __future__ import annotations

import glob
import json
import math
import os
import sys
import tempfile
from decimal import Decimal

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"

import datasets
import duckdb
import pandas
import polars
import pyarrow
import pyarrow.parquet

SPLITS = ("train", "validation", "test")

class Words:
    """The types of the schema in the words of one library."""

    def __init__(self, text, int32, int64, float64, flag, money, many, record):
        self.text, self.int32, self.int64, self.float64 = text, int32, int64, float64
        self.flag, self.money, self.many, self.record = flag, money, many, record

    def of(self, schema):
        kind = schema["type"]
        kind = kind[0] if isinstance(kind, list) else kind
        if kind == "array":
            return self.many(self.of(schema["items"]))
        if kind == "object" and "properties" in schema:
            fields = schema["properties"]
            return self.record(list(fields), [self.of(field) for field in fields.values()])
        if kind == "integer":
            return {"int32": self.int32, "int64": self.int64}[schema["format"]]
        if kind == "string" and schema.get("format") == "decimal":
            return self.money
        # An object without fixed fields is JSON text in the files.
        return {"string": self.text, "object": self.text, "number": self.float64, "boolean": self.flag}[kind]

    def columns(self, schema):
        return [self.of(column) for column in schema["properties"].values()]


def datasets_words():
    value = datasets.Value
    return Words(
        value("string"), value("int32"), value("int64"), value("float64"), value("bool"),
        value("decimal128(38, 9)"), datasets.List, lambda names, types: dict(zip(names, types)),
    )  # fmt: skip


def polars_words():
    return Words(
        polars.String(), polars.Int32(), polars.Int64(), polars.Float64(), polars.Boolean(),
        polars.Decimal(38, 9), polars.List, lambda names, types: polars.Struct(dict(zip(names, types))),
    )  # fmt: skip


def duckdb_words():
    def record(names, types):
        return f"STRUCT({', '.join(f'{n} {t}' for n, t in zip(names, types))})"

    return Words(
        "VARCHAR", "INTEGER", "BIGINT", "DOUBLE", "BOOLEAN", "DECIMAL(38,9)", lambda t: f"{t}[]", record
    )


def pandas_words():
    """What pandas makes of each column: nested values and decimals are Python objects."""
    return Words("str", "int32", "int64", "float64", "bool", "object", lambda _: "object", lambda *_: "object")


def whole(schema, value):
    """A value of JSON with every field of the schema; what JSON leaves out is null."""
    if isinstance(value, dict) and "properties" in schema:
        return {name: whole(field, value.get(name)) for name, field in schema["properties"].items()}
    if isinstance(value, list):
        return [whole(schema["items"], item) for item in value]
    return value


def plain(value):
    """Python's own lists and dicts, whatever a library wraps them in."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if hasattr(value, "tolist") and not isinstance(value, (bytes, str)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


class Report:
    def __init__(self):
        self.differences = []
        self.checked = 0

    def same(self, where, found, wanted):
        self.checked += 1
        if found != wanted:
            self.differences.append(f"{where}: {found!r}, but {wanted!r} was wanted")

    def value(self, where, found, wanted):
        """`wanted` is JSON: money is text there, NaN is null, `enforced` is an object."""
        if where.endswith(".pass_rate") and wanted is None:
            # Known only once all samples are: the row that is shown alone has none.
            self.same(where, found is None or list(found) == ["tries", "solved", "low", "high"], True)
        elif where.endswith(".enforced"):
            self.same(where, type(found), str)
            self.same(where, json.loads(found), wanted)
        elif isinstance(wanted, dict):
            self.same(f"{where} keys", list(found), list(wanted))
            for key in wanted:
                self.value(f"{where}.{key}", found.get(key), wanted[key])
        elif isinstance(wanted, list):
            self.same(f"{where} length", len(found), len(wanted))
            for index, (one, other) in enumerate(zip(found, wanted)):
                self.value(f"{where}[{index}]", one, other)
        elif where.endswith(".cost_usd"):
            self.same(where, (type(found), found), (Decimal, Decimal(wanted)))
        elif isinstance(found, float):
            expected = math.nan if wanted is None else float(wanted)
            agree = found == expected or (math.isnan(found) and math.isnan(expected))
            self.same(f"{where} = {wanted!r}", agree, True)
        else:
            self.same(where, (type(found), found), (type(wanted), wanted))


def files_of(directory, split):
    whole = os.path.join(directory, f"{split}.parquet")
    return [whole] if os.path.exists(whole) else sorted(glob.glob(os.path.join(directory, f"{split}-*.parquet")))


def only(rows, wanted):
    """The row with the id of `wanted`: the id is its second column."""
    column = list(wanted)[1]
    found = [row for row in rows if row[column] == wanted[column]]
    if len(found) != 1:
        raise SystemExit(f"{len(found)} rows have the {column} {wanted[column]!r}")
    return plain(found[0])


def check_datasets(report, directory, counts, row, schema):
    names = list(schema["properties"])
    with tempfile.TemporaryDirectory() as cache:
        loaded = datasets.load_dataset(directory, cache_dir=cache)
        # It cannot read a split without rows, so the card does not list one.
        filled = [split for split in SPLITS if counts[split]]
        report.same("datasets: splits", list(loaded), filled)
        for split in filled:
            where = f"datasets: {split}"
            report.same(f"{where} rows", loaded[split].num_rows, counts[split])
            report.same(f"{where} columns", loaded[split].column_names, names)
            for name, kind in zip(names, datasets_words().columns(schema)):
                report.same(f"{where}.{name} type", loaded[split].features[name], kind)
        rows = (row_ for split in filled for row_ in loaded[split])
        report.value("datasets: row", only(rows, row), row)
        streamed = datasets.load_dataset(directory, cache_dir=cache, streaming=True)
        rows = (row_ for split in filled for row_ in streamed[split])
        report.value("datasets, streamed: row", only(rows, row), row)


def check_pandas(report, directory, counts, row, schema):
    names = list(schema["properties"])
    rows = []
    for split in SPLITS:
        where = f"pandas: {split}"
        frames = [pandas.read_parquet(path) for path in files_of(directory, split)]
        report.same(f"{where} rows", sum(len(frame) for frame in frames), counts[split])
        for frame in frames:
            report.same(f"{where} columns", list(frame.columns), names)
            for name, kind in zip(names, pandas_words().columns(schema)):
                # A column of whole numbers with nulls is one of floats.
                nulls = kind in ("int32", "int64") and frame[name].isna().any()
                report.same(f"{where}.{name} type", str(frame[name].dtype), "float64" if nulls else kind)
            rows += frame.to_dict("records")
    report.value("pandas: row", only(rows, row), row)


def check_polars(report, directory, counts, row, schema):
    names = list(schema["properties"])
    rows = []
    for split in SPLITS:
        where = f"polars: {split}"
        frame = polars.read_parquet(files_of(directory, split))
        report.same(f"{where} rows", frame.height, counts[split])
        report.same(f"{where} columns", frame.columns, names)
        for name, kind in zip(names, polars_words().columns(schema)):
            report.same(f"{where}.{name} type", frame.schema[name], kind)
        rows += frame.to_dicts()
    report.value("polars: row", only(rows, row), row)


def check_duckdb(report, directory, counts, row, schema):
    names = list(schema["properties"])
    rows = []
    for split in SPLITS:
        where = f"duckdb: {split}"
        table = duckdb.read_parquet(files_of(directory, split))
        report.same(f"{where} columns", table.columns, names)
        for name, found, kind in zip(names, table.types, duckdb_words().columns(schema)):
            # Only names that are words of SQL are quoted.
            report.same(f"{where}.{name} type", str(found).replace('"', ""), kind)
        fetched = table.fetchall()
        report.same(f"{where} rows", len(fetched), counts[split])
        rows += [dict(zip(names, values)) for values in fetched]
    report.value("duckdb: row", only(rows, row), row)


def check_plainness(report, directory):
    """No Arrow or Hugging Face schema inside: every reader works from Parquet's own types."""
    for split in SPLITS:
        for path in files_of(directory, split):
            notes = pyarrow.parquet.read_metadata(path).metadata or {}
            report.same(f"{os.path.basename(path)} notes", sorted(notes), [b"synthd.row_schema", b"synthd.version"])


def main(arguments):
    if len(arguments) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    directory = os.path.abspath(arguments[0])
    with open(arguments[1], encoding="utf-8") as file:
        row = json.load(file)
    with open(arguments[2], encoding="utf-8") as file:
        schema = json.load(file)
    row = whole(schema, row.get("row", row))
    with open(os.path.join(directory, "metadata.json"), encoding="utf-8") as file:
        metadata = json.load(file)
    counts = {split: metadata["splits"][split]["rows"] for split in SPLITS}
    report = Report()
    for check in (check_datasets, check_pandas, check_polars, check_duckdb):
        check(report, directory, counts, row, schema)
    check_plainness(report, directory)
    for difference in report.differences:
        print(difference)
    versions = ", ".join(f"{m.__name__} {m.__version__}" for m in (datasets, pandas, polars, duckdb, pyarrow))
    verdict = f"{len(report.differences)} differences" if report.differences else "all agree"
    print(f"{verdict} over {report.checked} comparisons of {sum(counts.values())} rows ({versions})")
    return 1 if report.differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
