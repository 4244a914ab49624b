import io
import os
import tempfile
import unittest

from leaseq import Clock, Job, Queue, ScriptError, stats
from leaseq.cli import main
from leaseq.player import Player
from leaseq.script import limit_of, read_script
from leaseq.stats import median, stats_text


def step(line):
    return read_script(line)[0]


def failure(*lines):
    try:
        return read_script("\n".join(lines))
    except ScriptError as error:
        return (error.line, error.message)


def play(*lines):
    return Player().play(read_script("\n".join(lines)))


class Reading(unittest.TestCase):
    def test_a_step(self):
        self.assertEqual(tuple(step("take w1 mail")), (1, 0, "take", ["w1", "mail"], {}))

    def test_times(self):
        self.assertEqual([step("+5 stats").wait, step("+1h stats").wait, step("stats").wait], [5, 3600, 0])

    def test_comments_and_empty_lines(self):
        found = read_script("# no\n\n stats # yes\n")
        self.assertEqual([(one.line, one.verb) for one in found], [(3, "stats")])

    def test_options_of_put(self):
        found = step("put a topic=x priority=-2 delay=1m lease=30 tries=4 after=b,c key=k").options
        expected = {"topic": "x", "priority": -2, "delay": 60, "lease": 30, "tries": 4, "after": ["b", "c"], "key": "k"}
        self.assertEqual(found, expected)

    def test_a_pause(self):
        self.assertEqual(tuple(step("put a pause=double:5s:1m").options["pause"]), ("double", 5, 60))

    def test_options_of_limit(self):
        self.assertEqual(tuple(limit_of(step("limit x at-once=2 rate=5/1m"))), (2, 5, 60))

    def test_a_limit_without_options(self):
        self.assertEqual(tuple(limit_of(step("limit x"))), (None, None, None))

    def test_unknown_steps(self):
        self.assertEqual([failure("", "give a"), failure("+5")], [(2, "give is no step"), (1, "nothing is no step")])

    def test_wrong_numbers_of_words(self):
        found = [failure(line)[1].split()[0] for line in ("put", "put a b", "done a", "take", "stats x", "cancel a b")]
        self.assertEqual(found, ["put", "put", "done", "take", "stats", "cancel"])

    def test_wrong_times(self):
        self.assertEqual([failure("+soon stats"), failure("put a delay=-1")], [(1, "soon is no time"), (1, "-1 is no time")])

    def test_wrong_numbers(self):
        found = [failure("put a tries=0"), failure("put a tries=x"), failure("put a priority=high")]
        self.assertEqual([what for _, what in found], ["0 is no number from 1 on", "x is no number from 1 on", "high is no number"])

    def test_wrong_rates(self):
        found = [failure("limit x rate=5"), failure("limit x rate=0/1m"), failure("limit x rate=5/0s")]
        self.assertEqual([what for _, what in found], [" is no time", "0 is no number from 1 on", "0 is no number from 1 on"])

    def test_a_wrong_pause(self):
        self.assertEqual(failure("put a pause=never"), (1, "never is no pause"))

    def test_unknown_options(self):
        found = [failure("put a rate=1/1s"), failure("limit x topic=y"), failure("take w x=1")]
        self.assertEqual([what for _, what in found], ["put has no option rate", "limit has no option topic", "take has no option x"])


