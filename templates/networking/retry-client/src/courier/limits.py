"""The numbers of docs/RETRIES.md. Times are whole milliseconds."""
ATTEMPT = {{ attempt_ms }}     # the longest time for one attempt
WITHIN = {{ within }}     # the time for a call, if the caller does not say
ATTEMPTS = {{ attempts }}
BASE = {{ base }}
CAP = {{ cap }}
FULL = {{ full }}         # the budget, in tokens
COST = 10        # tokens for a repetition
AGAIN = frozenset({{ again | sort | tojson }})
