"""Reads documents of ATIF with Harbor's own models: `check_atif.py DIRECTORY...`.

Each directory was written by `synthd dataset export --to atif`. Harbor wants a newer Python than Debian
12 has. Its models of trajectories need only one name of it."""

import json
import pathlib
import sys
import typing

if not hasattr(typing, "override"):
    typing.override = lambda function: function

from harbor.models.trajectories import Trajectory

count = 0
for directory in sys.argv[1:]:
    for path in sorted(pathlib.Path(directory).glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").strip("\n").split("\n"):
            document = Trajectory(**json.loads(line))
            assert document.schema_version == "ATIF-v1.8", document.schema_version
            assert document.final_metrics.total_steps == len(document.steps), path
            # What is read is what was written: nothing is dropped or made another type.
            assert document.to_json_dict() == json.loads(line), path
            count += 1
print("Harbor reads %d documents" % count)
