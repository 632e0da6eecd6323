"""How large a Bundle a hospital manages, as it was learnt (pure)."""

__all__ = ["next_bundle_size"]


def next_bundle_size(
    entries: int | None, took: int, seconds: float | None, timeout: float, ceiling: int
) -> int:
    """Entries of the next Bundle, after one of `took` was answered in `seconds` (None: it was too much,
    or no answer came in time). Half of what it was after that or after half of `timeout`: several that
    were under way together say so once. A tenth more after a full one in less than a quarter of it.
    """
    size = ceiling if entries is None else max(1, min(entries, ceiling))
    if seconds is None or seconds > timeout / 2:
        return min(size, max(1, took // 2))
    if took >= size and seconds <= timeout / 4:
        return min(ceiling, size + max(1, size // 10))
    return size
