"""What starting a process costs: numba comes with the first simulation, not before."""

from __future__ import annotations

import subprocess
import sys


def test_neither_web_process_nor_worker_imports_numba_when_it_starts():
    # and keep_compiled_code relies on it: numba reads its cache folder when it is imported
    code = "import sys, simulation_service.app, simulation_service.worker; print('numba' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
