#!/usr/bin/env python3
"""link_emulator as a script runs it: it prints its port, passes bytes on, follows a schedule, ends on SIGTERM with a
line of figures, and refuses what it does not understand with a sentence."""
import json
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

PROGRAM = sys.argv.pop(1)
PATIENCE = 60  # seconds, for a machine that is very busy


class Program(unittest.TestCase):
    def setUp(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)
        self.target = str(self.listener.getsockname()[1])

    def start(self, *options):
        process = subprocess.Popen([PROGRAM, "--target", self.target, *options], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.wait, PATIENCE)
        self.addCleanup(process.terminate)
        self.addCleanup(process.stdout.close)
        return process, int(process.stdout.readline())

    def echo_once(self):
        connection, _ = self.listener.accept()
        with connection:
            while data := connection.recv(65536):
                connection.sendall(data)

    def test_passes_on_and_says_what_went_through(self):
        process, port = self.start("--delay", "1ms", "--down.rate", "10MB/s")
        server = threading.Thread(target=self.echo_once)
        server.start()
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(client.makefile("rb").read(), b"hello")
        server.join()
        process.terminate()
        figures = json.loads(process.stdout.readline())
        self.assertEqual(process.wait(PATIENCE), 0)
        self.assertEqual(figures["up"]["delivered"], 5)
        self.assertAlmostEqual(figures["down"]["busy_s"], 5 / 10e6, places=6)

    def test_follows_a_schedule(self):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as schedule:
            schedule.write("0 cut\n3600 open  # 36 ms later\n")
            schedule.flush()
            _, port = self.start("--schedule", schedule.name, "--time-scale", "100000")
            server = threading.Thread(target=self.echo_once)
            server.start()
            while True:  # the test's own limit ends it when the link never opens
                try:
                    client = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
                    break
                except ConnectionRefusedError:
                    continue
            with client:
                client.sendall(b"x")
                self.assertEqual(client.recv(1), b"x")
            server.join()

    def test_refuses_with_a_sentence(self):
        for options in (["--rate", "fast"], ["--speed", "3"], ["--delay"], ["--schedule", "/does/not/exist"]):
            run = subprocess.run([PROGRAM, "--target", self.target, *options], capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(run.returncode, 2, options)
            self.assertIn("link_emulator: ", run.stderr)


if __name__ == "__main__":
    unittest.main()
