"""The job of `adapter sync` with fhir-kindling: a transaction Bundle at a time.

    python benchmarks/rivals/with_kindling.py URL FOLDER THREADS

FOLDER holds the Bundles of `adapter plan --out`. Prints resources and seconds.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fhir_kindling import FhirServer

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.bundles import Person, people


def send(server: FhirServer, person: Person) -> int:
    """All of one person; how many resources."""
    count = 0
    for body in person.bodies():
        entries = json.loads(body)["entry"]
        answer = server.add_bundle({"resourceType": "Bundle", "type": "transaction", "entry": entries})
        person.learn(entries, [one.location for one in answer.create_responses])
        count += len(entries)
    return count


def main() -> None:
    """Send and print."""
    url, folder, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    server = FhirServer(api_address=url)
    everybody = people(folder)
    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        count = sum(pool.map(lambda person: send(server, person), everybody))
    print(count, time.perf_counter() - started)


if __name__ == "__main__":
    main()
