"""Whether a query only reads: one SELECT, and nothing that writes, locks or reaches out of the database.

The connection only reads too, where the database can do that; this is said when the source file is read,
before anything is sent. It knows no dialect: what would be read differently in two is read in both ways.
"""

import re
from itertools import product

__all__ = ["is_plain_select"]

_WRITES = re.compile(
    r"\b(?:insert|update|delete|merge|into|call|exec|execute|truncate|drop|alter|create|grant|revoke|attach|copy)\b"
    r"|\bfor\s+(?:no\s+key\s+)?(?:share|key)\b"
    r"|\block\s+in\b",
    re.IGNORECASE,
)
_REACHES = re.compile(
    r"\b(?:pg_read_\w+|pg_ls_\w+|pg_stat_file|pg_terminate_backend|pg_cancel_backend|pg_reload_conf|lo_\w+|dblink\w*"
    r"|load_file|load_extension|readfile|writefile|fts3_tokenizer|setval|nextval|set_config|query_to_xml\w*"
    r"|xp_\w+|openrowset|opendatasource|utl_\w+|dbms_\w+|sys_exec|sys_eval)\s*\(",
    re.IGNORECASE,
)
_EXECUTED_COMMENT = re.compile(r"/\*[!+M]")  # MySQL and MariaDB run what is in it


def is_plain_select(statement: str) -> bool:
    """Whether it is a single SELECT, perhaps behind WITH."""
    if _EXECUTED_COMMENT.search(statement):
        return False
    return all(
        _reads_only(_bare(statement, backslashes=backslashes, hashes=hashes))
        for backslashes, hashes in product((False, True), repeat=2)
    )


def _bare(statement: str, *, backslashes: bool, hashes: bool) -> str:
    """Without comments, and with nothing left in quotes. What never ends is left as it is."""
    text = r"'(?:[^'\\]|''|\\.)*'" if backslashes else r"'(?:[^']|'')*'"
    name = r'"(?:[^"\\]|""|\\.)*"' if backslashes else r'"(?:[^"]|"")*"'
    comment = r"--[^\n]*|#[^\n]*" if hashes else r"--[^\n]*"
    pattern = rf"(?s:/\*.*?\*/)|{comment}|({text}|{name}|`[^`]*`|\[[^\]\n]*\])"
    return re.sub(pattern, lambda found: " q " if found[1] else " ", statement, flags=re.DOTALL)


def _reads_only(bare: str) -> bool:
    begins = re.match(r"[\s(]*(select|with)\b", bare, re.IGNORECASE)
    return bool(begins) and ";" not in bare and not _WRITES.search(bare) and not _REACHES.search(bare)
