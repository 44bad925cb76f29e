"""Reading fixed big-endian layouts without ever reading past the end."""

from __future__ import annotations

from touchstone_client.errors import VerifyError


class Reader:
    """A cursor over untrusted bytes."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int, field: str) -> bytes:
        """Return the next ``count`` bytes."""
        end = self._at + count
        if end > len(self._data):
            raise VerifyError("truncated", f"{field}: input ends {end - len(self._data)} bytes too early")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def uint(self, size: int, field: str) -> int:
        """Return the next unsigned integer of ``size`` bytes."""
        return int.from_bytes(self.take(size, field), "big")

    def sint(self, size: int, field: str) -> int:
        """Return the next two's complement integer of ``size`` bytes."""
        return int.from_bytes(self.take(size, field), "big", signed=True)

    def finish(self) -> None:
        """Refuse bytes that are left over."""
        extra = len(self._data) - self._at
        if extra:
            raise VerifyError("trailing-bytes", f"{extra} trailing bytes")
