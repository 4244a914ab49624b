"""Texts as lists of lines."""
import re


def split(data):
    """The lines of a text. A line ends behind its newline; the last one may have none."""
    return re.findall(rb"[^\n]*\n|[^\n]+", data)
