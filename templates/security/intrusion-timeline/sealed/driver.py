import importlib


def answer(calls):
    found = []
    for module, function, arguments in calls:
        try:
            found.append(getattr(importlib.import_module("app." + module), function)(*arguments))
        except Exception as error:
            found.append([type(error).__name__])
    return found
