"""Long durations as text."""

from leaseq.clock import format_duration


def data(size, draw):
    return [size + draw.randrange(size) for _ in range(3)]


def work(numbers):
    return [format_duration(number) for number in numbers]
