"""The job of `adapter sync` with fhirpy: what is referred to first, an update by identifier a resource.

    python benchmarks/rivals/with_fhirpy.py URL FOLDER THREADS

FOLDER holds the Bundles of `adapter plan --out`. fhirpy makes no transactions, so each entry goes by itself,
its references resolved to the ids that the server gave. Prints resources and seconds.
"""

import json
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote

from fhirpy import SyncFHIRClient

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.bundles import Person, people

_WITHIN = re.compile(rb'"reference":"(urn:uuid:[^"]+)"')


def send(client: SyncFHIRClient, person: Person) -> int:
    """All of one person; how many resources."""
    count, inside = 0, {}
    for body in person.bodies():
        for entry in json.loads(body)["entry"]:
            text = _WITHIN.sub(
                lambda found: b'"reference":"%s"' % inside[found[1].decode()].encode(),
                json.dumps(entry["resource"], separators=(",", ":")).encode(),
            )
            type_, _, condition = entry["request"]["url"].partition("?")
            name, _, token = condition.partition("=")
            search = client.resources(type_).search(**{name: unquote(token)})
            saved, _ = search.update(client.resource(type_, **json.loads(text)))
            inside[entry["fullUrl"]] = f"{type_}/{saved['id']}"
            person.learn([entry], [inside[entry["fullUrl"]]])
            count += 1
    return count


def main() -> None:
    """Send and print."""
    url, folder, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    client = SyncFHIRClient(url)
    everybody = people(folder)
    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        count = sum(pool.map(lambda person: send(client, person), everybody))
    print(count, time.perf_counter() - started)


if __name__ == "__main__":
    main()
