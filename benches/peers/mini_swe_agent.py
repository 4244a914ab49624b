"""The peer of the container benches: mini-swe-agent with a model server that answers at once.

Usage: mini_swe_agent.py IMAGE EPISODES_AT_ONCE EPISODES TURNS URL

Runs that many episodes of that many commands, each in a container of its own, and prints
{"steps": N, "episodes": N, "seconds": S}. Needs `pip install mini-swe-agent==2.4.6 mcp`: its LiteLLM imports the latter.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from minisweagent.agents.default import DefaultAgent
from minisweagent.environments.docker import DockerEnvironment
from minisweagent.models.litellm_model import LitellmModel


def episode(image: str, turns: int, url: str) -> int:
    environment = DockerEnvironment(image=image, run_args=["--rm", "--network", "none"])
    agent = DefaultAgent(
        LitellmModel(
            model_name=f"openai/m-{turns}",
            model_kwargs={"api_base": url, "api_key": "none"},
            cost_tracking="ignore_errors",
        ),
        environment,
        system_template="You run commands.",
        instance_template="{{ task }}",
    )
    agent.run("Run commands.")
    environment.cleanup()
    return agent.n_calls


def main() -> None:
    image, at_once, episodes, turns = sys.argv[1], *map(int, sys.argv[2:5])
    url = sys.argv[5]
    started = time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        steps = sum(pool.map(lambda _: episode(image, turns, url), range(episodes)))
    seconds = time.monotonic() - started
    print(json.dumps({"steps": steps, "episodes": episodes, "seconds": seconds}))


if __name__ == "__main__":
    main()
