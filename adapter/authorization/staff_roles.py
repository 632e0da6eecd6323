"""Who of the centre's own staff may see and do what in the console: one table. Pure."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

__all__ = ["ROLES", "Permission", "StaffRole", "permissions_of"]


class StaffRole(StrEnum):
    """What somebody is at the centre. A person may be several."""

    CLERK = "clerk"
    NURSE = "nurse"
    DOCTOR = "doctor"
    IT = "it"
    HEAD = "head"
    AUDITOR = "auditor"


class Permission(StrEnum):
    """What a page or an act of the console asks for."""

    OWN_ACCOUNT = "own-account"
    SEE_DAY = "see-day"
    IMPORT_RECORDS = "import-records"
    LINK_RESULTS = "link-results"
    SEE_RESULTS = "see-results"
    ACKNOWLEDGE_RESULTS = "acknowledge-results"
    SEE_PEOPLE = "see-people"
    SEE_REFERRALS = "see-referrals"
    ACT_ON_REFERRALS = "act-on-referrals"
    SEE_HOSPITALS = "see-hospitals"
    RUN_HOSPITALS = "run-hospitals"
    ACCEPT_MAPPINGS = "accept-mappings"
    TRACE_VALUES = "trace-values"
    DECIDE_REFUSED = "decide-refused"
    SEE_AUDIT = "see-audit"
    SEE_YEAR = "see-year"
    EXPORT_YEAR = "export-year"
    MANAGE_ACCOUNTS = "manage-accounts"


_P = Permission
ROLES: Mapping[StaffRole, frozenset[Permission]] = {
    StaffRole.CLERK: frozenset(
        {_P.SEE_DAY, _P.IMPORT_RECORDS, _P.LINK_RESULTS, _P.SEE_RESULTS, _P.SEE_PEOPLE}
        | {_P.SEE_REFERRALS, _P.ACT_ON_REFERRALS, _P.SEE_HOSPITALS, _P.DECIDE_REFUSED}
    ),
    StaffRole.NURSE: frozenset(
        {_P.SEE_DAY, _P.LINK_RESULTS, _P.SEE_RESULTS, _P.SEE_PEOPLE, _P.SEE_REFERRALS, _P.ACT_ON_REFERRALS}
    ),
    StaffRole.DOCTOR: frozenset(
        {_P.SEE_DAY, _P.LINK_RESULTS, _P.SEE_RESULTS, _P.ACKNOWLEDGE_RESULTS, _P.SEE_PEOPLE}
        | {_P.SEE_REFERRALS, _P.ACT_ON_REFERRALS, _P.SEE_YEAR}
    ),
    StaffRole.IT: frozenset(  # who keeps the machines running needs nobody's findings
        {_P.SEE_HOSPITALS, _P.RUN_HOSPITALS, _P.ACCEPT_MAPPINGS, _P.TRACE_VALUES, _P.SEE_AUDIT}
        | {_P.DECIDE_REFUSED, _P.MANAGE_ACCOUNTS}
    ),
    StaffRole.HEAD: frozenset(
        {_P.SEE_DAY, _P.SEE_RESULTS, _P.SEE_PEOPLE, _P.SEE_REFERRALS, _P.SEE_HOSPITALS, _P.SEE_YEAR}
        | {_P.EXPORT_YEAR, _P.MANAGE_ACCOUNTS}
    ),
    StaffRole.AUDITOR: frozenset({_P.SEE_AUDIT, _P.SEE_YEAR}),
}


def permissions_of(roles: Iterable[StaffRole]) -> frozenset[Permission]:
    """All that these roles may; whoever is signed in may manage the account of their own."""
    return frozenset({_P.OWN_ACCOUNT}).union(*(ROLES[one] for one in roles))
