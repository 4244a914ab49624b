"""A bucket after long pauses."""

from leaseq.limits import Bucket


def data(size, draw):
    jobs = draw.randrange(2, 9)
    return [jobs, draw.randrange(size, 50 * size), size + draw.randrange(1000), draw.randrange(1, jobs)]


def work(given):
    jobs, seconds, now, taken = given
    bucket = Bucket(jobs, seconds, 0)
    for _ in range(taken):
        bucket.take(0)
    return [bucket.has_one(now), str(bucket.level), bucket.at]
