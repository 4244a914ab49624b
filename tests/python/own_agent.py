"""An agent of a few lines: asks its model at the address its environment tells it, runs what the
model wants run, and ends with the marker. Standard library only."""

import http.client
import json
import os
import subprocess
import sys
import time
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


STREAMS = os.environ.get("AGENT_STREAMS")
HANGS_UP = os.environ.get("AGENT_HANGS_UP")
PRINTS = os.environ.get("AGENT_PRINTS", "")
# From so many answers on, it only hangs up.
LEAVES_AFTER = int(os.environ.get("AGENT_LEAVES_AFTER", "1000"))


def assembled(answer):
    """The message of a stream of chunks."""
    said = {"role": "assistant", "content": "", "tool_calls": []}
    for line in answer:
        if not line.startswith(b"data: ") or line.startswith(b"data: [DONE]"):
            continue
        for choice in json.loads(line[6:])["choices"]:
            said["content"] += choice["delta"].get("content") or ""
            for call in choice["delta"].get("tool_calls") or []:
                said["tool_calls"].append({k: call[k] for k in ("id", "type", "function")})
    return said


def hang_up(request, patience=0):
    """Asks, and leaves without an answer after so many seconds."""
    host = request.host.split(":")
    connection = http.client.HTTPConnection(host[0], int(host[1]))
    connection.request("POST", request.selector, request.data, dict(request.header_items()))
    time.sleep(patience)
    connection.close()


def complete(messages):
    body = {"model": "whatever-model", "messages": messages, "tools": [TOOL]}
    if STREAMS:
        body["stream"] = True
    request = urllib.request.Request(
        os.environ["OPENAI_BASE_URL"] + "/chat/completions",
        json.dumps(body).encode(),
        {
            "Authorization": "Bearer " + os.environ["OPENAI_API_KEY"],
            "Content-Type": "application/json",
        },
    )
    if HANGS_UP:
        hang_up(request)
    if sum(message["role"] == "assistant" for message in messages) >= LEAVES_AFTER:
        for _ in range(200):
            hang_up(request, 0.3)
        sys.exit("it has hung up often enough")
    for tries in range(3):
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                if STREAMS:
                    return assembled(answer)
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
        text = f"{done.returncode}\n{done.stdout}{done.stderr}" + os.environ.get(PRINTS, "")
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": text})
        if done.stdout.startswith(MARKER):
            print("submitted")
            sys.exit(0)
