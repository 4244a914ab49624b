import unittest

from leaseq import Clock, Job, Limit, Pause, Queue, Refused


class Case(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.queue = Queue(self.clock)

    def put(self, name, **options):
        self.queue.put(Job(name, **options))

    def take(self, *topics, worker="w"):
        job = self.queue.take(worker, topics)
        return job.name if job else "nothing"

    def states(self):
        return " ".join("%s=%s" % (job.name, job.state) for job in self.queue.jobs.values())

    def refused(self, work, *arguments):
        try:
            return work(*arguments)
        except Refused as refused:
            return refused.reason

    def news(self):
        return self.queue.journal.news()


class Putting(Case):
    def test_a_job_is_ready(self):
        self.put("a")
        self.assertEqual((self.states(), self.news()), ("a=ready", ["0 put a"]))

    def test_a_name_twice(self):
        self.put("a")
        self.assertEqual(self.refused(self.queue.put, Job("a")), "a is there already")

    def test_a_key_twice(self):
        self.put("a", key="k")
        self.assertEqual(self.refused(self.queue.put, Job("b", key="k")), "a has the key k")

    def test_a_key_that_is_free_again(self):
        self.put("a", key="k")
        self.queue.cancel("a")
        self.put("b", key="k")
        self.assertEqual(self.states(), "a=cancelled b=ready")

    def test_keys_are_apart(self):
        self.put("a", key="k")
        self.put("b", key="l")
        self.put("c")
        self.put("d")
        self.assertEqual(self.states(), "a=ready b=ready c=ready d=ready")

    def test_what_it_waits_for_must_be_there(self):
        self.assertEqual(self.refused(self.queue.put, Job("a", after=["x"])), "x is not there")

    def test_it_waits(self):
        self.put("a")
        self.put("b", after=["a"])
        self.assertEqual(self.states(), "a=ready b=waiting")

    def test_it_waits_for_what_is_done(self):
        self.put("a")
        self.take()
        self.queue.done("a", "w")
        self.put("b", after=["a"])
        self.assertEqual(self.states(), "a=done b=ready")

    def test_it_waits_for_what_is_lost(self):
        self.put("a")
        self.queue.cancel("a")
        self.put("b", after=["a"])
        self.assertEqual((self.states(), self.news()[-2:]), ("a=cancelled b=cancelled", ["0 put b", "0 cancel b"]))

    def test_numbers(self):
        self.put("a")
        self.put("b")
        self.assertEqual([job.number for job in self.queue.jobs.values()], [0, 1])

    def test_ended_leases_come_first(self):
        self.put("a", tries=1, key="k")
        self.take()
        self.clock.advance(60)
        self.put("b", key="k")
        self.assertEqual(self.states(), "a=dead b=ready")


class Taking(Case):
    def test_in_order(self):
        self.put("a")
        self.put("b")
        self.assertEqual([self.take(), self.take(), self.take()], ["a", "b", "nothing"])

    def test_by_priority(self):
        self.put("a", priority=-1)
        self.put("b", priority=2)
        self.put("c", priority=1)
        self.assertEqual([self.take(), self.take(), self.take()], ["b", "c", "a"])

    def test_what_waits_becomes_older(self):
        self.put("a")
        self.clock.advance(1200)
        self.put("b", priority=1)
        self.assertEqual(self.take(), "a")

    def test_not_old_enough(self):
        self.put("a")
        self.clock.advance(599)
        self.put("b", priority=1)
        self.assertEqual(self.take(), "b")

    def test_by_topic(self):
        self.put("a", topic="x")
        self.put("b", topic="y")
        self.put("c", topic="z")
        self.assertEqual([self.take("z", "y"), self.take("y"), self.take()], ["b", "nothing", "a"])

    def test_a_delay(self):
        self.put("a", delay=10)
        self.clock.advance(9)
        early = self.take()
        self.clock.advance(1)
        self.assertEqual([early, self.take()], ["nothing", "a"])

    def test_the_lease(self):
        self.put("a", lease=30)
        self.clock.advance(5)
        job = self.queue.take("w")
        self.assertEqual((job.state, job.worker, job.tried, job.lease_ends), ("leased", "w", 1, 35))

    def test_the_journal(self):
        self.put("a")
        self.take(worker="w1")
        self.assertEqual(self.news()[-1], "0 take a w1 1")

    def test_at_once(self):
        self.queue.limits.set("x", Limit(at_once=1))
        for name in "ab":
            self.put(name, topic="x")
        self.put("c", topic="y")
        found = [self.take(), self.take(), self.take()]
        self.queue.done("a", "w")
        self.assertEqual(found + [self.take()], ["a", "c", "nothing", "b"])

    def test_a_rate(self):
        self.queue.limits.set("x", Limit(jobs=1, seconds=10))
        for name in "ab":
            self.put(name, topic="x")
        found = [self.take(), self.take()]
        self.clock.advance(10)
        self.assertEqual(found + [self.take()], ["a", "nothing", "b"])

    def test_how_many_are_leased(self):
        for name, topic in (("a", "x"), ("b", "x"), ("c", "y"), ("d", "x")):
            self.put(name, topic=topic)
        self.take("x"), self.take("x"), self.take("y")
        self.assertEqual([self.queue.leased("x"), self.queue.leased("y")], [2, 1])


class Leases(Case):
    def setUp(self):
        super().setUp()
        self.put("a", lease=30, tries=2, pause=Pause("fixed", 5, 5))
        self.take()

    def test_until_its_end(self):
        self.clock.advance(29)
        self.queue.done("a", "w")
        self.assertEqual(self.states(), "a=done")

    def test_at_its_end(self):
        self.clock.advance(30)
        self.assertEqual(self.refused(self.queue.done, "a", "w"), "w does not have a")

    def test_extend(self):
        self.clock.advance(20)
        self.queue.extend("a", "w")
        self.clock.advance(29)
        self.queue.done("a", "w")
        self.assertEqual((self.states(), self.news()[-2]), ("a=done", "20 extend a w 50"))

    def test_expired(self):
        self.clock.advance(31)
        self.queue.expire()
        self.assertEqual(self.news()[-2:], ["31 expire a w", "31 retry a 35"])

    def test_expired_for_the_last_time(self):
        self.clock.advance(35)
        self.take()
        self.clock.advance(30)
        self.queue.expire()
        self.assertEqual((self.states(), self.news()[-1]), ("a=dead", "65 dead a"))

    def test_the_order_of_ends(self):
        self.put("b", lease=10)
        self.put("c", lease=10)
        self.take()
        self.take()
        self.clock.advance(30)
        self.queue.expire()
        self.assertEqual([line for line in self.news() if "expire" in line], ["30 expire b w", "30 expire c w", "30 expire a w"])

    def test_nobody_else_has_it(self):
        found = [self.refused(work, "a", "v") for work in (self.queue.done, self.queue.fail, self.queue.extend)]
        self.assertEqual(found, ["v does not have a"] * 3)

    def test_an_unknown_job(self):
        self.assertEqual(self.refused(self.queue.done, "x", "w"), "x is not there")

    def test_a_job_that_nobody_has(self):
        self.put("b")
        self.assertEqual(self.refused(self.queue.fail, "b", "w"), "w does not have b")

    def test_no_worker_is_left(self):
        self.queue.fail("a", "w")
        job = self.queue.get("a")
        self.assertEqual((job.state, job.worker, job.lease_ends), ("ready", None, None))


class Failing(Case):
    def test_a_pause(self):
        self.put("a")
        self.take()
        self.clock.advance(1)
        self.queue.fail("a", "w")
        self.assertEqual(self.news()[-2:], ["1 fail a w", "1 retry a 11"])

    def test_longer_pauses(self):
        self.put("a")
        for wait in (10, 20):
            self.take()
            self.queue.fail("a", "w")
            self.clock.advance(wait)
        self.assertEqual([self.take(), self.queue.get("a").tried], ["a", 3])

    def test_not_before_its_end(self):
        self.put("a")
        self.take()
        self.queue.fail("a", "w")
        self.clock.advance(9)
        self.assertEqual(self.take(), "nothing")

    def test_the_last_try(self):
        self.put("a", tries=1)
        self.take()
        self.queue.fail("a", "w")
        self.assertEqual((self.states(), self.news()[-1]), ("a=dead", "0 dead a"))

    def test_those_that_wait_are_cancelled(self):
        self.put("a", tries=1)
        self.put("b", after=["a"])
        self.put("c", after=["b"])
        self.put("d")
        self.take()
        self.queue.fail("a", "w")
        self.assertEqual(self.states(), "a=dead b=cancelled c=cancelled d=ready")

    def test_revive(self):
        self.put("a", tries=1, delay=5)
        self.clock.advance(5)
        self.take()
        self.queue.fail("a", "w")
        self.queue.revive("a")
        job = self.queue.get("a")
        self.assertEqual((job.state, job.tried, job.ready_at, self.news()[-1]), ("ready", 0, 5, "5 revive a"))

    def test_only_the_dead_are_revived(self):
        self.put("a")
        self.assertEqual(self.refused(self.queue.revive, "a"), "a is not dead")

    def test_revive_with_a_key_in_use(self):
        self.put("a", tries=1, key="k")
        self.take()
        self.queue.fail("a", "w")
        self.put("b", key="k")
        self.assertEqual(self.refused(self.queue.revive, "a"), "b has the key k")


class Ending(Case):
    def test_done(self):
        self.put("a")
        self.take()
        self.queue.done("a", "w")
        self.assertEqual((self.states(), self.news()[-1]), ("a=done", "0 done a w"))

    def test_followers_become_ready(self):
        self.put("a")
        self.put("b", after=["a"])
        self.take()
        self.queue.done("a", "w")
        self.assertEqual((self.states(), self.news()[-1]), ("a=done b=ready", "0 ready b"))

    def test_followers_that_wait_for_more(self):
        self.put("a")
        self.put("b")
        self.put("c", after=["a", "b"])
        self.take()
        self.queue.done("a", "w")
        self.assertEqual(self.states(), "a=done b=ready c=waiting")

    def test_delays_of_followers(self):
        self.put("a")
        self.put("b", after=["a"], delay=10)
        self.take()
        self.clock.advance(7)
        self.queue.done("a", "w")
        self.assertEqual(self.queue.get("b").ready_at, 17)

    def test_followers_that_were_cancelled(self):
        self.put("a")
        self.put("b", after=["a"])
        self.queue.cancel("b")
        self.take()
        self.queue.done("a", "w")
        self.assertEqual(self.states(), "a=done b=cancelled")

    def test_cancel(self):
        self.put("a")
        self.put("b", after=["a"])
        self.take()
        self.queue.cancel("a")
        self.assertEqual((self.states(), self.news()[-2:]), ("a=cancelled b=cancelled", ["0 cancel a", "0 cancel b"]))

    def test_cancel_what_has_ended(self):
        self.put("a")
        self.queue.cancel("a")
        self.assertEqual(self.refused(self.queue.cancel, "a"), "a has ended")

    def test_followers_are_cancelled_once(self):
        self.put("a")
        self.put("b", after=["a"])
        self.queue.cancel("b")
        self.queue.cancel("a")
        self.assertEqual(self.queue.journal.of("b"), ["put", "cancel"])

    def test_an_expired_job_may_be_dead(self):
        self.put("a", tries=1)
        self.take()
        self.clock.advance(60)
        self.assertEqual(self.refused(self.queue.cancel, "a"), "a has ended")
