"""The house keeps its shape: rooms, floors, and a light front door."""

import re
import subprocess
import sys
from pathlib import Path

import grimp

ROOT = Path(__file__).parent.parent
SRC = ROOT / "src" / "rota"


def in_a_fresh_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_rooms_keep_to_their_floors() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([str(linter)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_module_is_part_of_an_import_cycle() -> None:
    graph = grimp.build_graph("rota", exclude_type_checking_imports=False)
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            assert not graph.chain_exists(imported, module), f"{module} and {imported} import each other"


def test_the_model_uses_nothing_but_the_standard_library() -> None:
    for file in (SRC / "model").glob("*.py"):
        for line in re.findall(r"^(?:from|import) (\w+)", file.read_text(), re.MULTILINE):
            assert line in sys.stdlib_module_names | {"rota"}, f"{file.name} imports {line}"


def test_importing_rota_loads_no_server_no_sql_and_no_wire() -> None:
    heavy = in_a_fresh_process(
        "import sys, rota; rota.App\n"
        "names = ('grpc', 'sqlalchemy', 'alembic', 'uvicorn', 'prometheus_client', 'rota.storage',\n"
        "         'rota.engine', 'rota.transport', 'rota.house')\n"
        "print(' '.join(n for n in names if n in sys.modules))"
    )
    assert heavy == ""


def test_nothing_keeps_a_room_for_odds_and_ends() -> None:
    assert not [path for path in SRC.rglob("*.py") if path.stem in {"util", "utils", "common", "helpers", "misc"}]


def test_bare_wall_clock_time_is_read_in_one_place_only() -> None:
    bare = re.compile(r"\btime\.time(_ns)?\(|datetime\.(now|utcnow|today)\(")
    readers = {path.relative_to(SRC).as_posix() for path in SRC.rglob("*.py") if bare.search(path.read_text())}
    assert readers <= {"life/clock.py"}, readers
