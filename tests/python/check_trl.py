"""Trains with TRL on every export for it, and looks at what each token is worth.

    python tests/python/check_trl.py <directory of exports>

Each directory below has the name `<anything>.<format>`. TRL's own trainers read the files, apply the
chat template of a model family, tokenise and mask. For each format, a model with random weights then
makes one step.
"""

from __future__ import annotations

import sys
import tempfile

import trainer_tools as tools

import trl
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, RewardConfig, RewardTrainer, SFTConfig, SFTTrainer

COMMON = {
    "report_to": "none", "use_cpu": True, "max_steps": 1, "save_strategy": "no", "disable_tqdm": True,
    "per_device_train_batch_size": 1, "max_length": None, "bf16": False, "gradient_checkpointing": False,
}


def options(kind, **own):
    return kind(output_dir=tempfile.mkdtemp(), **{**COMMON, **own})


def check_sft(report, path, family, with_step):
    """Whole conversations: each reply is trained on, and nothing else."""
    tokenizer = tools.make_tokenizer(family)
    rows = tools.lines_of(path)
    is_split = "prompt" in rows[0]
    trainer = SFTTrainer(
        model=tools.tiny_model(tokenizer), processing_class=tokenizer, train_dataset=tools.load_rows(path),
        args=options(SFTConfig, assistant_only_loss=True),
    )
    assert len(trainer.train_dataset) == len(rows), path
    for at, (made, row) in enumerate(zip(trainer.train_dataset, rows)):
        batch = trainer.data_collator([made])
        mask = (batch["labels"][0] != -100).tolist()
        messages = row["prompt"] + row["completion"] if is_split else row["messages"]
        first = len(row["prompt"]) if is_split else 0
        wanted = [(one, one["role"] == "assistant" and n >= first) for n, one in enumerate(messages)]
        tools.check_mask(report, f"{path} row {at}", family, tokenizer, batch["input_ids"][0].tolist(), mask, wanted)
    if with_step:
        makes_step(report, path, trainer)


def makes_step(report, path, trainer):
    steps = trainer.train().global_step
    report.wants(path, steps == 1, f"{steps} steps were made")


def check_pairs(report, path, family, with_step):
    """A prompt and two completions: all of the completions counts, what tools answered too."""
    tokenizer = tools.make_tokenizer(family)
    rows = tools.lines_of(path)
    trainer = DPOTrainer(
        model=tools.tiny_model(tokenizer), ref_model=tools.tiny_model(tokenizer), processing_class=tokenizer,
        train_dataset=tools.load_rows(path), args=options(DPOConfig),
    )
    assert len(trainer.train_dataset) == len(rows), path
    for at, (made, row) in enumerate(zip(trainer.train_dataset, rows)):
        batch = trainer.data_collator([made])
        for side, name in enumerate(("chosen", "rejected")):
            ids, mask = batch["input_ids"][side].tolist(), batch["completion_mask"][side].tolist()
            wanted = [(one, False) for one in row["prompt"]] + [(one, True) for one in row[name]]
            tools.check_mask(report, f"{path} row {at} {name}", family, tokenizer, ids, mask, wanted)
    if with_step:
        makes_step(report, path, trainer)


def check_labels(report, path, family, with_step):
    """A prompt, a completion and whether it is wanted."""
    tokenizer = tools.make_tokenizer(family)
    rows = tools.lines_of(path)
    trainer = KTOTrainer(
        model=tools.tiny_model(tokenizer), ref_model=tools.tiny_model(tokenizer), processing_class=tokenizer,
        train_dataset=tools.load_rows(path), args=options(KTOConfig, per_device_train_batch_size=2),
    )
    assert len(trainer.train_dataset) == len(rows), path
    for at, (made, row) in enumerate(zip(trainer.train_dataset, rows)):
        batch = trainer.data_collator([made])
        report.wants(f"{path} row {at}", batch["label"].tolist() == [row["label"]], "another label")
        ids, mask = batch["input_ids"][0].tolist(), batch["completion_mask"][0].tolist()
        wanted = [(one, False) for one in row["prompt"]] + [(one, True) for one in row["completion"]]
        tools.check_mask(report, f"{path} row {at}", family, tokenizer, ids, mask, wanted)
    if with_step:
        makes_step(report, path, trainer)


def check_rewards(report, path, family, with_step):
    """Two whole texts and how far they are apart. Nothing is masked: one number is learned of each."""
    tokenizer = tools.make_tokenizer(family)
    rows = tools.lines_of(path)
    trainer = RewardTrainer(
        model=tools.tiny_model(tokenizer, is_judge=True), processing_class=tokenizer,
        train_dataset=tools.load_rows(path), args=options(RewardConfig),
    )
    assert len(trainer.train_dataset) == len(rows), path
    for at, (made, row) in enumerate(zip(trainer.train_dataset, rows)):
        batch = trainer.data_collator([made])
        report.wants(f"{path} row {at}", abs(batch["margin"].tolist()[0] - row["margin"]) < 1e-6, "another margin")
        for side, name in enumerate(("chosen", "rejected")):
            ids, mask = batch["input_ids"][side].tolist(), batch["attention_mask"][side].tolist()
            wanted = [(one, True) for one in row["prompt"] + row[name]]
            tools.check_mask(report, f"{path} row {at} {name}", family, tokenizer, ids, mask, wanted)
    if with_step:
        makes_step(report, path, trainer)


CHECKS = {
    "trl-sft": (check_sft, ("qwen3", "llama3", "gpt-oss")),
    "trl-prompt-completion": (check_sft, ("qwen2.5", "gpt-oss")),
    "trl-preference": (check_pairs, ("qwen3", "llama3.1")),
    "trl-kto": (check_labels, ("qwen3", "llama3.1")),
    "reward-model": (check_rewards, ("qwen3", "llama3.1")),
}


def main(arguments):
    report, stepped = tools.Report(), set()
    for style, (check, families) in CHECKS.items():
        for export in tools.exports_of(arguments, style):
            for path in tools.split_files(export):
                for family in families:
                    # One step a format is enough, and the slowest part.
                    with_step = style not in stepped
                    stepped.add(style)
                    check(report, path, family, with_step)
    report.ends(f"TRL {trl.__version__}")


if __name__ == "__main__":
    main(sys.argv[1:])
