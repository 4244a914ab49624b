"""Loads a dataset version with the libraries its users have, and compares.

    python tests/python/check_dataset.py <version dir> <row.json>

The second file is one row as `synthd episode show --json` gives it; a document that holds it
under the key "row" is taken as well. Checked with each of `datasets`, pandas, polars and
duckdb: rows in each split against metadata.json, the columns with their order and types
against the tables below, and the whole row, value for value. Exit code 0 when all agree;
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

COLUMNS = [
    "schema_version", "trajectory_id", "campaign", "task_id", "template",
    "template_digest", "task_seed", "task_instruction", "category", "difficulty", "llm_model",
    "llm_provider", "scaffold",
    "sampling", "prompt_digest", "sample", "sandbox", "trajectory", "final_result",
    "total_reward", "verification", "pass_rate", "labels",
    "execution_time_seconds", "total_tokens", "cost_usd", "attempt", "canary", "created_at",
]  # fmt: skip

STEP = [
    "step", "state", "action", "observation", "reward", "reasoning", "return_to_go", "done",
    "error", "exit_code", "truncated", "input_tokens", "output_tokens", "cost_usd", "duration_ms",
    "model_ms",
]  # fmt: skip

SANDBOX = ["backend", "root", "kernel", "shell", "enforced"]


def shape(s, i32, i64, f64, flag, money, many, record):
    """The canonical row in the words of one library."""
    step_types = [
        i32, record(["cwd", "files"], [s, many(s)]), record(["type", "tool", "arguments"], [s] * 3),
        s, f64, s, f64, flag, s, i32, flag, i64, i64, money, i64, i64,
    ]  # fmt: skip
    check = record(["name", "weight", "passed"], [s, f64, flag])
    verification = record(["score", "passed", "checks"], [f64, flag, many(check)])
    rate = record(["tries", "solved", "low", "high"], [i32, i32, f64, f64])
    return [
        s, s, s, s, s, s, i64, s, s, s, s, s, s, s, s, i32, record(SANDBOX, [s] * 5),
        many(record(STEP, step_types)), s, f64, verification, rate, many(s), f64, i64, money, i32,
        s, s,
    ]  # fmt: skip


def datasets_types():
    value = datasets.Value
    return shape(
        value("string"), value("int32"), value("int64"), value("float64"), value("bool"),
        value("decimal128(38, 9)"), datasets.List, lambda names, types: dict(zip(names, types)),
    )  # fmt: skip


def polars_types():
    return shape(
        polars.String(), polars.Int32(), polars.Int64(), polars.Float64(), polars.Boolean(),
        polars.Decimal(38, 9), polars.List, lambda names, types: polars.Struct(dict(zip(names, types))),
    )  # fmt: skip


def duckdb_types():
    def record(names, types):
        return f"STRUCT({', '.join(f'{n} {t}' for n, t in zip(names, types))})"

    return shape(
        "VARCHAR", "INTEGER", "BIGINT", "DOUBLE", "BOOLEAN", "DECIMAL(38,9)", lambda t: f"{t}[]", record
    )


# What pandas makes of each column: nested values and decimals are Python objects.
PANDAS_TYPES = ["str"] * 6 + ["int64"] + ["str"] * 8 + ["int32"] + [
    "object", "object", "str", "float64", "object", "object", "object", "float64", "int64",
    "object", "int32", "str", "str",
]  # fmt: skip


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


def only(rows, identity):
    found = [row for row in rows if row["trajectory_id"] == identity]
    if len(found) != 1:
        raise SystemExit(f"{len(found)} rows have the trajectory_id {identity!r}")
    return plain(found[0])


def check_datasets(report, directory, counts, row):
    with tempfile.TemporaryDirectory() as cache:
        loaded = datasets.load_dataset(directory, cache_dir=cache)
        # It cannot read a split without rows, so the card does not list one.
        filled = [split for split in SPLITS if counts[split]]
        report.same("datasets: splits", list(loaded), filled)
        for split in filled:
            where = f"datasets: {split}"
            report.same(f"{where} rows", loaded[split].num_rows, counts[split])
            report.same(f"{where} columns", loaded[split].column_names, COLUMNS)
            for name, kind in zip(COLUMNS, datasets_types()):
                report.same(f"{where}.{name} type", loaded[split].features[name], kind)
        rows = (row_ for split in filled for row_ in loaded[split])
        report.value("datasets: row", only(rows, row["trajectory_id"]), row)
        streamed = datasets.load_dataset(directory, cache_dir=cache, streaming=True)
        rows = (row_ for split in filled for row_ in streamed[split])
        report.value("datasets, streamed: row", only(rows, row["trajectory_id"]), row)


def check_pandas(report, directory, counts, row):
    rows = []
    for split in SPLITS:
        where = f"pandas: {split}"
        frames = [pandas.read_parquet(path) for path in files_of(directory, split)]
        report.same(f"{where} rows", sum(len(frame) for frame in frames), counts[split])
        for frame in frames:
            report.same(f"{where} columns", list(frame.columns), COLUMNS)
            report.same(f"{where} types", [str(kind) for kind in frame.dtypes], PANDAS_TYPES)
            rows += frame.to_dict("records")
    report.value("pandas: row", only(rows, row["trajectory_id"]), row)


def check_polars(report, directory, counts, row):
    rows = []
    for split in SPLITS:
        where = f"polars: {split}"
        frame = polars.read_parquet(files_of(directory, split))
        report.same(f"{where} rows", frame.height, counts[split])
        report.same(f"{where} columns", frame.columns, COLUMNS)
        for name, kind in zip(COLUMNS, polars_types()):
            report.same(f"{where}.{name} type", frame.schema[name], kind)
        rows += frame.to_dicts()
    report.value("polars: row", only(rows, row["trajectory_id"]), row)


def check_duckdb(report, directory, counts, row):
    rows = []
    for split in SPLITS:
        where = f"duckdb: {split}"
        table = duckdb.read_parquet(files_of(directory, split))
        report.same(f"{where} columns", table.columns, COLUMNS)
        for name, found, kind in zip(COLUMNS, table.types, duckdb_types()):
            # Only names that are words of SQL are quoted.
            report.same(f"{where}.{name} type", str(found).replace('"', ""), kind)
        fetched = table.fetchall()
        report.same(f"{where} rows", len(fetched), counts[split])
        rows += [dict(zip(COLUMNS, values)) for values in fetched]
    report.value("duckdb: row", only(rows, row["trajectory_id"]), row)


def check_plainness(report, directory):
    """No Arrow or Hugging Face schema inside: every reader works from Parquet's own types."""
    for split in SPLITS:
        for path in files_of(directory, split):
            notes = pyarrow.parquet.read_metadata(path).metadata or {}
            report.same(f"{os.path.basename(path)} notes", sorted(notes), [b"synthd.row_schema", b"synthd.version"])


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    directory = os.path.abspath(arguments[0])
    with open(arguments[1], encoding="utf-8") as file:
        row = json.load(file)
    row = row.get("row", row)
    with open(os.path.join(directory, "metadata.json"), encoding="utf-8") as file:
        metadata = json.load(file)
    counts = {split: metadata["splits"][split]["rows"] for split in SPLITS}
    report = Report()
    report.same("row.json keys", list(row), COLUMNS)
    for check in (check_datasets, check_pandas, check_polars, check_duckdb):
        check(report, directory, counts, row)
    check_plainness(report, directory)
    for difference in report.differences:
        print(difference)
    versions = ", ".join(f"{m.__name__} {m.__version__}" for m in (datasets, pandas, polars, duckdb, pyarrow))
    verdict = f"{len(report.differences)} differences" if report.differences else "all agree"
    print(f"{verdict} over {report.checked} comparisons of {sum(counts.values())} rows ({versions})")
    return 1 if report.differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
