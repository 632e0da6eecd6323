"""python-hl7's client: sends each file on one connection, and prints MSA-1 and MSA-2 of each answer."""

import sys
from pathlib import Path

import hl7
from hl7.client import MLLPClient

with MLLPClient("127.0.0.1", int(sys.argv[1])) as client:
    for file in sys.argv[2:]:
        answer = hl7.parse(client.send_message(hl7.parse(Path(file).read_bytes().decode())).decode())
        print(answer["MSA"][0][1], answer["MSA"][0][2])
