"""Documentation names what exists, and what exists is documented."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from code_names import find_name, rooms, short_name
from typer.main import get_command

from adapter.cli.app import app
from adapter.cli.terminal.files_or_command import FilesOrCommand
from adapter.cli.terminal.output import pages
from adapter.delivery.decisions.response_verdicts import PARK_REASONS
from adapter.delivery.read_back.lookup import SEARCH_IGNORED
from adapter.demo.checks import TYPES
from adapter.disclosure.policy import WithholdReason
from adapter.ledger.entries.row_values import REASON_INVALID
from adapter.ledger.parking import REASON_TOO_OLD
from adapter.ledger.schema.states import EntryState
from adapter.records.model import MAPPED_TYPES
from adapter.settings import (
    AlarmSettings,
    CentreSettings,
    HospitalSettings,
    MailSettings,
    Settings,
    SourceSettings,
    load_settings,
)
from adapter.settings.client import ProxySettings
from adapter.settings.console import ConsoleSettings, OidcSettings
from adapter.settings.hl7v2 import Hl7v2Settings, MllpSettings
from adapter.settings.national_xml import NationalXmlSettings
from adapter.settings.pdf import PdfFolderSettings, PdfSettings
from adapter.texts import LANGUAGES, catalogue

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
OPERATING = (ROOT / "docs" / "operating.md").read_text("utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
NAMING = [ROOT / "CONTRIBUTING.md", ROOT / "docs" / "architecture.md"]  # every name on these is of the code
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
TEMPLATES = ROOT / "adapter" / "operations" / "templates"


def _commands() -> dict[str, set[str]]:
    """Every command, "inbox link" style, and its options; the general ones under ""."""
    found: dict[str, set[str]] = {}

    def walk(command: object, path: tuple[str, ...]) -> None:
        options = {option for one in command.params for option in one.opts if option.startswith("--")}
        children = getattr(command, "commands", {})
        found[" ".join(path)] = options
        for name, child in children.items():
            if name == FilesOrCommand.files:  # which is said without its name
                found[" ".join(path)] |= {option for one in child.params for option in one.opts}
            else:
                walk(child, (*path, name))

    walk(get_command(app), ())
    return found


COMMANDS = _commands()
GROUPS = {
    "audit",
    "cadre",
    "mapping",
    "hospital",
    "referral",
    "result",
    "source",
    "staff",
    "",
    "terminology",
}  # which do nothing alone


def _code(text: str) -> list[str]:
    """Everything in code spans and blocks."""
    return re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_that_a_page_names_exists(page: Path) -> None:
    wrong = []
    for code in _code(page.read_text("utf-8")):
        for words in re.findall(r"(?:^|[`$/ ])adapter ((?:[a-z-]+ ?)+)(.*)", code):
            said = words[0].split()
            known = next(
                (name for end in (3, 2, 1) if (name := " ".join(said[:end])) in COMMANDS), " ".join(said)
            )
            if known not in COMMANDS:
                wrong.append(words[0])
                continue
            options = set(re.findall(r"(?<![\w-])--[a-z-]+", words[1].split("`")[0].split("#")[0]))
            wrong += [f"{known} {one}" for one in options - COMMANDS[known] - COMMANDS[""] - {"--help"}]
    assert wrong == []


def test_every_command_is_on_the_operating_page() -> None:
    missing = [name for name in COMMANDS.keys() - GROUPS if f"`adapter {name}`" not in OPERATING]
    assert missing == []


def _named_settings(heading: str) -> set[str]:
    table = OPERATING.split(heading)[1].split("| setting |")[1].split("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines()[2:] if line.startswith("|")]
    return {name for cell in cells for name in re.findall(r"`([a-z0-9_.]+)`", cell)}


def test_the_operating_page_names_the_settings_that_exist() -> None:
    general = set(Settings.model_fields) - {
        "alarm",
        "centre",
        "console",
        "hospitals",
        "mllp",
        "pdf",
        "proxy",
        "sources",
    }
    assert _named_settings("## Settings") == general | {
        f"centre.{name}" for name in CentreSettings.model_fields
    }
    assert _named_settings("For each hospital") == set(HospitalSettings.model_fields)
    assert _named_settings("For each source") == set(SourceSettings.model_fields)
    assert _named_settings("Certificates are believed") == set(ProxySettings.model_fields)
    assert _named_settings("is taken over MLLP") == set(MllpSettings.model_fields)
    assert _named_settings("And in `[hospitals.NAME.hl7v2]`") == set(Hl7v2Settings.model_fields)
    assert _named_settings("comes over HTTPS from whoever") == set(NationalXmlSettings.model_fields)
    assert _named_settings("stands in a section `[pdf]`") == set(PdfSettings.model_fields)
    assert _named_settings("listens where the section `[console]`") == {
        *(set(ConsoleSettings.model_fields) - {"oidc"}),
        *(f"oidc.{name}" for name in OidcSettings.model_fields),
    }
    assert _named_settings("And in `[hospitals.NAME.pdf]`") == set(PdfFolderSettings.model_fields)
    mail = {f"mail.{name}" for name in MailSettings.model_fields}
    assert _named_settings("For alarms") == set(AlarmSettings.model_fields) - {"mail"} | mail


def test_every_reason_and_state_is_explained() -> None:
    assert [reason for reason in WithholdReason if f"`{reason}`" not in OPERATING] == []
    assert [state for state in EntryState if f"| {state} |" not in ARCHITECTURE] == []


def test_every_reason_to_park_has_its_section_and_its_words() -> None:
    sections = OPERATING.split("\n## What is parked\n")[1].split("\n## ")[0]
    reasons = [*PARK_REASONS, REASON_INVALID, REASON_TOO_OLD]
    assert sorted(re.findall(r"^### (.+)$", sections, re.MULTILINE)) == sorted(reasons)
    for reason in reasons:
        section = sections.split(f"\n### {reason}\n")[1].split("\n### ")[0]
        assert "`adapter " in section, reason
        assert [language for language in LANGUAGES if f"reason.{reason}" not in catalogue(language)] == []
        [line] = pages([reason])
        assert line.endswith(f"docs/operating.md#{reason}")


def test_every_problem_that_a_person_must_know_has_its_row() -> None:
    section = OPERATING.split("\n## What a person must know\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    named = {word for cell in cells for word in re.findall(r"`([a-z-]+)`", cell)}
    words = {key.removeprefix("problems.") for key in catalogue("en") if key.startswith("problems.")}
    aside = {word for word in words if word.startswith("col_")} | {"none", "some", "with_workers"}
    assert named == words - aside


def test_every_trouble_of_a_hospital_is_explained() -> None:
    table = OPERATING.split("\n## What leaves a hospital alone\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")][1:]
    named = {word for cell in cells for word in re.findall(r"`([a-z-]+)`", cell)}
    sources = [path.read_text("utf-8") for path in (ROOT / "adapter" / "delivery").rglob("*.py")]
    raised = {code for text in sources for code in re.findall(r'(?:hospital|why)="([a-z-]+)"', text)}
    words = {key.removeprefix("hospital.trouble_") for key in catalogue("en") if "hospital.trouble_" in key}
    assert (raised | {SEARCH_IGNORED}) - named == set()
    assert {code.replace("-", "_") for code in named} == words


def _uncommented(language: str) -> str:
    text = (TEMPLATES / f"adapter.{language}.toml").read_text("utf-8")
    return re.sub(r"^#(?=[a-z\[])", "", text, flags=re.MULTILINE)


def test_both_settings_templates_say_the_same() -> None:
    assert tomllib.loads(_uncommented("en")) == tomllib.loads(_uncommented("vi"))


def test_the_settings_template_shows_every_setting_with_its_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ADAPTER_LANG", "ADAPTER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "adapter.toml"
    file.write_text(_uncommented("en"), "utf-8")
    shown, defaults = load_settings(file), Settings()
    shipped = {
        "hospitals",
        "sources",
        "mappings",
        "public_url",
        "audit_key",
        "proxy",
        "mllp",
        "pdf",
        "console",
    }  # which have no default that could be shown
    hidden = {**dict.fromkeys(shipped, True), "alarm": {"webhook", "webhook_token", "mail"}}
    assert shown.model_dump(exclude=hidden) == defaults.model_dump(exclude=hidden)
    named = tomllib.loads(_uncommented("en"))
    assert set(named) == set(Settings.model_fields)
    assert set(named["hospitals"]["bv-tinh"]) == set(HospitalSettings.model_fields) - {"name"}
    assert set(named["proxy"]) == set(ProxySettings.model_fields)
    assert set(named["mllp"]) == set(MllpSettings.model_fields)
    assert set(named["console"]) == set(ConsoleSettings.model_fields)
    assert set(named["console"]["oidc"]) == set(OidcSettings.model_fields)
    assert set(named["pdf"]) == set(PdfSettings.model_fields)
    assert set(named["hospitals"]["bv-tinh"]["pdf"]) == set(PdfFolderSettings.model_fields)
    hl7v2 = named["hospitals"]["bv-tinh"]["hl7v2"]
    assert set(hl7v2) == set(Hl7v2Settings.model_fields)
    national_xml = named["hospitals"]["bv-tinh"]["national_xml"]
    assert set(national_xml) == set(NationalXmlSettings.model_fields)
    assert set(named["sources"]["his"]) == set(SourceSettings.model_fields)
    assert set(named["alarm"]) == set(AlarmSettings.model_fields)
    assert set(named["alarm"]["mail"]) == set(MailSettings.model_fields)
    assert named["sources"]["his"]["schedule"] == SourceSettings.model_fields["schedule"].default
    defaulted = {"schedule", "doctor_schedule", "timeout_seconds", "concurrency", "max_entries", "max_bytes"}
    defaulted |= {"requests_per_second", "retract"}
    defaulted = {"schedule", "timeout_seconds", "concurrency", "max_entries", "max_bytes", "max_age_days"}
    for name in defaulted:
        assert named["hospitals"]["bv-tinh"][name] == HospitalSettings.model_fields[name].default


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop().resolve()
        if page in reached or not page.exists():
            continue
        reached.add(page)
        if page.is_dir():
            waiting.append(page / "README.md")
        elif page.suffix == ".md":
            links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
            waiting += [page.parent / link for link in links if "://" not in link]
    assert [page.name for page in PAGES if page.resolve() not in reached] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_files_that_a_page_names_exist(page: Path) -> None:
    spans = re.findall(r"`([^`\n]+)`", page.read_text("utf-8"))
    named = {one for span in spans for one in re.findall(r"^(?:adapter|tests|mappings)/[\w./<>-]+", span)}
    examples = {
        "mappings/hospitals/NAME.yaml",
        "mappings/inbound/NAME.yaml",
        "mappings/<name>.yaml",
        "mappings/codes/<table>.csv",
    }
    assert [one for one in sorted(named - examples) if not (ROOT / one).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_modules_that_a_page_names_exist(page: Path) -> None:
    named = set(re.findall(r"`(adapter(?:\.\w+)+)`", page.read_text("utf-8")))
    files = {"adapter.toml", "adapter.db"}
    assert [one for one in sorted(named - files) if find_name(one) is None] == []


@pytest.mark.parametrize("page", NAMING, ids=lambda page: page.name)
def test_every_function_and_class_that_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(r"`([A-Za-z_]\w*(?:\.\w+)+)`", page.read_text("utf-8")))
    files = {one for one in named if one.endswith((".toml", ".md", ".yaml", ".csv"))}
    assert named - files
    assert [one for one in sorted(named - files) if short_name(one) is None] == []


def test_the_architecture_page_names_every_package_and_room() -> None:
    table = ARCHITECTURE.split("## Packages")[1].split("\n## ")[0]
    missing = []
    for room in rooms():
        _, package, *inner = room.split(".")
        [line] = [line for line in table.splitlines() if line.startswith(f"| `adapter/{package}` ")] or [""]
        if not line and f"`adapter/{package}`" not in table:
            missing.append(room)
        if inner and f"`{inner[0]}`" not in (line or table):
            missing.append(room)
    assert missing == []


def test_the_architecture_page_shows_the_layers_and_the_pure_modules() -> None:
    contracts = {one["name"].partition(" (")[0]: one for one in PROJECT["tool"]["importlinter"]["contracts"]}
    shown = ARCHITECTURE.split("## Who may import whom")[1].split("```")[1].strip().splitlines()
    assert shown == contracts["who may import whom"]["layers"]
    named = set(re.findall(r"`(adapter[\w.]+)`", ARCHITECTURE.split("- Pure modules")[1].split("\n- ")[0]))
    assert named == set(contracts["pure modules do no input or output"]["source_modules"])


def test_the_mapping_page_names_every_record_type_and_field_that_a_mapping_may_read() -> None:
    page = (ROOT / "docs" / "mapping.md").read_text("utf-8")
    lines = re.findall(
        r"^\| `([a-z]+)` \| (.+) \|$", page.partition("## Records")[2].partition("## ")[0], re.M
    )
    named = {kind: set(re.findall(r"`([a-z0-9_]+)`", re.sub(r"\([^)]*\)", "", text))) for kind, text in lines}
    hidden = {"tier", "position"}
    assert named == {kind: set(type_.model_fields) - hidden for kind, type_ in MAPPED_TYPES.items()}


def test_the_mapping_page_names_every_type_that_a_shipped_mapping_makes() -> None:
    page = (ROOT / "docs" / "mapping.md").read_text("utf-8").partition("## What is mapped")[2]
    made = {
        yaml.safe_load(path.read_text("utf-8")).get("resource") for path in (ROOT / "mappings").glob("*.yaml")
    } - {None}
    assert [type_ for type_ in made if not re.search(rf"^\|[^|]*\b{type_}\b", page, re.M)] == []
    assert made - {"Provenance"} == set(TYPES)  # the demo looks at all; Provenance is sealed
