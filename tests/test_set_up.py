"""`./inv` while it makes .venv: what is said, what fails, and the real installers."""

import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pexpect
import pytest

from tests.checkouts import HALF, MADE, MAKING, STEPS, STOPPED, Checkout
from tests.commands import BIN, ROOT

pytestmark = pytest.mark.slow


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Return a fresh checkout."""
    return Checkout(tmp_path)


def test_unreachable_index_is_one_line(checkout):
    """A network that does not answer is named, with what to do; the next call tries again."""
    done = checkout.run(SAY="error: Failed to fetch x\n  Caused by: dns error")
    assert (done.code, done.out) == (1, "")
    log = checkout.root / ".venv/set-up.log"
    assert done.err == HALF + (
        "inv: the package index cannot be reached. Check the network or the proxy, then repeat. "
        f"All of it: {log}\n"
    )
    assert checkout.run().err == MADE


@pytest.mark.parametrize(
    "said",
    [
        "error: Failed to fetch\n  Caused by: invalid peer certificate: UnknownIssuer",
        "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] ...'))",
        "urllib3 connection broken by 'SSLError(...)': /simple/django/",
    ],
)
def test_certificate_that_is_not_trusted_is_named(checkout, said):
    """It is no lack of a network: the variable to set is in the line, and the log."""
    done = checkout.run(SAY=said)
    assert (done.code, done.out) == (1, "")
    assert done.err == HALF + (
        "inv: the certificate of the package index is not trusted. Set SSL_CERT_FILE to the file "
        "with the certificates of your network, then repeat. "
        f"All of it: {checkout.root}/.venv/set-up.log\n"
    )


def test_other_failure_shows_its_reason_and_keeps_the_rest(checkout):
    """The installer's own error stands in the line, all that it said in a log."""
    done = checkout.run(
        SAY="Resolved 9\nERROR: hash of \033[1msix\033[0m differs\nhttps://me:pw@x/y"
    )
    log = checkout.root / ".venv/set-up.log"
    assert done.code == 1
    assert done.err == HALF + (
        f"inv: 'uv' failed: ERROR: hash of [1msix[0m differs. All of it: {log}\n"
    )
    *_first, command, resolved, error, url, _end = log.read_text().split("\n")
    assert command.startswith("$ uv pip install ")
    assert (resolved, error) == ("Resolved 9", "ERROR: hash of [1msix[0m differs")
    assert url == "https://me:***@x/y"


