"""A node, started from a program of your own. It does what `rota node` does.

    python node.py

It keeps its data in ./rota-data and listens on http://127.0.0.1:8080 until Ctrl-C.
"""

from rota import Node

if __name__ == "__main__":
    Node(data="rota-data").run()
