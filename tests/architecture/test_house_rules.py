"""Rules of the house that no linter knows."""

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from barsmith.house import SERVICES, loaders
from shared.contracts import datasets
from shared.contracts.datasets import ALL_DATASETS, Dataset
from shared.contracts.kinds import JobKind
from shared.settings import SERVICE_PORTS

ROOT = Path(__file__).parents[2]
PACKAGES = ("barsmith", "shared", "simulated_exchange", *SERVICES.values())
MAX_LINES = 300
#: longer than MAX_LINES because they are tables of data, each with the reason
LONG_DATA_TABLES: dict[str, str] = {}
#: pages without the frame, each with the reason
LOOSE_SHEETS = {
    "simulation_service/templates/tearsheet.html": "saved and sent: it must refer to nothing outside itself"
}
CODE = {".py", ".sql", ".html", ".css", ".mjs", ".js"}
TEXT = CODE | {".md", ".toml", ".yml", ".yaml", ".txt", ".example", ".base", ".svg", ""}


def texts(suffixes: set[str] = TEXT) -> Iterator[Path]:
    for path in ROOT.rglob("*"):
        inside = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") for part in inside[:-1]) and inside[0] != ".ci"
        made = hidden or inside[0] in {"build", "dist"} or any(p.endswith((".egg-info", "__pycache__")) for p in inside)
        if not made and path.is_file() and path.suffix in suffixes and inside[-1] != ".git":
            yield path


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_file_outgrows_its_room():
    lengths = {named(path): len(path.read_text(encoding="utf-8").splitlines()) for path in texts(CODE)}
    too_long = {name: n for name, n in lengths.items() if n > MAX_LINES and name not in LONG_DATA_TABLES}
    assert not too_long, f"split these into a package of the same name: {too_long}"
    assert all(lengths.get(name, 0) > MAX_LINES for name in LONG_DATA_TABLES), "an exception nobody needs any more"


def test_the_command_line_knows_every_service():
    assert list(SERVICES) == list(SERVICE_PORTS)


def test_every_job_kind_has_exactly_one_handler():
    found = Counter(str(kind) for package in SERVICES.values() for kind in import_module(f"{package}.worker").LOADERS)
    assert found == Counter(str(kind) for kind in JobKind)


def test_every_job_kind_is_handled_by_the_service_that_owns_its_schema():
    for kind, target in loaders().items():
        module, _, attribute = target.partition(":")
        assert module.split(".")[0] == SERVICES[JobKind(kind).schema], kind
        assert callable(getattr(import_module(module), attribute)), target


def test_every_dataset_has_one_writing_service():
    assert len({dataset.name for dataset in ALL_DATASETS}) == len(ALL_DATASETS)
    constants = {name: value for name, value in vars(datasets).items() if isinstance(value, Dataset)}
    assert {value.name for value in constants.values()} == {dataset.name for dataset in ALL_DATASETS}
    found = {dataset.name: set[str]() for dataset in ALL_DATASETS}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for name in _written_datasets(path):
                if name in constants:
                    found[constants[name].name].add(package)
    assert found == {dataset.name: {SERVICES[dataset.writer]} for dataset in ALL_DATASETS}


