"""Loads every export below a directory with `datasets`, and compares columns and types with what the
trainers document.

    python tests/python/check_exports.py <directory of exports>

Each directory below has the name `<anything>.<format>` and was written by `synthd dataset export`.
`check_trl.py` and others load them with the trainers' own code. Exit code 0 when each export has the
documented columns, and when every row that `datasets` gives is the row of the file; every difference is
printed otherwise.
"""

from __future__ import annotations

import datetime
import glob
import hashlib
import json
import os
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"

import datasets

# The columns of each format: those that every row has, and those that a row may have. A column of
# text is "text", of a truth value "flag"; the others name a check below.
COLUMNS = {
    "trl-sft": ({"messages": "dict"}, {"tools": "text"}),
    "trl-prompt-completion": ({"prompt": "dict", "completion": "dict"}, {"tools": "text"}),
    "trl-preference": ({"prompt": "dict", "chosen": "dict", "rejected": "dict"}, {"tools": "text"}),
    "trl-kto": ({"prompt": "dict", "completion": "dict", "label": "flag"}, {"tools": "text"}),
    "openai-ft": ({"messages": "text-arguments"}, {"tools": "list"}),
    "axolotl": ({"messages": "text-arguments"}, {"tools": "text"}),
    "verl-sft": ({"messages": "dict"}, {"tools": "list"}),
    "openrlhf": ({"messages": "dict"}, {}),
    "prime-rl-sft": ({"messages": "text-arguments"}, {"tools": "text"}),
    "verl-rl": (
        {"data_source": "text", "prompt": "dict", "ability": "text", "reward_model": "rule", "extra_info": "info"},
        {},
    ),
    "skyrl": (
        {"data_source": "text", "prompt": "dict", "env_class": "text", "reward_spec": "rule", "extra_info": "info"},
        {},
    ),
    "prime-rl": ({"prompt": "dict", "info": "text"}, {"answer": "text"}),
    "openrlhf-rl": ({"prompt": "dict", "label": "text", "datasource": "text"}, {}),
    "trl-stepwise": ({"prompt": "text", "completions": "texts", "labels": "flags"}, {}),
    "step-reward": (
        {"messages": "dict", "replies": "numbers", "rewards": "numbers", "returns": "numbers", "errors": "flags"},
        {"tools": "text"},
    ),
    "reward-model": (
        {
            "prompt": "dict",
            "chosen": "dict",
            "rejected": "dict",
            "margin": "number",
            "score_chosen": "number",
            "score_rejected": "number",
        },
        {"tools": "text"},
    ),
    "best-of-n": (
        {"prompt": "dict", "completions": "tries", "scores": "numbers", "solved": "flags"},
        {"tools": "text"},
    ),
    "sharegpt": ({"conversations": "share"}, {"tools": "text"}),
    "llama-factory": ({"conversations": "share", "system": "text", "tools": "text"}, {}),
}
ROLES = {"system", "user", "assistant", "tool"}
KEYS = {"role", "content", "reasoning_content", "tool_calls", "tool_call_id", "name", "weight", "train"}
# What a list of values has.
ITEMS = {"texts": str, "flags": bool, "numbers": (int, float)}
SHARES = {"system", "human", "gpt", "function_call", "observation"}


class Report:
    def __init__(self):
        self.differences = []

    def wants(self, where, holds, what):
        if not holds:
            self.differences.append(f"{where}: {what}")


