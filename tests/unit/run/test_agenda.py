from __future__ import annotations

import threading

from cleanroom.run.agenda import Agenda


def test_what_is_due_runs_in_its_order_and_not_before_its_time():
    agenda, done, said = Agenda(), threading.Event(), []
    agenda.after(0.15, lambda: (said.append("late"), done.set()))
    agenda.after(0.02, lambda: said.append("early"))
    assert not done.wait(0.01)
    assert done.wait(10)
    assert said == ["early", "late"]
    agenda.close()


def test_what_is_due_at_once_does_not_wait_for_what_runs():
    agenda, free, done = Agenda(), threading.Event(), threading.Event()
    agenda.after(0, lambda: free.wait(10))
    agenda.after(0.01, done.set)
    assert done.wait(10)
    free.set()
    agenda.close()
    agenda.join(10)


def test_fifty_planned_things_cost_one_thread():
    before = set(threading.enumerate())
    agenda = Agenda()
    for _ in range(50):
        agenda.after(3600, lambda: None)
    new = set(threading.enumerate()) - before
    assert len(new) == 1
    agenda.close()
    agenda.join(10)
    assert not new & set(threading.enumerate())


def test_nothing_begins_after_the_end():
    agenda, said = Agenda(), []
    agenda.after(0.02, lambda: said.append("pending"))
    agenda.close()
    agenda.after(0, lambda: said.append("late"))
    agenda.join(10)
    assert agenda.closed
    assert said == []


def test_the_end_waits_for_what_runs_and_not_for_ever():
    agenda, free = Agenda(), threading.Event()
    agenda.after(0, lambda: free.wait(10))
    agenda.close()
    agenda.join(0.02)
    free.set()
    agenda.join(10)
