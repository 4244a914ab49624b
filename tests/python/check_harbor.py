"""Loads task folders with Harbor's own loader: `check_harbor.py DIRECTORY...`.

Harbor wants a newer Python than Debian 12 has. Its models of tasks need only one name of it."""

import pathlib
import sys
import typing

if not hasattr(typing, "override"):
    typing.override = lambda function: function

from harbor.models.task.task import Task

folders = [path for directory in sys.argv[1:] for path in sorted(pathlib.Path(directory).iterdir())]
assert folders, "no folder was given"
for folder in folders:
    assert Task.is_valid_dir(folder), folder
    task = Task(folder)
    config = task.config
    assert config.schema_version == "1.4", config.schema_version
    assert config.task.name == "synthd/" + folder.name, config.task.name
    assert config.metadata["label"] == "shared-judge", config.metadata
    assert config.environment.network_mode.value == "no-network", config.environment
    if task.has_steps:
        for step in config.steps:
            assert task.step_instruction(step.name).strip(), step.name
            assert task.paths.discovered_step_solve_path_for(step.name, config.environment.os)
    else:
        assert task.instruction.strip()
        assert task.paths.discovered_solve_path_for(config.environment.os)
    assert task.paths.discovered_test_path_for(config.environment.os)
print("Harbor loads %d tasks" % len(folders))
