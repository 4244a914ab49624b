"""Loads every export for verl with its own datasets, and looks at the loss masks.

    python tests/python/check_verl.py <directory of exports>

Each directory below has the name `<anything>.verl-sft` or `<anything>.verl-rl`. Files become Parquet as
`docs/exports.md` says. Exit code 0 when each reply is trained on and nothing else, and when the prompts for
reinforcement learning have all their columns.
"""

from __future__ import annotations

import importlib.metadata
import pathlib
import sys
import tempfile

import trainer_tools as tools

import pandas
from omegaconf import OmegaConf
from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset
from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn

FAMILIES = ("qwen2.5", "qwen3")
# Templates that have no role `tool`.
PLAIN = ("chatml",)


def as_parquet(path):
    parquet = pathlib.Path(tempfile.mkdtemp()) / "rows.parquet"
    pandas.read_json(path, lines=True).to_parquet(parquet)
    return str(parquet)


def check_sft(report, path, family):
    tokenizer = tools.make_tokenizer(family)
    # verl tokenises message by message; templates of reasoning models write the last one differently.
    config = OmegaConf.create(
        {"max_length": 100_000, "pad_mode": "no_padding", "ignore_input_ids_mismatch": family == "qwen3"}
    )
    dataset = MultiTurnSFTDataset([as_parquet(path)], tokenizer, config)
    rows = tools.lines_of(path)
    assert len(dataset) == len(rows), path
    for at, row in enumerate(rows):
        made = dataset[at]
        wanted = tools.replies_trained(row["messages"])
        ids, mask = made["input_ids"].tolist(), made["loss_mask"].tolist()
        tools.check_mask(report, f"{path} row {at}", family, tokenizer, ids, mask, wanted)


def check_rl(report, path, family):
    tokenizer = tools.make_tokenizer(family)
    config = OmegaConf.create(
        {"max_prompt_length": 100_000, "return_raw_chat": True, "filter_overlong_prompts_workers": None,
         "cache_dir": tempfile.mkdtemp()}
    )
    dataset = RLHFDataset([as_parquet(path)], tokenizer, config)
    rows = tools.lines_of(path)
    assert len(dataset) == len(rows), f"{path}: {len(dataset)} prompts of {len(rows)}"
    for at, row in enumerate(rows):
        report.rows += 1
        made = dataset[at]
        where = f"{path} row {at} ({family})"
        report.wants(where, list(made["raw_prompt"]) == row["prompt"], "another prompt")
        for name in ("data_source", "ability", "reward_model"):
            report.wants(where, made[name] == row[name], f"another {name}")
        report.wants(where, made["index"] == row["extra_info"]["index"], "another index")
        text = tokenizer.apply_chat_template(made["raw_prompt"], add_generation_prompt=True, tokenize=False)
        report.wants(where, row["prompt"][-1]["content"].strip() in text, "the prompt is not in the text")
    report.wants(path, len(collate_fn([dataset[at] for at in range(len(rows))])["raw_prompt"]) == len(rows), "a batch")


def main(arguments):
    report = tools.Report()
    for export in tools.exports_of(arguments, "verl-sft"):
        for path in tools.split_files(export):
            has_tools = any("tools" in row for row in tools.lines_of(path))
            for family in FAMILIES if has_tools else FAMILIES + PLAIN:
                check_sft(report, path, family)
    for export in tools.exports_of(arguments, "verl-rl"):
        for path in tools.split_files(export):
            for family in FAMILIES:
                check_rl(report, path, family)
    report.ends(f"verl {importlib.metadata.version('verl')}")


if __name__ == "__main__":
    main(sys.argv[1:])
