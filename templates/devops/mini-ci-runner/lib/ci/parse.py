"""Reads the file: no checks between jobs."""

import re
from dataclasses import dataclass, field

from .wrong import Wrong

WHENS = ("success", "failure", "always")


@dataclass
class Job:
    name: str
    line: int
    needs: list = field(default_factory=list)
    run: list = field(default_factory=list)
    keep: list = field(default_factory=list)
    env: dict = field(default_factory=dict)
    copies: tuple = None
    stage: str = None
    retries: int = 0
    when: str = "success"
    may_fail: bool = False
    lines: dict = field(default_factory=dict)


@dataclass
class Pipeline:
    name: str = None
    stages: list = field(default_factory=list)
    variables: dict = field(default_factory=dict)
    jobs: list = field(default_factory=list)


def parse(path):
    pipeline = Pipeline()
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file.read().splitlines(), 1):
            if not line.strip() or line.strip()[0] == "#":
                continue
            if line[0] in " \t":
                if not pipeline.jobs:
                    raise Wrong(number, "this belongs to no job")
                of_job(pipeline.jobs[-1], line.strip(), number)
            else:
                of_pipeline(pipeline, line.strip(), number)
    return pipeline


def of_pipeline(pipeline, line, number):
    if match := re.fullmatch(r"pipeline\s+(.+)", line):
        pipeline.name = match[1]
    elif match := re.fullmatch(r"stages\s*=(.*)", line):
        pipeline.stages = match[1].split()
    elif match := re.fullmatch(r"var\s+(\w+)\s*=\s*(.*)", line):
        pipeline.variables[match[1]] = match[2]
    elif match := re.fullmatch(r"job\s+([A-Za-z0-9_-]+)", line):
        if any(job.name == match[1] for job in pipeline.jobs):
            raise Wrong(number, "job %s is there twice" % match[1])
        pipeline.jobs.append(Job(match[1], number))
    else:
        raise Wrong(number, "no such line: %s" % line)


def of_job(job, line, number):
    if match := re.fullmatch(r"env\s+(\w+)\s*=\s*(.*)", line):
        job.env[match[1]] = match[2]
    elif match := re.fullmatch(r"for\s+(\w+)\s*=\s*(.*)", line):
        once(job, "for", number)
        if not match[2]:
            raise Wrong(number, "for without a value")
        job.copies = (match[1], match[2].split())
    elif match := re.fullmatch(r"([a-z-]+)\s*=\s*(.*)", line):
        setting(job, match[1], match[2], number)
    else:
        raise Wrong(number, "no such line: %s" % line)


def once(job, key, number):
    if key in job.lines:
        raise Wrong(number, "%s is there twice" % key)
    job.lines[key] = number


def setting(job, key, value, number):
    if key in ("run", "keep"):
        getattr(job, key).append((value, number))
        return
    once(job, key, number)
    if key == "stage":
        job.stage = value
    elif key == "needs":
        job.needs = value.split()
    elif key == "retries" and re.fullmatch("[0-9]+", value):
        job.retries = int(value)
    elif key == "when" and value in WHENS:
        job.when = value
    elif key == "may-fail" and value in ("yes", "no"):
        job.may_fail = value == "yes"
    else:
        raise Wrong(number, "no such key, or no such value: %s" % key)
