"""Loads every export for SkyRL with its own dataset and its own tokenisation, and looks at the loss masks.

    python tests/python/check_skyrl.py <directory of exports>

Each directory below has the name `<anything>.<format>`. SkyRL's supervised trainer takes the format
`trl-sft`; its prompts for reinforcement learning are `skyrl`.
"""

from __future__ import annotations

import importlib.metadata
import sys

import trainer_tools as tools

from skyrl.train.config.sft_config import TrainOnWhat
from skyrl.train.dataset.dataset import PromptDataset
from skyrl.train.sft_trainer import collate_sft_batch, tokenize_chat_example

# SkyRL tokenises the replies apart, with the markers of these families.
FAMILIES = ("qwen2.5", "qwen3")


def check_sft(report, path, family):
    tokenizer = tools.make_tokenizer(family)
    rows, examples = tools.lines_of(path), []
    for at, (row, given) in enumerate(zip(rows, tools.load_rows(path), strict=True)):
        made = tokenize_chat_example(given, tokenizer, train_on_what=TrainOnWhat.ALL_ASSISTANT_MESSAGES)
        where = f"{path} row {at}"
        report.wants(where, made is not None, "SkyRL leaves it out")
        if made is None:
            continue
        examples.append(made)
        messages = list(row["messages"])
        # SkyRL takes away what follows the last reply.
        while messages[-1]["role"] == "tool":
            messages.pop()
        mask = [0] * (len(made["input_ids"]) - made["num_actions"]) + made["loss_mask"]
        tools.check_mask(report, where, family, tokenizer, made["input_ids"], mask, tools.replies_trained(messages))
    batch = collate_sft_batch(examples, tokenizer)
    report.wants(path, len(batch["sequences"]) == len(examples), "a row is not in the batch")


def check_rl(report, path, family):
    tokenizer = tools.make_tokenizer(family)
    dataset = PromptDataset([str(path)], tokenizer, max_prompt_length=100_000, num_workers=1)
    rows = tools.lines_of(path)
    assert len(dataset) == len(rows), f"{path}: {len(dataset)} prompts of {len(rows)}"
    batch = dataset.collate_fn([dataset[at] for at in range(len(rows))])
    for at, (row, made) in enumerate(zip(rows, batch)):
        report.rows += 1
        where = f"{path} row {at} ({family})"
        report.wants(where, made["prompt"] == row["prompt"], "another prompt")
        report.wants(where, made["env_class"] == row["env_class"], "another environment")
        report.wants(where, made["env_extras"]["reward_spec"] == row["reward_spec"], "another reward")
        report.wants(where, made["env_extras"]["data_source"] == row["data_source"], "another source")


def main(arguments):
    report = tools.Report()
    for style, check in (("trl-sft", check_sft), ("skyrl", check_rl)):
        for export in tools.exports_of(arguments, style):
            for path in tools.split_files(export):
                for family in FAMILIES:
                    check(report, path, family)
    report.ends(f"SkyRL {importlib.metadata.version('skyrl')}")


if __name__ == "__main__":
    main(sys.argv[1:])
