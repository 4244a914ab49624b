#!/bin/sh
# Sorts what looks like a time. Clocks are fine, says the vendor.
for f in "$1"/*.log; do h=$(basename "$f" .log); sed "s/^\([^ ]*\) /\1 $h /" "$f"; done | sort
