import os, shlex, socket, subprocess, time

os.chdir("/work")


def conf(name):
    with open("stack/%s.conf" % name) as file:
        pairs = [line.partition("=") for line in file if "=" in line and not line.startswith("#")]
    return {key.strip(): value.strip() for key, _, value in pairs}


def healthy(service):
    try:
        return subprocess.run(["sh", "-c", service["health"]], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=10).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def ask(port, words):
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as link:
            link.settimeout(5)
            link.sendall((words + "\n").encode())
            return link.makefile().readline().strip()
    except OSError as why:
        return "no answer"


def begin(name, service):
    env = dict(os.environ, PORT=service["port"], **dict(word.split("=", 1) for word in service.get("env", "").split()))
    return subprocess.Popen(service["run"].split(), env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait(process, service):
    """Whether a service gets healthy, asked ever more seldom."""
    pause = 0.1
    while pause < 8:
        time.sleep(pause)
        if process.poll() is not None:
            return False
        if healthy(service):
            return process.poll() is None
        pause *= 1.4
    return False


def answer(data):
    """Starts the services, always that one of the possible ones first which stands first in the list; what was seen."""
    seen = {"up": [], "early": [], "answers": [], "left": []}
    running, waiting = {}, list(data["names"])
    try:
        stack = {name: conf(name) for name in waiting}
        while waiting:
            free = [name for name in waiting if set(stack[name].get("needs", "").split()) <= set(running)]
            if not free:
                break
            name = free[0]
            waiting.remove(name)
            if healthy(stack[name]):
                seen["early"].append(name)
            running[name] = begin(name, stack[name])
            if not wait(running[name], stack[name]):
                break
            seen["up"].append(name)
        seen["answers"] = [[ask(port, words) for port, words in data["requests"]]] if not waiting else []
    except Exception as why:
        seen["why"] = repr(why)
    for name in list(running)[::-1]:
        running[name].terminate()
    end = time.monotonic() + 6
    for name, process in running.items():
        try:
            process.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            seen["left"].append(name)
            process.kill()
            process.wait()
        except OSError:
            pass
    return seen
