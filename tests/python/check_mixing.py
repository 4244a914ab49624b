"""Loads datasets one after the other with one cache, as somebody who compares campaigns does.

    python tests/python/check_mixing.py <datasets dir> <campaign> <campaign>

Each campaign has a version `v1` with rows; the second has a `v2` as well. Only `datasets` and
its own dependencies are needed. Exit code 0 when every load gives the rows of the version that
was named, and when a directory of several versions is refused.
"""

import glob
import os
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"

import datasets
import pyarrow.parquet

SPLITS = ("train", "validation", "test")


def ids_of_files(version):
    """What the version's files hold, read without `datasets`."""
    found = {}
    for split in SPLITS:
        paths = glob.glob(os.path.join(version, f"{split}*.parquet"))
        rows = [pyarrow.parquet.read_table(path)["trajectory_id"].to_pylist() for path in sorted(paths)]
        found[split] = [row for part in rows for row in part]
    return found


def ids_of(loaded):
    return {split: rows["trajectory_id"][:] for split, rows in loaded.items()}


def filled(ids):
    return {split: rows for split, rows in ids.items() if rows}


def same(where, found, wanted):
    assert found == wanted, f"{where}: {found}, but {wanted} was wanted"


def check_version(version, cache):
    wanted = ids_of_files(version)
    loaded = datasets.load_dataset(version, cache_dir=cache)
    same(version, ids_of(loaded), filled(wanted))
    for split in SPLITS:
        if not wanted[split]:
            table = pyarrow.parquet.read_table(os.path.join(version, f"{split}.parquet"))
            empty = datasets.Dataset(table)
            same(f"{version}, {split}", empty.num_rows, 0)
            same(f"{version}, {split}", empty.features, next(iter(loaded.values())).features)


def check_parent(directory, names, cache):
    """`names` maps configurations to the directories of their versions."""
    for name, version in names.items():
        loaded = datasets.load_dataset(directory, name, cache_dir=cache)
        same(f"{directory}, {name}", ids_of(loaded), filled(ids_of_files(version)))
    if len(names) > 1:
        try:
            datasets.load_dataset(directory, cache_dir=cache)
        except ValueError as error:
            assert all(name in str(error) for name in names), error
        else:
            raise AssertionError(f"{directory} was loaded as if it were one dataset")


def main(arguments):
    root, first, second = arguments
    at = lambda campaign, version: os.path.join(root, campaign, version)
    with tempfile.TemporaryDirectory() as cache:
        for version in (at(first, "v1"), at(second, "v1"), at(second, "v2"), at(first, "v1")):
            check_version(version, cache)
        check_parent(os.path.join(root, first), {"v1": at(first, "v1")}, cache)
        check_parent(os.path.join(root, second), {v: at(second, v) for v in ("v1", "v2")}, cache)
        check_parent(
            root,
            {f"{first}-v1": at(first, "v1"), f"{second}-v2": at(second, "v2")},
            cache,
        )
    print(f"nothing is mixed (datasets {datasets.__version__}, pyarrow {pyarrow.__version__})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
