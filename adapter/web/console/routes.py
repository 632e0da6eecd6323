"""All pages of the console, area by area, in the order of the menu."""

from collections.abc import Sequence

from adapter.web.console import (
    accounts_pages,
    day_pages,
    events,
    hospital_pages,
    import_pages,
    inbox_pages,
    operating_pages,
    outside_pages,
    people_pages,
    referral_pages,
    result_pages,
    sign_in_pages,
    turned_away_pages,
    year_pages,
)
from adapter.web.console.visit import ConsoleRoute

__all__ = ["AREAS", "ROUTES"]

AREAS: Sequence[Sequence[ConsoleRoute]] = (
    sign_in_pages.ROUTES,
    outside_pages.ROUTES,
    events.ROUTES,
    day_pages.ROUTES,
    import_pages.ROUTES,
    inbox_pages.ROUTES,
    referral_pages.ROUTES,
    result_pages.ROUTES,
    people_pages.ROUTES,
    hospital_pages.ROUTES,
    operating_pages.ROUTES,
    turned_away_pages.ROUTES,
    year_pages.ROUTES,
    accounts_pages.ROUTES,
)
ROUTES: Sequence[ConsoleRoute] = tuple(route for area in AREAS for route in area)
