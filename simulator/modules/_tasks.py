"""`_asyncio` in Python: the task queue and the task of MicroPython's asyncio, free of the real clock.

The VM's own C version reads the real clock in `push` and `cancel`. Tasks wake in the order of (time, order of push).
"""

import micropython

core = None  # asyncio.core, set when it has been imported: it imports this file

_count = 0


class TaskQueue:
    def __init__(self):
        self._heap = []  # sorted, latest first

    @micropython.native
    def peek(self):
        return self._heap[-1] if self._heap else None

    @micropython.native
    def push(self, task, key=None):
        global _count
        assert not task.queued
        task.ph_key = core.ticks() if key is None else key
        _count += 1
        task.order = _count
        task.queued = True
        task.data = None
        heap = self._heap
        i = len(heap)
        while i and core.ticks_diff(heap[i - 1].ph_key, task.ph_key) <= 0:
            i -= 1
        heap.insert(i, task)

    @micropython.native
    def pop(self):
        task = self._heap.pop()
        task.queued = False
        return task

    def remove(self, task):
        self._heap.remove(task)
        task.queued = False


class Task:
    def __init__(self, coro, globals=None):
        self.coro = coro
        self.data = None  # what the task waits on
        self.state = True  # True running, None done, a queue: tasks waiting for it, or a callable
        self.ph_key = 0
        self.queued = False

    def __iter__(self):
        if not self.state:
            self.state = False  # an error in it is now somebody's
        elif self.state is True:
            self.state = TaskQueue()
        elif type(self.state) is not TaskQueue:
            raise RuntimeError("can't wait")
        return self

    def __next__(self):
        if not self.state:
            raise self.data
        self.state.push(core.cur_task)
        core.cur_task.data = self

    def done(self):
        return not self.state

    def cancel(self):
        if not self.state:
            return False
        if self is core.cur_task:
            raise RuntimeError("can't cancel self")
        while isinstance(self.data, Task):
            self = self.data
        if hasattr(self.data, "remove"):
            self.data.remove(self)
            core._task_queue.push(self)
        elif self.queued and core.ticks_diff(self.ph_key, core.ticks()) > 0:
            core._task_queue.remove(self)
            core._task_queue.push(self)
        self.data = core.CancelledError
        return True
