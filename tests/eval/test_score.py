"""Each rule of the scores, on timelines made by hand."""

import unittest

from evaluation import answer, question, truth_of

from score import ClipScore, Standing, rightness


def share(items):
    return sum(right for _, right, _ in items) / sum(n for _, _, n in items)


def score(truth, *answers, kinds=None):
    return ClipScore("clip", truth, truth.of_kinds(kinds or list(truth.questions)), list(answers))


class Standings(unittest.TestCase):
    def test_an_answer_stands_from_when_it_came_out(self):
        """If this fails, an answer counts before anybody has it."""
        standing = Standing([answer("car", 1.0, "yes", 1.5)], "emitted")
        self.assertIsNone(standing.at(1.4))
        self.assertEqual(standing.at(1.5), "yes")

    def test_a_late_answer_about_an_older_picture_replaces_nothing(self):
        """If this fails, a slow cloud turns what is known back to what was."""
        standing = Standing([answer("car", 1.0, "yes", 5.0), answer("car", 2.0, "no", 2.1)], "emitted")
        self.assertEqual(standing.at(6.0), "no")

    def test_a_correction_about_the_same_picture_takes_its_place(self):
        """If this fails, asking the cloud never helps."""
        standing = Standing([answer("car", 1.0, "no", 1.1), answer("car", 1.0, "yes", 1.9, source="cloud")], "emitted")
        self.assertEqual(standing.at(1.5), "no")
        self.assertEqual(standing.at(2.0), "yes")


class OverTime(unittest.TestCase):
    car = question("car", (0, 5, "no"), (5, 10, "yes"))

    def test_what_is_still_to_come_is_wrong(self):
        """If this fails, a configuration that says nothing is right."""
        s = score(truth_of(10, self.car), answer("car", 0, "no", 2.0))
        self.assertAlmostEqual(share(s.over_time(self.car, s.known)), 0.3, places=2)

    def test_a_stale_answer_is_wrong_as_soon_as_the_truth_has_changed(self):
        """If this fails, being late costs nothing."""
        s = score(truth_of(10, self.car), answer("car", 0, "no"), answer("car", 5, "yes", 7.0))
        self.assertAlmostEqual(share(s.over_time(self.car, s.known)), 0.8, places=2)

    def test_without_the_time_of_thinking_it_is_right_at_once(self):
        """If this fails, exact verdicts depend on how fast the machine of the cost table was."""
        s = score(truth_of(10, self.car), answer("car", 0, "no"), answer("car", 5, "yes", 7.0))
        self.assertAlmostEqual(share(s.over_time(self.car, s.seen)), 1.0, places=2)

    def test_unsure_spans_are_not_scored(self):
        """If this fails, an answer is called wrong where both are right."""
        unsure = question("car", (0, 5, "no"), (5, 10, "yes"), unsure=[(4, 6)])
        s = score(truth_of(10, unsure), answer("car", 0, "no"), answer("car", 6, "yes"))
        items = s.over_time(unsure, s.known)
        self.assertEqual(len(items), 80)
        self.assertAlmostEqual(share(items), 1.0)

    def test_case_is_kept_unless_told_otherwise(self):
        """If this fails, a sign that says OPEN is read by a model that says open."""
        self.assertEqual(rightness("open", "OPEN", "look"), 0)
        self.assertEqual(rightness(" OPEN ", "OPEN", "look"), 1)
        self.assertEqual(rightness("Yes.", "yes", "glance", any_case=True), 1)

    def test_a_description_is_right_by_its_facts(self):
        """If this fails, a long answer with one wrong word is worth nothing, or everything."""
        true = "It is day and the light on the left is red. The road has no car and there is no zebra crossing."
        told = "It is night and the light on the left is red. The road has no car and there is no zebra crossing."
        self.assertEqual(rightness(true, true, "describe"), 1)
        self.assertTrue(0.5 < rightness(told, true, "describe") < 1)


class AtAnswers(unittest.TestCase):
    def test_each_answer_is_held_against_the_moment_that_it_speaks_of(self):
        """If this fails, a slow but right model looks like a wrong one."""
        car = question("car", (0, 5, "no"), (5, 10, "yes"))
        s = score(truth_of(10, car), answer("car", 4.9, "no", 6.0), answer("car", 5.5, "no", 6.0))
        self.assertEqual([right for _, right, _ in s.at_answers(car)], [1, 0])


class Changes(unittest.TestCase):
    car = question("car", (0, 5, "no"), (5, 10, "yes"))

    def stale(self, question_, *answers):
        changes = score(truth_of(10, question_), *answers).changes(question_)
        return [(round(stale, 3), missed) for _, stale, missed in changes]

    def test_staleness_lasts_until_the_right_answer_is_there(self):
        """If this fails, nobody can see how long a user was misled."""
        self.assertEqual(self.stale(self.car, answer("car", 0, "no"), answer("car", 5.5, "yes", 6.2)), [(1.2, 0)])

    def test_a_change_that_no_answer_met_is_missed_and_stale_for_as_long_as_it_lasted(self):
        """If this fails, an event that was never noticed improves the mean staleness."""
        self.assertEqual(self.stale(self.car, answer("car", 0, "no")), [(5.0, 1)])

    def test_a_change_counts_from_where_it_shows_beyond_doubt(self):
        """If this fails, a car that is half in the picture counts as overlooked."""
        car = question("car", (0, 5, "no"), (5, 10, "yes"), unsure=[(4.8, 5.5)])
        self.assertEqual(self.stale(car, answer("car", 0, "no"), answer("car", 5.5, "yes", 6.0)), [(0.5, 0)])

    def test_an_answer_that_was_right_before_is_not_stale(self):
        """If this fails, a model that is ahead of the truth is punished."""
        self.assertEqual(self.stale(self.car, answer("car", 4.9, "yes")), [(0.0, 0)])

    def test_changes_too_short_to_be_seen_are_no_events(self):
        """If this fails, what lies between two pictures counts as missed."""
        blink = question("car", (0, 5, "no"), (5, 5.4, "yes"), (5.4, 10, "no"))
        self.assertEqual(self.stale(blink, answer("car", 0, "no")), [(0.0, 0)])


class Agreement(unittest.TestCase):
    def test_it_compares_what_is_said_about_the_same_moment(self):
        """If this fails, agreement measures speed."""
        car = question("car", (0, 10, "no"))
        ours = score(truth_of(10, car), answer("car", 0, "no", 3.0), answer("car", 5, "yes", 9.0))
        theirs = score(truth_of(10, car), answer("car", 0, "no", 0.1))
        self.assertAlmostEqual(share(ours.agreement(car, theirs)), 0.5, places=2)


if __name__ == "__main__":
    unittest.main()