def _written_datasets(path: Path) -> Iterator[str]:
    """Names of the constants handed to a lake's `upsert`, `replace` or `rewrite` in this file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            first = node.args[0]
            if node.func.attr in {"upsert", "replace", "rewrite"} and isinstance(first, ast.Name | ast.Attribute):
                yield first.id if isinstance(first, ast.Name) else first.attr


def test_migrations_are_numbered_without_gaps():
    for folder in ROOT.glob("*/**/sql/migrations"):
        if any(part.startswith(".") for part in folder.relative_to(ROOT).parts):
            continue
        names = sorted(path.name for path in folder.iterdir() if path.is_file())
        wrong = [name for name in names if not re.fullmatch(r"\d{4}_[a-z0-9_]+\.sql", name)]
        assert not wrong, f"{named(folder)}: {wrong}"
        assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1)), named(folder)


@pytest.mark.parametrize("package", [*SERVICES.values()])
def test_pages_extend_the_shared_base(package):
    pages = []
    for path in (ROOT / package / "templates").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        if named(path) in LOOSE_SHEETS:
            continue
        if re.match(r"""(\s|\{#.*?#\})*\{%-? extends ["']shared/base\.html["'] -?%\}""", text, re.DOTALL):
            pages.append(path)
        else:
            # a file of parts: macros and constants, nothing that is shown by itself
            parts = r"\{%-? macro .*?endmacro -?%\}|\{%-? (from|import|set) .*?%\}|\{#.*?#\}"
            rest = re.sub(parts, "", text, flags=re.DOTALL)
            assert not rest.strip(), f"{named(path)} neither extends shared/base.html nor holds only parts"
    assert pages, f"{package} has no page"


@pytest.mark.parametrize("package", [*SERVICES.values(), "shared/web"])
def test_a_part_that_is_drawn_anew_can_be_found(package):
    tags = [
        (named(path), tag)
        for path in (ROOT / package / "templates").rglob("*.html")
        for tag in re.findall(r"<\w+[^<>]*\sdata-refresh=[^<>]*", path.read_text(encoding="utf-8"))
    ]
    assert [(name, tag) for name, tag in tags if not re.search(r'\sid="[^"]', tag)] == []


@pytest.mark.parametrize("package", [*SERVICES.values()])
def test_every_service_has_the_same_rooms(package):
    folder = ROOT / package
    for room in ("app", "worker", "wiring", "settings", "routes", "pages", "jobs", "use_cases", "store"):
        assert (folder / f"{room}.py").is_file() or (folder / room / "__init__.py").is_file(), room
    assert (folder / "domain").is_dir()
    readme = (folder / "README.md").read_text(encoding="utf-8").splitlines()
    assert 5 <= len(readme) <= 70, f"{package}/README.md has {len(readme)} lines: one screen is wanted"


def test_no_text_names_a_machine_of_ours():
    # a path below somebody's own folders; built from parts so that this file does not find itself
    owned = re.compile(r"(?<![\w./~$*-])/(?:" + "|".join(["work", "root", "home", "Users"]) + r")/\w")
    for path in texts():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            assert not owned.search(line), f"{named(path)}:{number} names a path of one machine: {line.strip()}"


def test_locks_name_hashes_and_no_index():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-build.txt"):
        lock = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in lock, f"{name} names an address"
        pins = len(re.findall(r"^\S+==", lock, flags=re.MULTILINE))
        assert pins, f"{name} pins nothing"
        blocks = re.split(r"^(?=\S+==)", lock, flags=re.MULTILINE)[1:]
        assert all("--hash=sha256:" in block for block in blocks), f"{name} pins something without a hash"
    assert (
        (ROOT / "requirements-build.txt").read_text(encoding="utf-8").startswith(project["build-system"]["requires"][0])
    )


def test_runtime_and_development_locks_agree():
    runtime, development = (
        dict(re.findall(r"^([a-z0-9-]+)(?:\[.*?\])?==(\S+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))
        for name in ("requirements.txt", "requirements-dev.txt")
    )
    assert runtime == {name: development.get(name) for name in runtime}


def test_test_files_have_names_of_their_own():
    # tests are no package, so two files of one name would hide each other
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert not [name for name, count in names.items() if count > 1]


def test_every_decision_says_what_enforces_it():
    decisions = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert len(decisions) >= 10
    for decision in decisions:
        text = decision.read_text(encoding="utf-8")
        for heading in ("Context", "Decision", "Consequences", "Alternatives", "The check that enforces it"):
            assert f"\n## {heading}\n" in text, f"{decision.name} lacks {heading}"


def test_every_setting_is_in_the_example_environment():
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    for package in SERVICES.values():
        settings = import_module(f"{package}.settings").Settings
        for name, field in settings.model_fields.items():
            alias = field.validation_alias
            variable = getattr(alias, "choices", [alias])[0] or f"{settings.model_config['env_prefix']}{name}".upper()
            if name != "name":
                assert re.search(rf"^#? ?{variable}=", example, flags=re.MULTILINE), f"{package}: {variable}"


#: async because the library they speak through is; nothing else in these files may be
ASYNC_BY_PROTOCOL = {"simulated_exchange/stream.py", "ingestion_service/store/alpaca_stream.py"}


def test_only_the_web_room_is_async():
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if (ROOT / "shared" / "web") not in path.parents and named(path) not in ASYNC_BY_PROTOCOL:
                tree = ast.parse(path.read_text(encoding="utf-8"))
                found = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)]
                assert not found, f"{named(path)}:{found[0]} is async: only shared/web is"
