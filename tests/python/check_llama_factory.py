"""Loads every export for LLaMA-Factory with its own loader, and looks at the labels.

    python tests/python/check_llama_factory.py <directory of exports>

Each directory below has the name `<anything>.llama-factory`. Its `dataset_info.json` names the files. The
templates are LLaMA-Factory's own. Exit code 0 when each reply has labels, and nothing else has.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import tempfile

import trainer_tools as tools

from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
from llamafactory.hparams import DataArguments, ModelArguments
from transformers import Seq2SeqTrainingArguments

# The template of LLaMA-Factory, and the family whose special tokens it has.
FAMILIES = {"qwen": "qwen2.5", "llama3": "llama3.1", "chatml": "chatml"}
# Templates that do not know the marks of calls.
PLAIN = {"mistral": "mistral"}


def messages_of(row):
    """The messages of a row, each with whether it is trained on."""
    messages = [({"role": "system", "content": row["system"]}, False)] if row["system"] else []
    for entry in row["conversations"]:
        role, value = entry["from"], entry["value"]
        if role != "function_call":
            messages.append(({"role": role, "content": value}, role == "gpt"))
            continue
        # Before calls stand what the model thought and the text beside the calls.
        text, _, calls = value.rpartition("\n<tool_call>")
        if not text:
            text, _, calls = value.rpartition("</think>\n\n")
        calls = json.loads(calls.removesuffix("</tool_call>"))
        calls = [{"function": call} for call in (calls if isinstance(calls, list) else [calls])]
        messages.append(({"role": role, "content": text, "tool_calls": calls}, True))
    return messages


def check_export(report, export, template_name):
    tokenizer = tools.make_tokenizer((FAMILIES | PLAIN)[template_name])
    training = Seq2SeqTrainingArguments(output_dir=tempfile.mkdtemp(), report_to="none", use_cpu=True, bf16=False)
    info = json.loads((export / "dataset_info.json").read_text(encoding="utf-8"))
    for name, entry in info.items():
        data = DataArguments(
            template=template_name, dataset=name, dataset_dir=str(export), cutoff_len=100_000, overwrite_cache=True,
        )
        template = get_template_and_fix_tokenizer(tokenizer, data)
        model = ModelArguments(model_name_or_path="none")
        loaded = get_dataset(template, model, data, training, stage="sft", tokenizer=tokenizer)["train_dataset"]
        rows = tools.lines_of(export / entry["file_name"])
        assert len(loaded) == len(rows), f"{export}: {len(loaded)} rows of {len(rows)}"
        for at, (row, made) in enumerate(zip(rows, loaded)):
            mask = [label != -100 for label in made["labels"]]
            where = f"{export} {name} row {at}"
            tools.check_mask(report, where, template_name, tokenizer, made["input_ids"], mask, messages_of(row))


def main(arguments):
    report = tools.Report()
    for export in tools.exports_of(arguments, "llama-factory"):
        has_tools = any(row["tools"] for path in tools.split_files(export) for row in tools.lines_of(path))
        for template_name in FAMILIES if has_tools else FAMILIES | PLAIN:
            check_export(report, export, template_name)
    report.ends(f"LLaMA-Factory {importlib.metadata.version('llamafactory')}")


if __name__ == "__main__":
    main(sys.argv[1:])
