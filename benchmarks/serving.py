"""get-tags serve beside a plain server: FastAPI around transformers.pipeline, the same model, the same texts.

    python benchmarks/serving.py HOME TEXTS.jsonl [--seconds 10] [--rounds 3] [--changes 50] [--parts load changes]

HOME has a live model and one before it; TEXTS.jsonl an object with a text on each line. Each server is a process of its
own, and they are asked in turn, so that whatever else the machine does falls on both (requests per second of the
server's own processor time say how it would do alone); clients are threads of this one
with a connection each, which send the next text when the answer has come.
`changes`: deploys and rollbacks in turn, by `get_tags_train.deploy`, while 16 clients ask. Prints one JSON object.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

PLAIN = """
import sys
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline
import socket, uvicorn
name_tags = pipeline("text-classification", sys.argv[1], top_k=5)
app = FastAPI()
class Question(BaseModel):
    text: str
    TOP_N: int = 5
@app.post("/get_tags")
def get_tags(question: Question):
    return name_tags([question.text], truncation=True, top_k=question.TOP_N)[0]
listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as on the sockets that uvicorn opens itself
print('{"url": "http://127.0.0.1:%d"}' % listening.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run(sockets=[listening])
"""


@contextmanager
def server(command: list[str]) -> Iterator[tuple[str, psutil.Process]]:
    """A server's address and process, while it runs; it prints one line of JSON with its url."""
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    try:
        assert running.stdout is not None
        yield json.loads(running.stdout.readline())["url"], psutil.Process(running.pid)
    finally:
        running.terminate()
        running.wait()


class Load:
    """Clients that ask one text after the other until told to stop; every answer's time and status is kept."""

    def __init__(self, at: tuple[str, psutil.Process], texts: list[str], clients: int) -> None:
        url, self._process = at
        self._address, self._texts = urlsplit(url).netloc, texts
        self.answers: list[
            tuple[float, float, int]
        ] = []  # when it came, seconds it took, status; 0 for a lost connection
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number, clients)) for number in range(clients)]

    def __enter__(self) -> "Load":
        self._started, self._cpu_before = time.perf_counter(), sum(self._process.cpu_times()[:2])
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self.seconds = time.perf_counter() - self._started
        self.cpu_seconds = sum(self._process.cpu_times()[:2]) - self._cpu_before

    def _ask(self, number: int, clients: int) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=60)
        place = number
        while not self._stop.is_set():
            body = json.dumps({"text": self._texts[place % len(self._texts)], "TOP_N": 5})
            place += clients
            began = time.perf_counter()
            try:
                connection.request("POST", "/get_tags", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                status = answer.status
            except (OSError, http.client.HTTPException):
                connection.close()
                status = 0
            now = time.perf_counter()
            self.answers.append((now, now - began, status))


def figures(loads: list[Load]) -> dict[str, Any]:
    """Requests a second, percentiles in milliseconds, failed requests and the longest time without an answer."""
    answers = [answer for load in loads for answer in load.answers]
    took = [1e3 * seconds for _, seconds, _ in answers]
    pauses = [b - a for load in loads for a, b in pairwise(sorted(when for when, _, _ in load.answers))]
    percentiles = statistics.quantiles(took, n=100)
    return {
        "requests": len(took),
        "failed": sum(status != 200 for _, _, status in answers),
        "requests_per_second": round(len(took) / sum(load.seconds for load in loads), 2),
        "requests_per_cpu_second": round(len(took) / sum(load.cpu_seconds for load in loads), 2),
        "p50_ms": round(percentiles[49], 1),
        "p99_ms": round(percentiles[98], 1),
        "longest_request_ms": round(max(took), 1),
        "longest_pause_ms": round(1e3 * max(pauses), 1),
    }


def measure(at: tuple[str, psutil.Process], texts: list[str], clients: int, seconds: float) -> Load:
    """So many clients for so long."""
    with Load(at, texts, clients) as load:
        time.sleep(seconds)
    return load


def change(at: tuple[str, psutil.Process], texts: list[str], home: Path, changes: int) -> dict[str, Any]:
    """Figures of 16 clients while other models go live, one after the other, by a process of its own."""
    answering = set()
    with Load(at, texts, 16) as load:
        changing = subprocess.Popen([sys.executable, __file__, str(home), "--change", str(changes)])
        while changing.poll() is None:
            connection = http.client.HTTPConnection(urlsplit(at[0]).netloc, timeout=60)
            connection.request("GET", "/model")
            model = json.load(connection.getresponse())
            answering.add((model["name"], model["since"]))
            time.sleep(0.2)
        time.sleep(2)
    return {"changes": changes, "change_overs_seen": len(answering), **figures([load])}


def change_live(home: Path, changes: int) -> None:
    """Roll back and deploy in turn, a change about every second."""
    from get_tags_train.core.home import live_model
    from get_tags_train.deployment.deploy import deploy, rollback

    live, first = home / "_live", live_model(home / "_live")
    for number in range(changes):
        if number % 2 == 0:
            rollback(live)
        else:
            deploy(first, live, keep_versions=3, on_event=lambda _: None)
        time.sleep(0.5)


def main() -> None:
    """Run the parts and print their figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("texts", type=Path, nargs="?")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--changes", type=int, default=50)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--parts", nargs="+", default=["load", "changes"])
    parser.add_argument("--change", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.change:
        change_live(options.home, options.change)
        return
    texts = [json.loads(line)["text"] for line in options.texts.read_text(encoding="utf-8").splitlines()]
    plain = [sys.executable, "-c", PLAIN, str(options.home / "_live" / "get_tags")]
    ours = [sys.executable, "-m", "get_tags_train", "serve", "--json", "--port", "0", "--home", str(options.home)]
    found: dict[str, Any] = {}
    if "load" in options.parts:
        with server(plain) as plain_at, server(ours) as ours_at:
            servers = {"plain": plain_at, "ours": ours_at}
            for at in servers.values():
                measure(at, texts, 16, 3)  # to warm up
            for clients in options.clients:
                loads: dict[str, list[Load]] = {"plain": [], "ours": []}
                for _ in range(options.rounds):
                    for name, at in servers.items():
                        loads[name].append(measure(at, texts, clients, options.seconds))
                found[f"{clients} clients"] = {name: figures(of_one) for name, of_one in loads.items()}
    if "changes" in options.parts:
        with server(ours) as at:
            found["changes"] = change(at, texts, options.home, options.changes)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
