"""Start-up: importing `adapter`, and `adapter --help`, each in processes of its own; best and median.

Beside them a Python that imports nothing, since that is what no program can be quicker than. Fails when
the definitions or the models of FHIR are loaded for either.
"""

import statistics
import subprocess
import sys
import time

ROUNDS = 15
NEVER = (
    "adapter.fhir.definitions.types",
    "adapter.fhir.validation.type_shapes",
    "fhir",
    "pydantic",
    "sqlalchemy",
    "jinja2",
)
HELP = "from adapter.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass"
PROGRAMS = {
    "python alone": "",
    "import adapter": "import adapter",
    "adapter --help": HELP,
}


def seconds(program: str) -> float:
    """Wall-clock seconds of one process."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def loaded(program: str) -> list[str]:
    """Which of `NEVER` a program loads."""
    script = f"{program}\nimport sys\nprint('LOADED', *[one for one in {NEVER!r} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()[-1].split()[1:]


def main() -> None:
    """Print a line for each."""
    for name, program in PROGRAMS.items():
        assert loaded(program) == [], f"{name} loads {', '.join(loaded(program))}"
        times = [seconds(program) for _ in range(ROUNDS)]
        print(f"{name:16} best {min(times):.3f} s, median {statistics.median(times):.3f} s", flush=True)


if __name__ == "__main__":
    main()
