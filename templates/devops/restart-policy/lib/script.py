def script(words):
    """`NAME: 250/1 3000/s9 ...` -> name, runs."""
    name, _, rest = words.partition(":")
    runs = []
    for word in rest.split():
        lasts, _, end = word.partition("/")
        runs.append((int(lasts), ("signal", int(end[1:])) if end.startswith("s") else ("code", int(end))))
    return name.strip(), runs
