"""Kernels that number texts where they lie, by first appearance: a hash table with linear probing (Knuth 1998, section 6.4, algorithm L)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from polygraft.core.kernel import inner_kernel, kernel
from polygraft.data.kernels.words import first_bytes, places, word

_SHORT = 16  # bytes: up to so many, a text is its own key; a longer one's key is its hash and where it lies
_START = 512  # texts that a table has room for at first
_BATCH = 64  # texts that are looked up at once
_K1, _K2, _K3 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0xFF51AFD7ED558CCD)
_ONE, _HALF, _LOW, _ALL = np.uint64(1), np.uint64(32), np.uint64(2**32 - 1), np.uint64(2**64 - 1)


@inner_kernel
def _hash(first, second, length):  # type: ignore[no-untyped-def]
    """Two words and a length, by the steps of MurmurHash3's 64-bit finaliser."""
    mixed = (first ^ (second * _K2) ^ (second >> np.uint64(29)) ^ np.uint64(length)) * _K1
    mixed = (mixed ^ (mixed >> _HALF)) * _K3
    return mixed ^ (mixed >> _HALF)


@inner_kernel
def _long_hash(at, length):  # type: ignore[no-untyped-def]
    """The hash of a text that is longer than a word; its last word may overlap the one before."""
    mixed = np.uint64(length)
    for i in range(0, length - 8, 8):
        mixed = (mixed ^ word(at + i)) * _K1
        mixed ^= mixed >> _HALF
    return _hash(mixed, word(at + length - 8), length)


@inner_kernel
def _same(at, other, length):  # type: ignore[no-untyped-def]
    """Whether two texts of one length, longer than a word, are equal."""
    for i in range(0, length - 8, 8):
        if word(at + i) != word(other + i):
            return False
    return word(at + length - 8) == word(other + length - 8)


@inner_kernel
def _number(first, second, length, row, hashed, slots, keys, known):  # type: ignore[no-untyped-def]
    """The number of a text: `known`, its key kept, when it is new."""
    mask, tag = np.uint64(len(slots) - 1), hashed >> _HALF
    place = tag & mask
    while slots[place] != 0:
        number = (slots[place] & _LOW) - _ONE
        if slots[place] >> _HALF == tag and keys[number, 0] == first and keys[number, 2] == np.uint64(length):
            other = keys[number, 1]
            if other == second or (length > _SHORT and _same(np.int64(second), np.int64(other), length)):
                return np.int64(number)
        place = (place + _ONE) & mask
    slots[place] = tag << _HALF | np.uint64(known + 1)
    keys[known, 0], keys[known, 1], keys[known, 2], keys[known, 3] = first, second, np.uint64(length), np.uint64(row)
    return known


@inner_kernel
def _keys_of(offsets, data, end, trusted, lines):  # type: ignore[no-untyped-def]
    """lines: uint64 [texts, 4]: both words of a text's key, its length, and its hash."""
    for i in range(len(lines)):
        at, length = data + np.int64(offsets[i]), np.int64(offsets[i + 1]) - np.int64(offsets[i])
        if length <= _SHORT:
            lines[i, 0], lines[i, 1] = first_bytes(at, length, end), first_bytes(at + 8, length - 8, end)
            lines[i, 3] = _hash(lines[i, 0], lines[i, 1], length) & trusted
        else:
            lines[i, 3] = _long_hash(at, length) & trusted
            lines[i, 0], lines[i, 1] = lines[i, 3], np.uint64(at)
        lines[i, 2] = np.uint64(length)


@inner_kernel
def _at_once(lines, slots, keys, found):  # type: ignore[no-untyped-def]
    """found[i], uint64 = the number of line i + 1 where its key stands in its hash's own place; else 0.

    No step waits for the one before, so that the processor fetches what many texts need from memory at the same time.
    """
    mask = np.uint64(len(slots) - 1)
    for i in range(len(lines)):
        found[i] = slots[lines[i, 3] >> _HALF & mask] & _LOW
    for i in range(len(lines)):
        number = found[i] - np.uint64(found[i] != 0)
        apart = (keys[number, 0] ^ lines[i, 0]) | (keys[number, 1] ^ lines[i, 1]) | (keys[number, 2] ^ lines[i, 2])
        found[i] = found[i] if apart == 0 else np.uint64(0)


