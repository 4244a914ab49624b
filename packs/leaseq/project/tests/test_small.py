import unittest

from leaseq import Clock, Job, Limit, Limits, Pause
from leaseq.clock import format_duration, parse_duration
from leaseq.graph import Graph, is_free, is_lost
from leaseq.jobs import score
from leaseq.journal import Event, Journal
from leaseq.limits import Bucket
from leaseq.pauses import USUAL, parse_pause


class Clocks(unittest.TestCase):
    def test_advance(self):
        clock = Clock()
        clock.advance(5)
        clock.advance(7)
        self.assertEqual(clock.now, 12)

    def test_never_back(self):
        with self.assertRaises(ValueError):
            Clock().advance(-1)

    def test_no_time(self):
        clock = Clock()
        clock.advance(0)
        self.assertEqual(clock.now, 0)

    def test_durations(self):
        found = [parse_duration(text) for text in ("45s", "1h30m", "2d", "1d1h1m1s", "0s", "90m")]
        self.assertEqual(found, [45, 5400, 172800, 90061, 0, 5400])

    def test_no_durations(self):
        found = [parse_duration(text) for text in ("", "5", "1m1h", "1h1h", "-1s", "1.5h", "1h x")]
        self.assertEqual(found, [None] * 7)

    def test_format(self):
        found = [format_duration(seconds) for seconds in (0, 59, 60, 3661, 90000, 172800)]
        self.assertEqual(found, ["0s", "59s", "1m", "1h1m1s", "1d1h", "2d"])


class Pauses(unittest.TestCase):
    def test_fixed(self):
        self.assertEqual([Pause("fixed", 10, 10).after(tries) for tries in (1, 2, 5)], [10, 10, 10])

    def test_linear(self):
        self.assertEqual([Pause("linear", 10, 25).after(tries) for tries in (1, 2, 3)], [10, 20, 25])

    def test_double(self):
        self.assertEqual([Pause("double", 10, 50).after(tries) for tries in (1, 2, 3, 4)], [10, 20, 40, 50])

    def test_the_usual_one(self):
        self.assertEqual((str(USUAL), USUAL.after(2)), ("double:10s:1h", 20))

    def test_parse(self):
        self.assertEqual([tuple(parse_pause(text)) for text in ("fixed:1m", "linear:5s:1m")], [("fixed", 60, 60), ("linear", 5, 60)])

    def test_no_pauses(self):
        found = [parse_pause(text) for text in ("", "later:1s", "fixed", "fixed:1s:2s", "double:1s", "linear:1s:x", "fixed:x")]
        self.assertEqual(found, [None] * 7)

    def test_text(self):
        self.assertEqual([str(Pause("fixed", 90, 90)), str(Pause("linear", 5, 3600))], ["fixed:1m30s", "linear:5s:1h"])


class Scores(unittest.TestCase):
    def job(self, priority, ready_at):
        job = Job("a", priority=priority)
        job.make_ready(ready_at)
        return job

    def test_priority(self):
        self.assertEqual([score(self.job(4, 0), 0, 10), score(self.job(-4, 0), 0, 10)], [4, -4])

    def test_waiting(self):
        self.assertEqual([score(self.job(1, 5), now, 10) for now in (5, 14, 15, 25)], [1, 1, 2, 3])

    def test_before_it_is_ready(self):
        self.assertEqual(score(self.job(2, 50), 0, 10), 2)


class Buckets(unittest.TestCase):
    def test_it_begins_full(self):
        bucket = Bucket(2, 60, 0)
        bucket.take(0)
        self.assertEqual((bucket.has_one(0), bucket.level), (True, 1))

    def test_it_is_empty(self):
        bucket = Bucket(1, 60, 0)
        bucket.take(0)
        self.assertEqual([bucket.has_one(0), bucket.has_one(59), bucket.has_one(60)], [False, False, True])

    def test_it_is_exact(self):
        bucket = Bucket(3, 10, 0)
        for _ in range(3):
            bucket.take(0)
        found = [bucket.has_one(now) for now in (1, 2, 3, 4)]
        self.assertEqual(found, [False, False, False, True])

    def test_it_does_not_flow_over(self):
        bucket = Bucket(2, 10, 0)
        bucket.take(0)
        bucket.fill(1000)
        self.assertEqual(bucket.level, 2)

    def test_it_begins_now(self):
        bucket = Bucket(1, 10, 100)
        bucket.take(100)
        self.assertEqual(bucket.has_one(105), False)
        self.assertEqual(bucket.level * 2, 1)


class TopicLimits(unittest.TestCase):
    def test_without(self):
        self.assertEqual(Limits().allows("a", 1000, 0), True)

    def test_at_once(self):
        limits = Limits()
        limits.set("a", Limit(at_once=2))
        self.assertEqual([limits.allows("a", leased, 0) for leased in (1, 2, 3)], [True, False, False])

    def test_other_topics(self):
        limits = Limits()
        limits.set("a", Limit(at_once=1))
        self.assertEqual(limits.allows("b", 1, 0), True)

    def test_rates(self):
        limits = Limits()
        limits.set("a", Limit(jobs=1, seconds=10), now=5)
        limits.taken("a", 5)
        self.assertEqual([limits.allows("a", 0, now) for now in (5, 14, 15)], [False, False, True])

    def test_a_limit_set_again(self):
        limits = Limits()
        limits.set("a", Limit(jobs=1, seconds=10))
        limits.taken("a", 0)
        limits.set("a", Limit(at_once=5))
        self.assertEqual([limits.allows("a", 0, 0), len(limits.buckets)], [True, 0])

    def test_taken_without_a_rate(self):
        limits = Limits()
        limits.taken("a", 0)
        self.assertEqual(len(limits.buckets), 0)


class Graphs(unittest.TestCase):
    def setUp(self):
        self.graph, self.jobs = Graph(), {}
        for name, after in (("a", ""), ("b", "a"), ("c", "ab"), ("d", "c"), ("e", "")):
            self.jobs[name] = Job(name, after=after)
            self.graph.add(self.jobs[name])

    def test_followers(self):
        found = ["".join(job.name for job in self.graph.followers(name)) for name in "abe"]
        self.assertEqual(found, ["bc", "c", ""])

    def test_all_followers(self):
        found = ["".join(job.name for job in self.graph.all_followers(name)) for name in "abcd"]
        self.assertEqual(found, ["bcd", "cd", "d", ""])

    def test_free(self):
        self.jobs["a"].state = "done"
        self.assertEqual([is_free(self.jobs[name], self.jobs) for name in "abc"], [True, True, False])

    def test_lost(self):
        found = []
        for state in ("done", "dead", "cancelled", "leased"):
            self.jobs["b"].state = state
            found.append(is_lost(self.jobs["c"], self.jobs))
        self.assertEqual(found, [False, True, True, False])


class Journals(unittest.TestCase):
    def test_an_event(self):
        self.assertEqual([str(Event(5, "take", "a", ("w", 2))), str(Event(0, "put", "a", ()))], ["5 take a w 2", "0 put a"])

    def test_news(self):
        journal = Journal()
        journal.say(1, "put", "a")
        first = journal.news()
        journal.say(2, "put", "b")
        self.assertEqual([first, journal.news(), len(journal.news())], [["1 put a"], ["2 put b"], 0])

    def test_of_one_job(self):
        journal = Journal()
        for kind, name in (("put", "a"), ("put", "b"), ("done", "a")):
            journal.say(0, kind, name)
        self.assertEqual(journal.of("a"), ["put", "done"])
