"""Loads each table of a published version with `datasets`, and looks at the Parquet files.

The directory of the version is the only argument.
"""

import json
import sys
from pathlib import Path

import datasets
import pyarrow.parquet

version = Path(sys.argv[1])
tables = {"trajectories": 10, "sft": 8, "preferences": 6}

assert set(datasets.get_dataset_config_names(str(version))) == set(tables)
for table, rows in tables.items():
    splits = datasets.load_dataset(str(version), table)
    assert sum(len(split) for split in splits.values()) == rows, (table, splits)
    for file in (version / table).glob("*.parquet"):
        group = pyarrow.parquet.ParquetFile(file).metadata.row_group(0)
        assert group.column(0).has_offset_index and group.column(0).has_column_index, file

for row in datasets.load_dataset(str(version), "sft", split="train"):
    assert isinstance(json.loads(row["tools"]), list)
    calls = [call for message in row["messages"] for call in message["tool_calls"] or []]
    assert all(isinstance(json.loads(call["function"]["arguments"]), dict) for call in calls)
    assert [message["role"] for message in row["messages"]][-1] in ("tool", "user", "assistant")

for row in datasets.load_dataset(str(version), "preferences", split="train"):
    assert row["chosen"] != row["rejected"] and row["prompt"]

print(f"{len(tables)} tables agree")
