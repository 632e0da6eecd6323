"""`adapter validate` as a person or a program runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

GOOD = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
BAD = {**GOOD, "valueInteger": 5, "dataAbsentReason": {"text": "a"}}
_EXTENSION = "http://hl7.org/fhir/StructureDefinition/operationoutcome-"


def run(*arguments: str, text: str = "") -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", "from adapter.cli import main; main()", "validate", *arguments],
        input=text.encode(),
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def write(path: Path, *resources: object) -> str:
    path.write_text("\n".join(json.dumps(one) for one in resources), "utf-8")
    return str(path)


def test_words_and_exit_codes(tmp_path: Path) -> None:
    good = write(tmp_path / "good.json", GOOD)
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": "urn:uuid:8b5cbd5e-6c0c-4d6e-8a0d-4f0f6f6a0001", "resource": GOOD},
            {"fullUrl": "urn:uuid:8b5cbd5e-6c0c-4d6e-8a0d-4f0f6f6a0002", "resource": BAD},
        ],
    }
    bad = write(tmp_path / "bad.json", bundle)
    assert run(good) == (0, "Resources: 1. With errors: 0. Errors: 0. Warnings: 0.\n", "")
    code, said, _ = run(good, bad)
    first, last = said.splitlines()
    assert code == 1
    assert first.startswith(f"{bad}: error [obs-6] Bundle.entry[1].resource: ")
    assert last == "Resources: 2. With errors: 1. Errors: 1. Warnings: 0."
    assert run(str(tmp_path / "none.json"))[0] == 2
    assert run()[0] == 2


def test_a_warning_is_no_error(tmp_path: Path) -> None:
    file = write(tmp_path / "warned.json", {**GOOD, "identifier": [{"system": "http://x"}]})
    code, said, _ = run(file)
    assert (code, said.split(": ")[1][:20]) == (0, "warning [identifier]")


def test_ndjson_goes_on_after_a_broken_line(tmp_path: Path) -> None:
    lines = "\n".join([json.dumps(GOOD), '{"resourceType": "Obs', "", json.dumps(BAD), "\u00e9"])
    file = tmp_path / "many.ndjson"
    file.write_bytes(lines.encode("latin-1"))
    for arguments, text in (([str(file)], ""), (["-"], lines)):
        code, said, _ = run("--ndjson", *arguments, text=text)
        outcomes = [json.loads(line) for line in said.splitlines()]
        assert code == 1
        assert [one["issue"][0]["severity"] for one in outcomes] == ["information", "fatal", "error", "fatal"]
        positions = [{e["url"]: e for e in one["issue"][0]["extension"]} for one in outcomes]
        assert [one[f"{_EXTENSION}issue-line"]["valueInteger"] for one in positions] == [1, 2, 4, 5]
        assert positions[0][f"{_EXTENSION}file"]["valueString"] == arguments[0]
        assert outcomes[2]["issue"][0]["expression"] == ["Observation"]
        assert outcomes[2]["issue"][0]["diagnostics"].startswith("[obs-6] ")


def test_json_is_an_array_whose_outcomes_are_valid_themselves(tmp_path: Path) -> None:
    code, said, _ = run("--json", "-", write(tmp_path / "b.json", BAD), text=json.dumps(GOOD))
    outcomes = json.loads(said)
    assert (code, len(outcomes)) == (1, 2)
    checked = write(tmp_path / "outcomes.ndjson", *outcomes)
    assert run(checked)[:2] == (0, "Resources: 2. With errors: 0. Errors: 0. Warnings: 0.\n")


def test_no_value_is_repeated(tmp_path: Path) -> None:
    file = write(tmp_path / "named.json", {**GOOD, "status": "Nguyễn Văn An", "Nguyễn Văn An": 1})
    for arguments in ([file], ["--json", file]):
        assert "Nguy" not in run(*arguments)[1]


def test_what_is_no_json_of_fhir_is_said_in_words(tmp_path: Path) -> None:
    patient = '{"resourceType":"Patient"%s}'
    said_of = {
        b'{"resourceType":"Patient","gender":"x","gender":"male"}': "an object has the property 'gender'",
        (patient % "").encode("utf-16"): "this is not JSON in UTF-8",
        (patient % ',"id":"é"').encode("latin-1"): "this is not JSON in UTF-8",
        (patient % ',"language":"\\ud800"').encode(): "this is not JSON (line 1, column ",
        (patient % ',"multipleBirthInteger":1e999999999').encode(): "a number is none that JSON has",
        (patient % ',"multipleBirthInteger":NaN').encode(): "a number is none that JSON has",
        f"{patient % ''}\n{patient % ''}\n".encode(): "more follows after the first document (line 2, ",
        b"": "this is not JSON (line 1, column 1)",
    }
    for number, (data, words) in enumerate(said_of.items()):
        file = tmp_path / f"{number}.json"
        file.write_bytes(data)
        code, said, problem = run("--no-second-opinion", str(file))
        assert (code, problem) == (1, "")
        assert said.startswith(f"{file}: error [structure] {words}")


def test_what_editors_and_other_systems_write_is_read(tmp_path: Path) -> None:
    file = tmp_path / "marked.NDJSON"
    smile = json.dumps({**GOOD, "code": {"text": "😀"}})  # a whole pair of surrogates
    file.write_bytes(b"\xef\xbb\xbf" + f"{json.dumps(GOOD)}\r\n\r\n{smile}\r\n".encode())
    assert run(str(file)) == (0, "Resources: 2. With errors: 0. Errors: 0. Warnings: 0.\n", "")


def test_a_file_name_of_any_bytes_is_printed(tmp_path: Path) -> None:
    file = os.fsencode(tmp_path) + b"/\xff.json"
    Path(os.fsdecode(file)).write_bytes(json.dumps(GOOD).encode())
    for form in ("--ndjson", "--json"):
        code, said, problem = run(form, os.fsdecode(file))
        assert (code, problem) == (0, "")
        assert "/\ufffd.json" in said