def without_nulls(value):
    """`datasets` fills keys that a row lacks with null, and reads some texts as times."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def same(found, wanted):
    if isinstance(found, (datetime.datetime, datetime.date)):
        return isinstance(wanted, str) and wanted.startswith(found.strftime("%Y-%m-%d"))
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(same(found[key], wanted[key]) for key in found)
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(same, found, wanted))
    return type(found) is type(wanted) and found == wanted


def check_calls(report, where, message, kind):
    calls = message["tool_calls"]
    report.wants(where, message["role"] == "assistant" and calls, "calls of nobody")
    for call in calls:
        report.wants(where, set(call) == {"id", "type", "function"}, f"a call has {sorted(call)}")
        report.wants(where, call["type"] == "function", "a call is no function")
        function = call["function"]
        report.wants(where, set(function) == {"name", "arguments"}, f"a function has {sorted(function)}")
        wanted = dict if kind == "dict" else str
        found = type(function["arguments"])
        report.wants(where, found is wanted, f"arguments are {found.__name__}, not {wanted.__name__}")


def check_messages(report, where, messages, kind):
    report.wants(where, messages, "no message")
    for message in messages:
        report.wants(where, message.get("role") in ROLES, f"the role {message.get('role')!r}")
        report.wants(where, isinstance(message.get("content"), str), "a message without text")
        report.wants(where, set(message) <= KEYS, f"a message has {sorted(set(message) - KEYS)}")
        if "tool_calls" in message:
            check_calls(report, where, message, kind)


def check_share(report, where, entries):
    for entry in entries:
        report.wants(where, set(entry) == {"from", "value"}, f"an entry has {sorted(entry)}")
        report.wants(where, entry["from"] in SHARES, f"an entry is from {entry['from']!r}")
        if entry["from"] == "function_call":
            # LLaMA-Factory takes text before calls that stand between marks.
            calls = entry["value"].split("</think>\n\n")[-1].split("\n<tool_call>")[-1]
            calls = json.loads(calls.removesuffix("</tool_call>"))
            for call in calls if isinstance(calls, list) else [calls]:
                report.wants(where, set(call) == {"name", "arguments"}, f"a call has {sorted(call)}")
                report.wants(where, isinstance(call["arguments"], dict), "arguments are no object")


def check_value(report, where, value, kind):
    if kind == "text":
        report.wants(where, isinstance(value, str), "it is no text")
    elif kind == "flag":
        report.wants(where, isinstance(value, bool), "it is neither true nor false")
    elif kind == "list":
        report.wants(where, isinstance(value, list) and value, "it is no list")
    elif kind == "number":
        report.wants(where, isinstance(value, (int, float)), "it is no number")
    elif kind in ITEMS:
        report.wants(where, value and all(isinstance(one, ITEMS[kind]) for one in value), f"it has no {kind}")
    elif kind == "tries":
        report.wants(where, len(value) > 1, "it has one try")
        for messages in value:
            check_messages(report, where, messages, "dict")
    elif kind == "rule":
        report.wants(where, value.get("style", value.get("method")) == "rule", f"it has {sorted(value)}")
        report.wants(where, isinstance(json.loads(value["ground_truth"]), dict), "the truth is no object")
    elif kind == "info":
        report.wants(where, {"split", "index", "row", "task"} <= set(value), f"it has {sorted(value)}")
        report.wants(where, isinstance(value["index"], int), "the index is no number")
    elif kind == "share":
        check_share(report, where, value)
    else:
        check_messages(report, where, value, kind)


def check_rules(report, where, style, row):
    """What a trainer wants beyond the columns."""
    if style == "openai-ft":
        messages = row["messages"]
        report.wants(where, messages[-1]["role"] == "assistant", "the last message is no reply")
        for message in messages:
            named = message["role"] != "tool" or message.get("tool_call_id")
            report.wants(where, named, "a result without a call")
            report.wants(where, message.get("weight", 0) in (0, 1), "an odd weight")
    if style == "llama-factory":
        turns = [entry["from"] in ("gpt", "function_call") for entry in row["conversations"]]
        wanted = [at % 2 == 1 for at in range(len(turns))]
        report.wants(where, turns == wanted and len(turns) % 2 == 0, "no turns")
    if style == "trl-preference":
        report.wants(where, row["chosen"] != row["rejected"], "both are the same")
    if style in ("prime-rl", "openrlhf-rl"):
        stated = json.loads(row["info" if style == "prime-rl" else "label"])
        report.wants(where, isinstance(stated, dict), "what is stated is no object")
    if style == "prime-rl":
        report.wants(where, {"ground_truth", "extra_info"} <= set(stated), f"the info has {sorted(stated)}")
    if style == "trl-stepwise":
        report.wants(where, len(row["completions"]) == len(row["labels"]), "a step without a label")
    if style == "step-reward":
        counts = {len(row[name]) for name in ("replies", "rewards", "returns", "errors")}
        report.wants(where, len(counts) == 1, "a reply without a reward")
        roles = {row["messages"][at]["role"] for at in row["replies"]}
        report.wants(where, roles == {"assistant"}, f"replies are of {sorted(roles)}")
    if style == "best-of-n":
        counts = {len(row[name]) for name in ("completions", "scores", "solved")}
        report.wants(where, len(counts) == 1, "a try without a score")
        ranks = list(zip(row["solved"], row["scores"]))
        report.wants(where, ranks == sorted(ranks, reverse=True), "the best is not first")
    if style.startswith("trl") and "tools" in row:
        report.wants(where, isinstance(json.loads(row["tools"]), list), "tools are no list")


def check_file(report, style, path):
    where = "/".join(path.split(os.sep)[-2:])
    with open(path, encoding="utf-8") as file:
        wanted = [without_nulls(json.loads(line)) for line in file]
    with tempfile.TemporaryDirectory() as cache:
        loaded = datasets.load_dataset("json", data_files={"train": path}, cache_dir=cache)["train"]
        found = [without_nulls(row) for row in loaded]
    report.wants(where, len(found) == len(wanted) > 0, f"{len(found)} rows of {len(wanted)}")
    for at, (row, line) in enumerate(zip(found, wanted)):
        report.wants(f"{where}:{at + 1}", same(row, line), "datasets gives another row")
    if style == "jsonl":
        return
    must, may = COLUMNS[style]
    columns = set(loaded.column_names)
    report.wants(where, set(must) <= columns <= set(must) | set(may), f"the columns are {sorted(columns)}")
    for at, row in enumerate(wanted):
        for name, kind in {**must, **may}.items():
            if name in row or name in must:
                check_value(report, f"{where}:{at + 1} {name}", row.get(name), kind)
        check_rules(report, f"{where}:{at + 1}", style, row)


def check_trace(report, path):
    """A file of `hf-traces`, as the Hub documents it: a session, then messages."""
    where = "/".join(path.split(os.sep)[-2:])
    with open(path, encoding="utf-8") as file:
        session, *messages = [json.loads(line) for line in file]
    report.wants(where, session["type"] == "session" and session["harness"] and session["id"], "no session")
    report.wants(where, messages, "no message")
    made = set()
    for line in messages:
        report.wants(where, line["type"] == "message", f"a line is a {line['type']}")
        message = line["message"]
        report.wants(where, message["role"] in ROLES, f"the role {message['role']!r}")
        report.wants(where, isinstance(message["content"], str), "a message without text")
        for call in message.get("toolCalls", []):
            made.add(call["id"])
            report.wants(where, isinstance(call["function"]["arguments"], str), "arguments are no text")
        if "toolCallId" in message:
            report.wants(where, message["toolCallId"] in made, "a result without a call")


def check_spans(report, where, line):
    """A line of `otel`: OTLP JSON with the attributes that the conventions for generative AI ask for."""
    scope = line["resourceSpans"][0]["scopeSpans"][0]
    root, *others = scope["spans"]
    report.wants(where, "parentSpanId" not in root, "the first span has a parent")
    for span in scope["spans"]:
        report.wants(where, len(span["traceId"]) == 32 and len(span["spanId"]) == 16, "an odd id")
        report.wants(where, span["traceId"] == root["traceId"], "a span of another trace")
        report.wants(where, int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]), "odd times")
        values = {one["key"]: one["value"] for one in span["attributes"]}
        report.wants(where, len(values) == len(span["attributes"]), "an attribute twice")
        operation = values["gen_ai.operation.name"]["stringValue"]
        wanted = {
            "invoke_agent": ["gen_ai.agent.name", "gen_ai.provider.name"],
            "chat": ["gen_ai.provider.name", "gen_ai.request.model", "gen_ai.output.messages"],
            "execute_tool": ["gen_ai.tool.name"],
        }[operation]
        report.wants(where, set(wanted) <= set(values), f"{operation} lacks one of {wanted}")
        for name in ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.definitions"):
            if name in values:
                entries = json.loads(values[name]["stringValue"])
                keys = {"type", "name"} if name == "gen_ai.tool.definitions" else {"role", "parts"}
                report.wants(where, all(keys <= set(entry) for entry in entries), f"{name} lacks keys")
    ids = {span["spanId"] for span in scope["spans"]}
    report.wants(where, len(ids) == len(scope["spans"]), "two spans have one id")
    report.wants(where, all(span["parentSpanId"] == root["spanId"] for span in others), "an odd parent")


def check_lines(report, style, path):
    """Formats that are no tables."""
    if style == "hf-traces":
        return check_trace(report, path)
    with open(path, encoding="utf-8") as file:
        for at, line in enumerate(file):
            check_spans(report, f"{os.path.basename(path)}:{at + 1}", json.loads(line))


def check_export(report, directory):
    style = directory.rsplit(".", 1)[1]
    with open(os.path.join(directory, "export.json"), encoding="utf-8") as file:
        record = json.load(file)
    report.wants(directory, record["format"] == style, f"it is of the format {record['format']}")
    paths = sorted(glob.glob(os.path.join(directory, "**", "*.jsonl"), recursive=True))
    names = sorted(os.path.relpath(path, directory) for path in paths)
    report.wants(directory, names == sorted(entry["path"] for entry in record["files"]), f"has {names}")
    for entry in record["files"]:
        with open(os.path.join(directory, entry["path"]), "rb") as file:
            content = file.read()
        counted = (len(content), content.count(b"\n"), hashlib.sha256(content).hexdigest())
        stated = (entry["bytes"], entry["rows"], entry["sha256"])
        report.wants(directory, counted == stated, f"{entry['path']} is {counted}, not {stated}")
    for path in paths:
        if style in ("hf-traces", "otel"):
            check_lines(report, style, path)
        else:
            check_file(report, style, path)
    if style == "llama-factory":
        with open(os.path.join(directory, "dataset_info.json"), encoding="utf-8") as file:
            info = json.load(file)
        files = sorted(entry["file_name"] for entry in info.values())
        report.wants(directory, files == names, f"dataset_info.json has {files}")
        for entry in info.values():
            report.wants(directory, entry["formatting"] == "sharegpt", "the formatting is another one")


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    exports = sorted(path for path in glob.glob(os.path.join(arguments[0], "*.*")) if os.path.isdir(path))
    report = Report()
    for export in exports:
        check_export(report, export)
    for difference in report.differences:
        print(difference)
    verdict = f"{len(report.differences)} differences in" if report.differences else ""
    agree = "" if report.differences else " agree"
    print(f"{verdict} {len(exports)} exports{agree} (datasets {datasets.__version__})".strip())
    return 1 if report.differences or not exports else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
