"""An agent of a few lines: asks its model at the address its environment tells it, runs what the
model wants run, and ends with the marker. Standard library only."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request

MARKER = "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"
TOOL = {
    "type": "function",
    "function": {
        "name": "bash",
        "description": "runs",
        "parameters": {"type": "object", "properties": {"command": {"type": "string"}}},
    },
}


def complete(messages):
    body = {"model": "whatever-model", "messages": messages, "tools": [TOOL]}
    request = urllib.request.Request(
        os.environ["OPENAI_BASE_URL"] + "/chat/completions",
        json.dumps(body).encode(),
        {
            "Authorization": "Bearer " + os.environ["OPENAI_API_KEY"],
            "Content-Type": "application/json",
        },
    )
    for tries in range(3):
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["choices"][0]["message"]
        except urllib.error.HTTPError as error:
            said = error.read().decode()
            if error.code < 500 or error.headers.get("x-should-retry") == "false" or tries == 2:
                sys.exit(f"refused with {error.code}: {said}")


messages = [
    {"role": "system", "content": "You run commands."},
    {"role": "user", "content": os.environ["SYNTHD_TASK"]},
]
while True:
    said = complete(messages)
    messages.append({key: said[key] for key in ("role", "content", "tool_calls") if key in said})
    calls = said.get("tool_calls") or sys.exit("no call")
    for call in calls:
        command = json.loads(call["function"]["arguments"])["command"]
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
        text = f"{done.returncode}\n{done.stdout}{done.stderr}"
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": text})
        if done.stdout.startswith(MARKER):
            print("submitted")
            sys.exit(0)
