"""Tokenises every export for the SFT trainer of prime-rl with the renderers that it uses.

    python tests/python/check_prime_rl.py <directory of exports>

Each directory below has the name `<anything>.prime-rl-sft`. prime-rl itself is not on PyPI; its package
`renderers` is, and makes the tokens and the loss mask. What comes before, decoding the text of arguments
and tools, is done here as prime-rl documents it.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys

import trainer_tools as tools

from renderers.base import build_training_sample
from renderers.qwen3 import Qwen3Renderer


def decoded(message):
    """A message without nulls, and with arguments that are objects."""
    message = {key: value for key, value in message.items() if value is not None}
    calls = [
        {**call, "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"])}}
        for call in message.pop("tool_calls", [])
    ]
    return {**message, "tool_calls": calls} if calls else message


def check_file(report, path):
    tokenizer = tools.make_tokenizer("qwen3")
    renderer = Qwen3Renderer(tokenizer)
    for at, (row, given) in enumerate(zip(tools.lines_of(path), tools.load_rows(path), strict=True)):
        made = build_training_sample(
            renderer, [decoded(message) for message in given["messages"]],
            role_to_mask=lambda message: message["role"] == "assistant",
            tools=json.loads(given["tools"]) if given.get("tools") else [],
        )
        ids, mask = list(made.token_ids), list(made.loss_mask)
        wanted = tools.replies_trained(row["messages"])
        tools.check_mask(report, f"{path} row {at}", "qwen3", tokenizer, ids, mask, wanted)


def main(arguments):
    report = tools.Report()
    for export in tools.exports_of(arguments, "prime-rl-sft"):
        for path in tools.split_files(export):
            check_file(report, path)
    report.ends(f"renderers {importlib.metadata.version('renderers')}")


if __name__ == "__main__":
    main(sys.argv[1:])
