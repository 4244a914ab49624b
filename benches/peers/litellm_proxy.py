"""The peer of the gateway bench: LiteLLM's proxy in front of a provider, its logging off.

Usage: litellm_proxy.py URL WORKERS

Prints its address when it answers, and ends when its input is closed. Needs
`pip install 'litellm[proxy]'`, byte-compiled before it is timed.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

CONFIG = """
model_list:
  - model_name: m-0
    litellm_params: {{model: openai/m-0, api_base: "{url}", api_key: none}}
litellm_settings:
  set_verbose: false
  num_retries: 0
  telemetry: false
general_settings:
  disable_spend_logs: true
"""


def main() -> None:
    url, workers = sys.argv[1:3]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False)
    config.write(CONFIG.format(url=url))
    config.close()
    environment = os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    # It would refuse to start without a key, and be slower with one.
    environment["LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY"] = "true"
    command = [os.path.join(os.path.dirname(sys.executable), "litellm"), "--config", config.name]
    command += ["--port", str(port), "--host", "127.0.0.1", "--num_workers", workers]
    proxy = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health/liveliness", timeout=1)
                break
            except OSError:
                time.sleep(0.2)
        print(f"127.0.0.1:{port}", flush=True)
        sys.stdin.read()
    finally:
        os.killpg(proxy.pid, 9)
        os.unlink(config.name)


if __name__ == "__main__":
    main()
