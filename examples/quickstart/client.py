"""Submits tasks, waits for them, and prints what came of them.

    python client.py

Start node.py and worker.py first. A client needs no handlers: it names methods. Where the task function can be imported,
`add.submit(1, 2)` does the same with types.
"""

from rota import Client

if __name__ == "__main__":
    with Client() as client:
        print("1 + 2 =", client.execute("add", {"a": 1, "b": 2}, wait_timeout=10))

        handle = client.submit("example_task", {"steps": 8})
        print("submitted", handle.id)
        for line in handle.logs(follow=True):
            print("  ", line.text)
        print("result:", handle.result(timeout=10))

        handles = [client.submit("add", [n, n], priority=1 if n % 2 else 0) for n in range(10)]
        print("sums:", [handle.result(timeout=10) for handle in handles])
