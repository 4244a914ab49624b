"""Loads every export for OpenRLHF with its own datasets, and looks at the loss masks.

    python tests/python/check_openrlhf.py <directory of exports>

Each directory below has the name `<anything>.<format>`. The settings are those of `docs/exports.md`.
"""

from __future__ import annotations

import importlib.metadata
import sys
from types import SimpleNamespace

import trainer_tools as tools

from openrlhf.datasets import PromptDataset, RewardDataset, SFTDataset

FAMILIES = ("qwen2.5", "qwen3", "llama3", "mistral")


def strategy(**settings):
    data = SimpleNamespace(apply_chat_template=True, **settings)
    return SimpleNamespace(args=SimpleNamespace(data=data), is_rank_0=lambda: False)


def check_sft(report, path, family):
    """OpenRLHF predicts the next token: the mask of a token is that of its successor."""
    tokenizer = tools.make_tokenizer(family)
    rows = tools.lines_of(path)
    made = SFTDataset(
        tools.load_rows(path), tokenizer, 100_000, strategy(input_key="messages"), num_processors=None,
    )
    assert len(made) == len(rows), path
    for at, row in enumerate(rows):
        ids, _, mask = made[at]
        shifted = [0] + mask[0].tolist()[:-1]
        last = len(row["messages"]) - 1
        wanted = [(message, n == last) for n, message in enumerate(row["messages"])]
        tools.check_mask(report, f"{path} row {at}", family, tokenizer, ids[0].tolist(), shifted, wanted)


def check_prompts(report, path, family):
    tokenizer = tools.make_tokenizer(family)
    rows = tools.lines_of(path)
    settings = strategy(input_key="prompt", label_key="label")
    made = PromptDataset(tools.load_rows(path), tokenizer, settings)
    assert len(made) == len(rows), path
    for at, row in enumerate(rows):
        report.rows += 1
        source, prompt, label, _ = made[at]
        where = f"{path} row {at} ({family})"
        report.wants(where, (source, label) == (row["datasource"], row["label"]), "another source or label")
        report.wants(where, all(one["content"].strip() in prompt for one in row["prompt"]), "another prompt")


def check_rewards(report, path, family):
    """Pairs of whole texts. OpenRLHF gives the template no tools."""
    tokenizer = tools.make_tokenizer(family)
    rows = tools.lines_of(path)
    settings = strategy(prompt_key="prompt", chosen_key="chosen", rejected_key="rejected")
    made = RewardDataset(tools.load_rows(path), tokenizer, 100_000, settings, num_processors=None)
    assert len(made) == len(rows), path
    for at, row in enumerate(rows):
        chosen, chosen_mask, rejected, rejected_mask, margin = made[at]
        report.wants(f"{path} row {at}", abs(margin - row["margin"]) < 1e-6, "another margin")
        for name, ids, mask in (("chosen", chosen, chosen_mask), ("rejected", rejected, rejected_mask)):
            wanted = [(one, True) for one in row["prompt"] + row[name]]
            where = f"{path} row {at} {name}"
            tools.check_mask(report, where, family, tokenizer, ids[0].tolist(), mask[0].tolist(), wanted)


CHECKS = {
    "openrlhf": (check_sft, FAMILIES),
    "openrlhf-rl": (check_prompts, FAMILIES),
    "reward-model": (check_rewards, ("qwen2.5", "qwen3")),
}


def main(arguments):
    report = tools.Report()
    for style, (check, families) in CHECKS.items():
        for export in tools.exports_of(arguments, style):
            for path in tools.split_files(export):
                for family in families:
                    check(report, path, family)
    report.ends(f"OpenRLHF {importlib.metadata.version('openrlhf')}")


if __name__ == "__main__":
    main(sys.argv[1:])
