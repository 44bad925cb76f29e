"""The README's example, as it stands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import support
from touchstone_client import Pin
from touchstone_client.policy import now_ms

README = Path(__file__).resolve().parents[1] / "README.md"


def example() -> str:
    blocks = re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    return str(blocks[0])


def test_the_example_is_five_lines() -> None:
    lines = [line for line in example().splitlines() if line and not line.startswith(("import", "from"))]
    assert len(lines) <= 5
    compile(example(), str(README), "exec")


def run(url: str, pin: str) -> None:
    environment = os.environ | {"TOUCHSTONE_URL": url, "TOUCHSTONE_PIN": pin}
    done = subprocess.run(  # noqa: S603 - this interpreter, on our own text
        [sys.executable, "-c", example()], capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\d+\.\d+ \d+\.\d+ \d+\.\d+\n", done.stdout)


def test_the_example_runs_against_a_made_up_network(tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    path.write_text(json.dumps(support.pin()))
    now = now_ms()
    data = support.update([support.leaf(observed_at_ms=now)], timestamp_ms=now, network_id=Pin.load(path).network_id)
    with support.serve(support.answer(support.as_json(data))) as server:
        run(server.url, str(path))


def test_the_example_runs_against_the_network_of_the_environment() -> None:
    run(*support.network_of_the_environment())