KEPT = {
    "PIP_INDEX_URL": "http://x",
    "PIP_EXTRA_INDEX_URL": "http://x",
    "PIP_FIND_LINKS": "x",
    "PIP_CERT": "x",
    "PIP_CLIENT_CERT": "x",
    "PIP_PROXY": "x",
    "PIP_TRUSTED_HOST": "x",
    "PIP_CONFIG_FILE": "x",
    "PIP_DEFAULT_TIMEOUT": "9",
    "UV_INDEX_URL": "http://x",
    "UV_DEFAULT_INDEX": "http://x",
    "UV_INDEX": "http://x",
    "UV_INDEX_MINE_PASSWORD": "x",
    "UV_HTTP_TIMEOUT": "9",
    "UV_NATIVE_TLS": "1",
    "UV_CONFIG_FILE": "x",
    "SSL_CERT_FILE": "x",
    "REQUESTS_CA_BUNDLE": "x",
    "HTTPS_PROXY": "http://x",
    "NO_PROXY": "x",
}
DROPPED = (
    *("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_CONSTRAINT", "PIP_NO_BINARY", "PIP_PYTHON"),
    *("UV_SYSTEM_PYTHON", "UV_PYTHON", "UV_NO_BUILD", "UV_CONSTRAINT", "UV_EXCLUDE_NEWER"),
    *("UV_REQUIRE_HASHES", "UV_TARGET", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"),
)


def test_only_where_packages_come_from_may_be_set(checkout):
    """Index, proxy and certificate reach the installer; what would lead it elsewhere does not."""
    switched = {"PIP_USER": "1", "PIP_NO_DEPS": "1", "PIP_REQUIRE_VIRTUALENV": "1"}
    assert checkout.run(**KEPT, **dict.fromkeys(DROPPED, "1"), **switched).code == 0
    found = json.loads((checkout.root / "environment").read_text())
    assert {name: found.get(name) for name in KEPT} == KEPT
    assert [name for name in DROPPED if name in found] == []
    assert {name: found[name] for name in switched} == dict.fromkeys(switched, "0")


def unprivileged() -> None:
    """Let file permissions hold for root too (PR_CAPBSET_DROP of CAP_DAC_OVERRIDE)."""
    if os.geteuid() == 0:
        ctypes.CDLL(None, use_errno=True).prctl(24, 1, 0, 0, 0)


@pytest.mark.parametrize("stale", [False, True], ids=["fresh", "stale"])
def test_checkout_that_cannot_be_written_is_one_line(checkout, stale):
    """A read-only checkout says so, whether there is a .venv or not."""
    folder = checkout.root / ".venv" if stale else checkout.root
    if stale:
        checkout.run()
        checkout.lock.write_text("one==2\n")
    folder.chmod(0o555)
    done = subprocess.run(
        [checkout.inv], env=checkout.env(), preexec_fn=unprivileged, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    folder.chmod(0o755)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 2)
    assert done.stderr.startswith(MAKING + "inv: .venv cannot be made: Permission denied (")
    assert done.stderr.endswith("). Make the checkout writable, then repeat.\n")


def test_file_in_the_place_of_venv_is_one_line(checkout):
    """Whatever the system says of the folder, its reason is in the line."""
    (checkout.root / ".venv").write_text("")
    done = checkout.run()
    assert (done.code, done.out) == (1, "")
    assert done.err == MAKING + (
        f"inv: .venv cannot be made: File exists ({checkout.root}/.venv). Mend that, then repeat.\n"
    )


@pytest.mark.parametrize("step", [1, 2, 3])
def test_ctrl_c_is_one_line_and_130(checkout, step):
    """In each step, also where this process alone gets it; the next call starts from nothing."""
    started = checkout.start(SLOW="50", SLOW_STEP=str(step))
    deadline = time.monotonic() + 20
    while len(checkout.calls()) < step and time.monotonic() < deadline:
        time.sleep(0.01)
    started.send_signal(signal.SIGINT)
    _out, err = started.communicate(timeout=10)
    assert started.returncode == 130
    assert err == MAKING + "".join(STEPS[:step]) + STOPPED
    assert checkout.run().code == 0
    assert time.monotonic() < deadline  # the step that ran has ended too, and its lock


def test_terminal_shows_the_step_in_a_line_that_is_written_over(checkout):
    """Seconds and the installer's last line; at the end the line is gone. Ctrl-C ends it."""
    started = pexpect.spawn(
        "sh",
        ["-c", 'exec "$0"', str(checkout.inv)],
        env=checkout.env(SLOW="1.5", SAY="Downloading \033[31mx", TERM="xterm"),
        encoding="utf-8",
        timeout=20,
        dimensions=(24, 60),
    )
    started.expect_exact(MAKING.replace("\n", "\r\n"))
    started.expect_exact("\r\033[Kinv: step 1 of 3: an empty environment, 1 s: Downloading [3\r")
    started.expect_exact("\033[Kinv: step 2 of 3: the packages of requirements-dev.txt, 0")
    started.sendintr()
    started.expect(pexpect.EOF)
    started.close()
    assert started.before.replace("^C", "").endswith("\r\033[K" + STOPPED.replace("\n", "\r\n"))
    assert started.exitstatus == 130


def test_log_gets_a_line_now_and_then(checkout):
    """Without a terminal, each quarter of a minute is heard of."""
    started = checkout.start(SLOW="16", SAY="Downloading x")
    while len(checkout.calls()) < 2:
        time.sleep(0.1)
    started.send_signal(signal.SIGINT)
    _out, err = started.communicate(timeout=10)
    first, second = STEPS[:2]
    beat = first.replace("\n", ", 15 s: Downloading x\n")
    assert err == MAKING + first + beat + second + STOPPED


#: What leads pip elsewhere, but for the index, which this machine may need.
CONFIGURATION = """\
[global]
require-virtualenv = true
[install]
user = true
no-deps = true
require-hashes = true
"""


def certificates() -> dict[str, str]:
    """Return the variable that this machine may need for its own network."""
    return {name: os.environ[name] for name in ("SSL_CERT_FILE",) if name in os.environ}


def steps(said: str) -> str:
    """Return what was said without the lines that tell how long a step takes."""
    return re.sub(r"inv: step .*, \d+ s.*\n", "", said)


@pytest.fixture
def real_checkout(tmp_path: Path) -> Checkout:
    """Return a checkout that installs for real, with venv and pip, the task runner alone."""
    checkout = Checkout(tmp_path)
    checkout.uv.unlink()
    wanted, lines = ("invoke==", "flit-core=="), []
    for line in (ROOT / "requirements-dev.txt").read_text("utf-8").splitlines():
        if not line.startswith(" "):
            keep = line.startswith(wanted)
        if keep and "#" not in line:
            lines.append(line)
    checkout.lock.write_text("\n".join(lines) + "\n")
    shutil.copytree(ROOT / "ops", checkout.root / "ops", dirs_exist_ok=True)
    (checkout.root / "tasks.py").write_text(
        "from invoke import task\n\n@task\ndef hello(c):\n    print('hello')\n"
    )
    return checkout


def test_real_installation(real_checkout):
    """venv and pip install the hashed lock and the project, and the task runs."""
    first, second = real_checkout.run("hello"), real_checkout.run("hello")
    assert (first.code, first.out, steps(first.err)) == (0, "hello\n", MADE)
    assert (second.code, second.out, second.err) == (0, "hello\n", "")


def test_real_uv(real_checkout):
    """A real uv on PATH does the same."""
    real_checkout.uv.symlink_to(BIN / "uv")
    first, second = (real_checkout.run("hello", **certificates()) for _again in range(2))
    assert (first.code, first.out, steps(first.err)) == (0, "hello\n", MADE)
    assert (second.code, second.out, second.err) == (0, "hello\n", "")


def test_real_pip_without_an_index(real_checkout):
    """pip's own words for an index that does not answer are understood."""
    done = real_checkout.run(PIP_INDEX_URL="http://127.0.0.1:9/", PIP_CONFIG_FILE=os.devnull)
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[-1] == (
        "inv: the package index cannot be reached. Check the network or the proxy, then repeat. "
        f"All of it: {real_checkout.root}/.venv/set-up.log"
    )


def test_real_pip_with_a_wrong_hash(real_checkout):
    """A package whose hash is not the lock's is not installed, and the line says so."""
    lock = real_checkout.lock.read_text()
    real_checkout.lock.write_text(re.sub(r"sha256:\w{64}", "sha256:" + "0" * 64, lock))
    done = real_checkout.run("hello")
    assert (done.code, done.out) == (1, "")
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.err


@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_real_installers_with_variables_that_lead_elsewhere(real_checkout, tool, tmp_path):
    """PIP_USER, PIP_TARGET and their like change nothing, and no configuration of pip's does."""
    if tool == "uv":
        real_checkout.uv.symlink_to(BIN / "uv")
    (tmp_path / "pip.conf").write_text(CONFIGURATION)
    variables = dict.fromkeys(("PIP_USER", "PIP_NO_DEPS", "PIP_REQUIRE_HASHES"), "1")
    variables |= dict.fromkeys(("UV_SYSTEM_PYTHON", "UV_NO_BUILD", "UV_REQUIRE_HASHES"), "1")
    variables |= {"PIP_TARGET": str(tmp_path / "target"), "PIP_PREFIX": str(tmp_path / "prefix")}
    variables |= {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "PYTHONPATH": "/nowhere"}
    done = real_checkout.run("hello", **variables, **certificates())
    assert (done.code, done.out, steps(done.err)) == (0, "hello\n", MADE)
    assert [name for name in ("target", "prefix") if (tmp_path / name).exists()] == []


@pytest.mark.parametrize(("tool", "variable"), [("pip", "PIP_CERT"), ("uv", "SSL_CERT_FILE")])
def test_real_installers_with_a_certificate_that_is_not_trusted(real_checkout, tool, variable):
    """The installers' own words for it are understood, and the variable is the installer's."""
    if tool == "uv":
        real_checkout.uv.symlink_to(BIN / "uv")
    other = real_checkout.root / "other.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other"]
    subprocess.run([*make, "-keyout", os.devnull, "-out", other], check=True, capture_output=True)
    only = {"PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull, "UV_HTTP_RETRIES": "0"}
    done = real_checkout.run("hello", **only, **{variable: str(other)})
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[-1] == (
        f"inv: the certificate of the package index is not trusted. Set {variable} to the file "
        "with the certificates of your network, then repeat. "
        f"All of it: {real_checkout.root}/.venv/set-up.log"
    )
