#!/bin/sh
# Judges the work of the agent. Without a judgement there is no reward.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
mkdir -p /logs/verifier
rm -rf /logs/verifier/reward.txt /logs/verifier/reward.json
exec python3 -I -B /tests/judge.py
