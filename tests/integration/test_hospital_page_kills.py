"""`adapter serve` is killed while a form of a clerk is under way: sent again it is there once, and whole."""

import random
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
import page_centre
from page_centre import Clerk, referral, state_of

from adapter.records.model import Result
from adapter.referrals.lifecycle import ReferralState

KILLS = 8
LONGEST = (
    0.12  # seconds between sending a form and the kill: before, in the middle of, and after its transaction
)


def test_a_form_that_was_sent_again_after_a_kill_is_one_action(tmp_path: Path, database_url: str) -> None:
    chance = random.Random(9)  # noqa: S311 - moments, no secret
    centre = page_centre.page_centre(tmp_path, database_url, referral("GT-1"))
    answered = 0
    with centre, centre.open() as adapter:
        base = centre.start_endpoint().removesuffix("/fhir")
        with httpx.Client(base_url=base, follow_redirects=True, timeout=30) as browser:
            clerk = Clerk(browser, adapter)
            assert clerk.sign_in().status_code == 200
            clerk.send("GT-1", "accept")
            for number in range(KILLS):
                fields = {**clerk.hidden("GT-1"), "conclusion": f"lần {number}", "extent": "some"}
                statuses: list[int] = []

                def send(fields: dict[str, str] = fields, statuses: list[int] = statuses) -> None:
                    with suppress(httpx.TransportError):
                        statuses.append(clerk.post("GT-1", "findings", fields).status_code)

                sending = threading.Thread(target=send)
                sending.start()
                time.sleep(chance.uniform(0, LONGEST))
                centre.stop("serve", signal.SIGKILL)
                sending.join()
                centre.start_endpoint()
                answered += statuses == [303]
                assert statuses in ([], [303])
                assert clerk.post("GT-1", "findings", fields).status_code == 303
            centre.wait_until_matched()
        results = [one for one in adapter.records.iterate("result") if isinstance(one, Result)]
        assert sorted(one.conclusion or "" for one in results) == [f"lần {number}" for number in range(KILLS)]
        assert state_of(adapter, "GT-1") is ReferralState.VISIT_DONE
    assert answered < KILLS, "no kill was early enough"
