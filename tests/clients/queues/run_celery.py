"""Celery: a worker of its own process does every task, and the results are read back.

Arguments: port, number of tasks.
"""

import subprocess
import sys

from celery import Celery

URL = f"redis://127.0.0.1:{sys.argv[1]}/0" if len(sys.argv) > 2 and sys.argv[1].isdigit() else None
app = Celery("run_celery", broker=URL, backend=URL)


@app.task(name="add")
def add(first, second):
    return first + second


def main():
    port, count = sys.argv[1], int(sys.argv[2])
    start = f"import sys; sys.argv[1:] = [{port!r}, '0']; import run_celery; run_celery.app.worker_main(['worker', '--pool=solo', '--loglevel=ERROR', '--without-gossip'])"
    worker = subprocess.Popen([sys.executable, "-B", "-c", start], stdout=subprocess.DEVNULL)
    try:
        results = [add.delay(number, 1) for number in range(count)]
        for number, result in enumerate(results):
            assert result.get(timeout=240) == number + 1
    finally:
        worker.terminate()
        worker.wait()
    print(f"{count} tasks")


if __name__ == "__main__":
    main()
