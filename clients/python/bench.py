"""How long one verification takes, of one feed out of twelve; run by `python bench.py`."""

from __future__ import annotations

import json
import timeit
from pathlib import Path

from touchstone_client import Verifier

VECTORS = Path(__file__).resolve().parents[2] / "tests" / "vectors" / "update" / "valid"

for name in ("tree-00012-middle", "secp256k1-tree-00012-middle"):
    vector = json.loads((VECTORS / f"{name}.json").read_text())
    verifier = Verifier(vector["network_id"], vector["group_keys"])
    update = bytes.fromhex(vector["update"])
    runs, seconds = timeit.Timer(lambda: verifier.verify(update)).autorange()  # noqa: B023
    print(f"{name}: {seconds / runs * 1e6:,.0f} us")
