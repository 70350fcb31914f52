"""The directory of compiled kernels: another for every build, and never one that somebody else could write to."""

import os
import warnings
from pathlib import Path

import pytest

from kernels import cache


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_default_and_chosen_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache.root() == tmp_path / ".cache" / "thalex-quoter"
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache.root() == Path("/x/thalex-quoter")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/y")
    assert cache.root() == Path("/y")


def test_a_new_directory_is_private_and_kept() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = cache.directory()
        assert path == cache.directory() == cache.root() / cache.key()
    assert path.stat().st_mode & 0o777 == 0o700
    assert cache.is_private(path)


def test_a_generous_umask_does_not_open_it() -> None:
    before = os.umask(0o002)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            cache.directory()
    finally:
        os.umask(before)


def test_key_depends_on_the_sources_the_processor_and_the_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NUMBA_BOUNDSCHECK", raising=False)
    keys = {cache.key()}
    monkeypatch.setenv("NUMBA_BOUNDSCHECK", "1")
    keys.add(cache.key())
    monkeypatch.setattr(cache.binding, "get_host_cpu_name", lambda: "another")
    keys.add(cache.key())
    (tmp_path / "a.py").write_text("1")
    monkeypatch.setattr(cache, "__file__", str(tmp_path / "cache.py"))
    keys.add(cache.key())
    (tmp_path / "a.py").write_text("2")
    keys.add(cache.key())
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    keys.add(cache.key())
    assert len(keys) == 6


def refused() -> Path:
    with pytest.warns(cache.CacheWarning, match="is not used for compiled kernels"):
        path = cache.directory()
    assert cache.is_private(path)
    assert cache.root() not in path.parents
    return path


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
@pytest.mark.parametrize("parent", [False, True])
def test_a_directory_that_others_may_write_to_is_refused(mode: int, parent: bool) -> None:
    path = cache.directory()
    (path.parent if parent else path).chmod(mode)
    refused()


def test_a_link_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    cache.root().mkdir(parents=True, mode=0o700)
    (cache.root() / cache.key()).symlink_to(elsewhere)
    refused()


def test_a_directory_of_somebody_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    path = cache.directory()
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    assert not cache.is_private(path)


def test_a_place_that_cannot_be_made_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/dev/null/here")
    refused()
