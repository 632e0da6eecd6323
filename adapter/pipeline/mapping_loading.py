"""Mappings and policy, loaded together: each names codes and hospitals that the others must know."""

from pathlib import Path
from typing import TYPE_CHECKING

from adapter.errors import PolicyError
from adapter.mapping.folder.version import POLICY_FILE, overlay_files
from adapter.settings import Settings
from adapter.texts import say

if TYPE_CHECKING:  # a command imports what it needs, and `adapter status` needs little
    from adapter.disclosure.policy import Policy
    from adapter.mapping.loader import Mappings
    from adapter.mapping.terminology.code_tables import CodeTables

__all__ = ["load_mappings", "policy_warnings"]


def load_mappings(settings: Settings, folder: Path | None = None) -> "Mappings":
    """The mappings of the settings, or an edition of them in `folder`, checked, with the policy as it is
    now. Raises MappingError with every mistake, PolicyError with the policy's.
    """
    from adapter.disclosure.policy_loader import load_policy
    from adapter.mapping.loader import Mappings
    from adapter.records.model import MAPPED_TYPES

    policy = load_policy(settings.mappings_folder / POLICY_FILE)
    never = frozenset(policy.never.fields)
    fields = {kind: frozenset(type_.model_fields) - never | {"cadre"} for kind, type_ in MAPPED_TYPES.items()}
    mappings = Mappings.load(folder or settings.mappings_folder, fields)
    problems = (*_unknown_codes(policy, mappings, settings), *policy.misspelled_hospitals(settings.hospitals))
    if problems:
        raise PolicyError("disclosure.invalid", problems, path=POLICY_FILE)
    return mappings


def _unknown_codes(policy: "Policy", mappings: "Mappings", settings: Settings) -> tuple[str, ...]:
    """Codes that the policy names and no table has: neither this edition's nor the folder's, since the
    policy may already name what a mapping that waits to be accepted brings.
    """
    from adapter.mapping.terminology.table_files import load_code_tables

    def codes_of(name: str, *editions: "CodeTables") -> frozenset[str]:
        return frozenset(code for one in editions if name in one.tables for code in one.tables[name].concepts)

    def unknown(*editions: "CodeTables") -> tuple[str, ...]:
        return policy.unknown_codes(codes_of("measures", *editions), codes_of("services", *editions))

    if not unknown(mappings.codes):
        return ()
    return unknown(mappings.codes, load_code_tables(settings.mappings_folder / "codes", []))


def policy_warnings(settings: Settings) -> tuple[str, ...]:
    """What in the policy and the overlays is not wrong, but perhaps not meant: one line each."""
    from adapter.disclosure.policy_loader import load_policy
    from adapter.mapping.language.keywords import closest_choices

    folder, known = settings.mappings_folder, settings.hospitals
    strangers = load_policy(folder / POLICY_FILE).unknown_hospitals(known)
    overlaid = [path.stem for path in overlay_files(folder) if path.stem not in known]
    return (
        *(say("disclosure.stranger", name=name) for name in strangers),
        *(say("mapping.stranger", name=name, nearest=closest_choices(name, known)) for name in overlaid),
    )
