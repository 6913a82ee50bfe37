"""RQ: a worker of its own process does every job, and the results are read back.

Arguments: port, number of jobs.
"""

import multiprocessing
import sys
import time

import redis
from rq import Queue, SimpleWorker

import jobs


def work(port):
    connection = redis.Redis(port=port)
    SimpleWorker([Queue(connection=connection)], connection=connection).work(logging_level="WARNING")


def main():
    port, count = int(sys.argv[1]), int(sys.argv[2])
    worker = multiprocessing.get_context("spawn").Process(target=work, args=(port,))
    worker.start()
    try:
        queue = Queue(connection=redis.Redis(port=port))
        queued = [queue.enqueue(jobs.add, number, 1, result_ttl=600) for number in range(count)]
        until = time.monotonic() + 240
        for number, job in enumerate(queued):
            while job.return_value(refresh=True) is None:
                assert worker.is_alive() and time.monotonic() < until, job.get_status()
                time.sleep(0.02)
            assert job.return_value() == number + 1
        assert len(queue) == 0
    finally:
        worker.terminate()
        worker.join()
    print(f"{count} jobs")


if __name__ == "__main__":
    main()
