"""mini-swe-agent on a task, inside a sandbox whose only way out is the tunnel to the gateway.

Usage: agent.py BASE_URL KEY MODEL. What it is to do stands in SYNTHD_TASK. Prints how many calls it made and how it ended.
"""

import os
import sys

from minisweagent.agents.default import DefaultAgent
from minisweagent.environments.local import LocalEnvironment
from minisweagent.models.litellm_model import LitellmModel

url, key, model = sys.argv[1:4]
agent = DefaultAgent(
    LitellmModel(
        model_name=f"openai/{model}",
        model_kwargs={"api_base": url, "api_key": key, "max_tokens": 500},
        cost_tracking="ignore_errors",
    ),
    LocalEnvironment(cwd="/work"),
    system_template="You run commands.",
    instance_template="{{ task }}",
)
ended = agent.run(os.environ.get("SYNTHD_TASK", "Write hello into made.txt."))
print("calls", agent.n_calls, ended.get("exit_status"))
