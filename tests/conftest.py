"""For every test."""

import os
import signal

# A shell that runs the tests in the background ignores SIGINT, and children inherit that: Ctrl-C could not be tested.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Nodes of tests that run side by side would meet at one port. The tests of the gRPC door ask for it, on a port of their own.
os.environ["ROTA_GRPC"] = "off"