class Playing(unittest.TestCase):
    def test_answers(self):
        self.assertEqual(play("put a", "take w", "take w"), ["0 put a", "0 take a w 1", "got a", "got nothing"])

    def test_the_time_goes_on(self):
        self.assertEqual(play("+5 put a", "+1m put b"), ["5 put a", "65 put b"])

    def test_done(self):
        self.assertEqual(play("put a", "take w", "+3 done a w")[-1], "3 done a w")

    def test_refused(self):
        player = Player()
        player.play(read_script("put a\ndone a w\nrevive a"))
        self.assertEqual((player.lines[1:], player.refused), (["refused: w does not have a", "refused: a is not dead"], 2))

    def test_what_has_happened_before_a_refusal(self):
        found = play("put a tries=1", "take w", "+1m done a w")
        self.assertEqual(found[3:], ["60 expire a w", "60 dead a", "refused: w does not have a"])

    def test_limits_begin_when_they_are_set(self):
        found = play("+100 limit x rate=1/1m", "put a topic=x", "put b topic=x", "take w", "+59 take w", "+1 take w")
        self.assertEqual([line for line in found if line.startswith("got")], ["got a", "got nothing", "got b"])

    def test_topics(self):
        self.assertEqual(play("put a topic=x", "take w y", "take w y x")[-1], "got a")

    def test_stats_see_ended_leases(self):
        self.assertEqual(play("put a tries=1", "take w", "+1m stats")[-1], "dead=1 median=0s longest=0s")


class Figures(unittest.TestCase):
    def queue(self, waits):
        queue = Queue(Clock())
        for at, wait in enumerate(waits):
            queue.put(Job("j%d" % at))
            queue.clock.advance(wait)
            queue.take("w")
        return queue

    def test_counts(self):
        queue = self.queue([1])
        queue.put(Job("x"))
        queue.put(Job("y", after=["x"]))
        found = stats(queue).counts
        self.assertEqual([found[state] for state in ("ready", "leased", "waiting", "dead")], [1, 1, 1, 0])

    def test_waits(self):
        found = stats(self.queue([30, 10, 20]))
        self.assertEqual((found.median, found.longest), (20, 30))

    def test_no_waits(self):
        found = stats(Queue(Clock()))
        self.assertEqual((found.median, found.longest), (None, None))

    def test_waits_count_from_the_delay(self):
        queue = Queue(Clock())
        queue.put(Job("a", delay=10))
        queue.clock.advance(25)
        queue.take("w")
        self.assertEqual(stats(queue).longest, 15)

    def test_only_the_first_take_counts(self):
        queue = self.queue([5])
        queue.fail("j0", "w")
        queue.clock.advance(100)
        queue.take("w")
        self.assertEqual(stats(queue).longest, 5)

    def test_medians(self):
        self.assertEqual([median([3]), median([9, 1, 5]), median([8, 2]), median([4, 1, 3, 2])], [3, 5, 2, 2])

    def test_text(self):
        self.assertEqual(stats_text(stats(self.queue([90]))), "leased=1 median=1m30s longest=1m30s")

    def test_text_of_nothing(self):
        self.assertEqual(stats_text(stats(Queue(Clock()))), "no jobs")


class Command(unittest.TestCase):
    def run_command(self, command, text):
        with tempfile.TemporaryDirectory() as place:
            path = os.path.join(place, "script")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            out, errors = io.StringIO(), io.StringIO()
            code = main([command, path], out, errors)
        return code, out.getvalue(), errors.getvalue()

    def test_play(self):
        self.assertEqual(self.run_command("play", "put a\nstats\n"), (0, "0 put a\nready=1\n", ""))

    def test_play_with_a_refusal(self):
        self.assertEqual(self.run_command("play", "cancel a\n"), (1, "refused: a is not there\n", ""))

    def test_check(self):
        self.assertEqual(self.run_command("check", "cancel a\n\nstats\n"), (0, "2 steps\n", ""))

    def test_a_wrong_script(self):
        self.assertEqual(self.run_command("check", "\ngo\n"), (2, "", "leaseq: line 2: go is no step\n"))

    def test_a_missing_file(self):
        errors = io.StringIO()
        code = main(["play", os.path.join(tempfile.gettempdir(), "leaseq-none")], io.StringIO(), errors)
        self.assertEqual((code, errors.getvalue()[:17]), (2, "leaseq: [Errno 2]"))

    def test_bad_arguments(self):
        errors = io.StringIO()
        found = [main(words, io.StringIO(), errors) for words in ([], ["play"], ["run", "x"], ["play", "x", "y"])]
        self.assertEqual((found, errors.getvalue().split("\n")[0]), ([2, 2, 2, 2], "leaseq: a command and a script were expected"))