@kernel
def number_texts(offsets, data, end, validity, bit, row, trusted, slots, keys, known, out):  # type: ignore[no-untyped-def]
    """out[i], int32 = text i's number, 0 where it is null. Returns how many texts are numbered, and how many there are now.

    Stops when `keys` may be full: the caller makes room and goes on. offsets, data, end: as `places` gives them; validity:
    uint8 bitmap, `bit` the first text's, empty when none is null; row: the first text's; trusted: the bits of hashes that
    are looked at. slots: uint64, a power of two, more than `keys`: the hash's upper half and the number + 1; 0 is free.
    keys: uint64 [room, 4], by number: both words of a short text, or hash and address of a long one; length; first row.
    """
    lines, found = np.empty((_BATCH, 4), np.uint64), np.empty(_BATCH, np.uint64)
    for start in range(0, len(out), _BATCH):
        if known + _BATCH > len(keys):
            return start, known
        count = min(_BATCH, len(out) - start)
        _keys_of(offsets[start:], data, end, trusted, lines[:count])
        _at_once(lines[:count], slots, keys, found)
        for i in range(count):
            at = bit + start + i
            if len(validity) and (validity[at >> 3] >> (at & 7)) & 1 == 0:
                out[start + i] = 0
            elif found[i]:
                out[start + i] = found[i] - _ONE
            else:
                first, second, length, hashed = lines[i, 0], lines[i, 1], np.int64(lines[i, 2]), lines[i, 3]
                number = _number(first, second, length, row + start + i, hashed, slots, keys, known)
                known += number == known
                out[start + i] = number
    return len(out), known


@kernel
def number_keys(others, trusted, slots, keys, known, out):  # type: ignore[no-untyped-def]
    """The same of another table's keys."""
    for i in range(len(out)):
        if known == len(keys):
            return i, known
        first, second, length, row = others[i, 0], others[i, 1], np.int64(others[i, 2]), others[i, 3]
        hashed = _hash(first, second, length) & trusted if length <= _SHORT else first
        number = _number(first, second, length, row, hashed, slots, keys, known)
        known += number == known
        out[i] = number
    return len(out), known


@kernel
def move(slots, larger):  # type: ignore[no-untyped-def]
    """Fill a larger, empty table: where a slot goes is told by itself."""
    mask = np.uint64(len(larger) - 1)
    for slot in slots:
        if slot != 0:
            place = slot >> _HALF & mask
            while larger[place] != 0:
                place = (place + _ONE) & mask
            larger[place] = slot


class Numbers:
    """Which number each text has, by first appearance. It reads texts where they lie: their arrays must outlive it."""

    def __init__(self, trusted: np.uint64 = _ALL) -> None:
        self.known, self._trusted = 0, trusted
        self._slots, self._keys = np.zeros(4 * _START, np.uint64), np.empty((_START, 4), np.uint64)

    @property
    def rows(self) -> np.ndarray:
        """int64 [known]: where each text was first seen."""
        return self._keys[: self.known, 3].astype(np.int64)

    def add(self, texts: pa.StringArray | pa.LargeStringArray, row: int, out: np.ndarray) -> None:
        """out, int32 [texts]: each text's number; a null's means nothing. row: the first text's."""
        offsets, data, end = places(texts)
        bitmap = np.frombuffer(texts.buffers()[0], np.uint8) if texts.null_count else np.zeros(0, np.uint8)
        done = 0
        while done < len(out):
            where = offsets[done:], data, end, bitmap, texts.offset + done, row + done
            more, self.known = number_texts(*where, self._trusted, *self._table(), out[done:])
            done += more

    def merge(self, other: Numbers) -> np.ndarray:
        """int32 [other.known]: the number that each text of another has here."""
        out, done = np.empty(other.known, np.int32), 0
        while done < len(out):
            more, self.known = number_keys(other._keys[done:], self._trusted, *self._table(), out[done:])
            done += more
        return out

    def _table(self) -> tuple[np.ndarray, np.ndarray, int]:
        """Slots, keys and how many are known, with room for a batch more."""
        if self.known + _BATCH > len(self._keys):
            keys = np.empty((4 * len(self._keys), 4), np.uint64)
            keys[: self.known] = self._keys[: self.known]
            slots = np.zeros(4 * len(self._slots), np.uint64)
            move(self._slots, slots)
            self._keys, self._slots = keys, slots
        return self._slots, self._keys, self.known
