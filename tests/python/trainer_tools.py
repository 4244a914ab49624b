"""What the checks of trainers share: real chat templates, a tokenizer without a model, and the look at
what is trained on.

The templates are those that TRL and axolotl carry for models of others; they are read where
`SYNTHD_TEST_TRAINERS` has these packages. The tokenizer is made here: bytes, with the special tokens
of the template.
"""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import re
import sys

# Nothing is fetched, and nothing is told to anybody.
for name in (
    "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "HF_DATASETS_DISABLE_PROGRESS_BARS",
    "DO_NOT_TRACK", "AXOLOTL_DO_NOT_TRACK",
):
    os.environ[name] = "1"

TRL = "trl/trl/chat_templates"
AXOLOTL = "trl/axolotl/utils/chat_templates/templates"
# The file of each template, the token that begins a text, and the one that ends a turn.
TEMPLATES = {
    "qwen2.5": (f"{TRL}/qwen2_5.jinja", None, "<|im_end|>"),
    "qwen3": (f"{TRL}/qwen3.jinja", None, "<|im_end|>"),
    "llama3.1": (f"{TRL}/llama3_1.jinja", "<|begin_of_text|>", "<|eot_id|>"),
    "llama3": (f"{TRL}/llama3.jinja", "<|begin_of_text|>", "<|eot_id|>"),
    "gpt-oss": (f"{TRL}/gptoss.jinja", "<|startoftext|>", "<|return|>"),
    "mistral": (f"{AXOLOTL}/mistral_v7_tekken.jinja", "<s>", "</s>"),
    "chatml": (f"{AXOLOTL}/chatml.jinja", None, "<|im_end|>"),
}
# What templates have no words for: Llama 3 ignores calls, Llama 3.1 the text beside a call.
UNWRITTEN = {"llama3": "calls", "llama3.1": "text beside calls"}
SPECIAL = re.compile(r"<\|[a-z_0-9]+\|>|\[/?[A-Z_]+\]|</?s>|</?(?:tool_call|tool_response|think)>")
PAD = "<|pad|>"


def template_text(name):
    """The text of a template, as its package has it."""
    return (pathlib.Path(os.environ["SYNTHD_TEST_TRAINERS"]) / TEMPLATES[name][0]).read_text(encoding="utf-8")


def make_tokenizer(name):
    """A tokenizer of bytes with the special tokens and the text of a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    _, begin, end = TEMPLATES[name]
    text = template_text(name)
    special = sorted({PAD, "<|endoftext|>", end, *([begin] if begin else []), *SPECIAL.findall(text)})
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: at for at, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=begin, eos_token=end, pad_token=PAD)
    made.chat_template = text
    return made


def split_files(directory):
    """The files of an export, one a split."""
    return sorted(pathlib.Path(directory).glob("*.jsonl"))


def exports_of(arguments, style):
    """The directories of a format below the directory that was given."""
    found = sorted(pathlib.Path(arguments[0]).glob(f"*.{style}"))
    assert found, f"no export of {style}"
    return found


def lines_of(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def load_rows(path):
    """The rows as `datasets` gives them to a trainer."""
    import datasets

    return datasets.load_dataset("json", data_files={"train": str(path)})["train"]


class Report:
    """Counts what was looked at, and keeps what is wrong."""

    def __init__(self):
        self.wrong, self.rows = [], 0

    def wants(self, where, holds, what):
        if not holds:
            self.wrong.append(f"{where}: {what}")

    def ends(self, what):
        for line in self.wrong:
            print(line)
        if self.wrong or not self.rows:
            print(f"{len(self.wrong)} differences, {self.rows} rows")
            sys.exit(1)
        print(f"{what}: {self.rows} rows are trained on as they should be")


def strings_of(value):
    """Every text within a JSON value."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings_of(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings_of(item)]
    return [value] if isinstance(value, str) else []


def texts_of(message, family):
    """The texts of a message that a template writes, in its order."""
    calls = message.get("tool_calls") or []
    has_text = not (calls and UNWRITTEN.get(family) == "text beside calls")
    texts = [message.get("content") or ""] if has_text else []
    for call in calls if UNWRITTEN.get(family) != "calls" else []:
        arguments = call["function"]["arguments"]
        if isinstance(arguments, str):
            try:
                arguments = json.loads(arguments)
            except ValueError:
                arguments = {"": arguments}
        texts.extend(strings_of(arguments))
    return [text.strip() for text in texts if text.strip()]


def look_for(whole, text, start):
    """Where a text stands: as it is, as JSON, or as JSON within JSON."""
    once = json.dumps(text, ensure_ascii=False)[1:-1]
    twice = json.dumps(once, ensure_ascii=False)[1:-1]
    found = [(whole.find(form, start), form) for form in (text, once, twice)]
    found = [(at, len(form)) for at, form in found if at >= 0]
    return min(found) if found else None


def check_mask(report, where, family, tokenizer, ids, mask, messages):
    """Wants the texts of all messages, one after the other: `messages` has each with whether it is trained on."""
    report.rows += 1
    where = f"{where} ({family})"
    whole, trained = "", []
    for is_trained, run in itertools.groupby(zip(ids, mask), key=lambda pair: bool(pair[1])):
        text = tokenizer.decode([token for token, _ in run], skip_special_tokens=False)
        whole += text
        trained += [is_trained] * len(text)
    start = 0
    for at, (message, wanted) in enumerate(messages):
        for text in texts_of(message, family):
            found = look_for(whole, text, start)
            if found is None:
                report.wants(where, False, f"message {at} ({message['role']}) is missing: {text[:60]!r}")
                continue
            begin, start = found[0], found[0] + found[1]
            is_right = all(flag == wanted for flag in trained[begin:start])
            report.wants(where, is_right, f"message {at} ({message['role']}) should be {'' if wanted else 'un'}trained")
    report.wants(where, any(trained), "nothing is trained on")


def replies_trained(messages):
    """Each message with whether it is a reply."""
    return [(message, message["role"] == "assistant") for message in messages]


def tiny_model(tokenizer, is_judge=False):
    """A model of a real architecture with random weights, small enough for a step on a processor."""
    from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen2ForSequenceClassification

    config = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=8, intermediate_size=16, num_hidden_layers=1, num_attention_heads=1,
        num_key_value_heads=1, max_position_embeddings=32768, bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id, num_labels=1,
    )
    return Qwen2ForSequenceClassification(config) if is_judge else Qwen2ForCausalLM(config)
