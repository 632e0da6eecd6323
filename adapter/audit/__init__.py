"""Who did what to whose data: append-only and hash-chained. It holds no clinical value and no name.

Each row holds the hash of the row before it, so a changed, removed or inserted row breaks the chain
from there on; the head row (`audit_head`) shows a cut-off end. Database triggers refuse UPDATE and
DELETE. Hashes are keyed by a secret that lies outside the database (`use_key`), so that whoever may drop
the triggers cannot make a row that holds; rows from before there was a key stay as they were. Where the key
is changed, the first row under the new one seals all rows before it (`change_key`): their own key is not
needed any more. Cutting the end off, or putting an older database back, is seen by whoever remembered
`chain_head()` elsewhere (`adapter.pipeline.remembered_head`).

`subject` is an opaque hash that the caller makes (a keyed hash of the cadre), never a key or a name.
"""

from adapter.audit.chain import ChainReading, change_key, check_chain, verify_chain
from adapter.audit.log import (
    ChainHead,
    append,
    audit,
    audit_head,
    chain_head,
    configuration_digest,
    has_appended,
    hash_at,
    newest,
    use_key,
)
from adapter.audit.withheld import (
    WithheldCount,
    disclosure_refusal,
    forget_withheld,
    rename_subjects,
    set_withheld,
    withheld_counts,
    withheld_of_subject,
)

__all__ = [
    "ChainHead",
    "ChainReading",
    "WithheldCount",
    "append",
    "audit",
    "audit_head",
    "chain_head",
    "change_key",
    "check_chain",
    "configuration_digest",
    "disclosure_refusal",
    "forget_withheld",
    "has_appended",
    "hash_at",
    "newest",
    "rename_subjects",
    "set_withheld",
    "use_key",
    "verify_chain",
    "withheld_counts",
    "withheld_of_subject",
]
