"""Tokenises every export for axolotl with its strategy `chat_template`, and looks at the labels.

    python tests/python/check_axolotl.py <directory of exports>

Each directory below has the name `<anything>.axolotl`. The settings are those of `docs/exports.md`. Exit
code 0 when the replies of the row's model have labels, and nothing else has.
"""

from __future__ import annotations

import importlib.metadata
import sys

import trainer_tools as tools

from axolotl.prompt_strategies.chat_template import load
from axolotl.utils.dict import DictDefault

FAMILIES = ("qwen3", "qwen2.5", "llama3.1")
# Two templates have no role `tool`. That of gpt-oss wants the call before a result, and axolotl finds
# turns by leaving calls out.
PLAIN = ("mistral", "chatml", "gpt-oss")


def check_file(report, path, family):
    tokenizer = tools.make_tokenizer(family)
    settings = DictDefault({"sequence_len": 100_000, "train_on_inputs": False, "chat_template": "tokenizer_default"})
    data = {"type": "chat_template", "message_field_training": "train", "train_on_eos": "turn"}
    strategy = load(tokenizer, settings, DictDefault(data))
    rows, loaded = tools.lines_of(path), tools.load_rows(path)
    assert len(rows) == len(loaded), path
    for at, (row, given) in enumerate(zip(rows, loaded)):
        made = strategy.tokenize_prompt(given)
        mask = [label != -100 for label in made["labels"]]
        wanted = [(message, message["train"]) for message in row["messages"]]
        tools.check_mask(report, f"{path} row {at}", family, tokenizer, made["input_ids"], mask, wanted)


def main(arguments):
    report = tools.Report()
    for export in tools.exports_of(arguments, "axolotl"):
        for path in tools.split_files(export):
            has_tools = any("tools" in row for row in tools.lines_of(path))
            for family in FAMILIES if has_tools else FAMILIES + PLAIN:
                check_file(report, path, family)
    report.ends(f"axolotl {importlib.metadata.version('axolotl')}")


if __name__ == "__main__":
    main(sys.argv[1:])
