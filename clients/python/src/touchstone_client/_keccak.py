"""Keccak-256 with the original padding (0x01), which ``hashlib`` does not have: its SHA-3 pads with 0x06."""

from __future__ import annotations

RATE = 136
_MASK = (1 << 64) - 1


def _round_constants() -> tuple[int, ...]:
    """Return the constants of step iota (FIPS 202 section 3.2.5), from their shift register."""
    register, constants = 1, []
    for _ in range(24):
        constant = 0
        for j in range(7):
            if register & 1:
                constant |= 1 << ((1 << j) - 1)
            register <<= 1
            if register & 0x100:
                register ^= 0x171
        constants.append(constant)
    return tuple(constants)


def _rotations() -> tuple[tuple[int, int, int], ...]:
    """Return (from, to, rotation) of steps rho and pi together for the lanes in the order of pi's walk."""
    steps, x, y = [], 1, 0
    for t in range(24):
        target = (y, (2 * x + 3 * y) % 5)
        steps.append((x + 5 * y, target[0] + 5 * target[1], (t + 1) * (t + 2) // 2 % 64))
        x, y = target
    return tuple(steps)


_CONSTANTS = _round_constants()
_STEPS = _rotations()


def _permute(a: list[int]) -> list[int]:
    for constant in _CONSTANTS:
        c = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
        d = [c[x - 1] ^ ((c[(x + 1) % 5] << 1 | c[(x + 1) % 5] >> 63) & _MASK) for x in range(5)]
        a = [lane ^ d[i % 5] for i, lane in enumerate(a)]
        b = a[:]
        for source, target, by in _STEPS:
            b[target] = (a[source] << by | a[source] >> (64 - by)) & _MASK
        a = [b[i] ^ (~b[i - i % 5 + (i + 1) % 5] & b[i - i % 5 + (i + 2) % 5] & _MASK) for i in range(25)]
        a[0] ^= constant
    return a


def keccak256(data: bytes, *, padding: int = 0x01) -> bytes:
    """Return the 32 bytes of the hash. With ``padding`` 0x06 it is SHA3-256, by which the tests check it."""
    padded = bytearray(data)
    padded.append(padding)
    padded.extend(bytes(-len(padded) % RATE))
    padded[-1] |= 0x80
    state = [0] * 25
    for start in range(0, len(padded), RATE):
        for i in range(RATE // 8):
            state[i] ^= int.from_bytes(padded[start + 8 * i : start + 8 * i + 8], "little")
        state = _permute(state)
    return b"".join(lane.to_bytes(8, "little") for lane in state[:4])
