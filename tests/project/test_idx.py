"""The reader of IDX files: what it takes, and what it refuses by name."""

import gzip
import random
from pathlib import Path

import numpy as np
import pytest
from cases.damage import mutated

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def idx(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import idx

    return idx


def _bytes(values):
    sizes = np.array(values.shape, ">u4").tobytes()
    return bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes()


def _folder(path, labels, count=None):
    images = np.arange((count or len(labels)) * 4, dtype=np.uint8).reshape(-1, 2, 2)
    (path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(_bytes(images)))
    labels = np.array(labels, np.uint8)
    (path / "t10k-labels-idx1-ubyte").write_bytes(_bytes(labels))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_plain_and_packed_files_are_read(idx, tmp_path, pack):
    values = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    file = tmp_path / "any-name"
    file.write_bytes(pack(_bytes(values)))
    found = idx.read_idx(file)
    np.testing.assert_array_equal(found, values)
    found[0] = 1  # writable


GOOD = _bytes(np.arange(4, dtype=np.uint8))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        GOOD[:3],
        GOOD[:6],
        GOOD[:-1],
        GOOD + b"x",
        b"\1" + GOOD[1:],
        GOOD[:2] + b"\7" + GOOD[3:],
        GOOD[:3] + b"\0" + GOOD[4:],
        gzip.compress(GOOD, mtime=0)[:-9],
        gzip.compress(GOOD + b"x" * 100, mtime=0),
        b"\x1f\x8b" + b"junk" * 5,
    ],
)
def test_malformed_files_are_refused_by_name(idx, tmp_path, content):
    file = tmp_path / "broken-file"
    file.write_bytes(content)
    with pytest.raises(ValueError, match="broken-file"):
        idx.read_idx(file)


def test_a_folder_of_test_files_alone_is_split(idx, tmp_path):
    _folder(tmp_path, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    (train, train_labels), (test, test_labels) = idx.read_mnist(tmp_path)
    assert len(train) == len(train_labels)
    assert len(test) == len(test_labels)
    together = sorted([*train_labels.tolist(), *test_labels.tolist()])
    assert together == list(range(10))


def test_counts_and_labels_are_checked(idx, tmp_path):
    _folder(tmp_path, [0, 1, 2], count=2)
    with pytest.raises(ValueError, match="labels"):
        idx.read_mnist(tmp_path)
    _folder(tmp_path, [0, 1, 10])
    with pytest.raises(ValueError, match="10"):
        idx.read_mnist(tmp_path)


def test_missing_files_are_named(idx, tmp_path):
    with pytest.raises(FileNotFoundError, match="t10k"):
        idx.read_mnist(tmp_path)


def _fuzz(idx, path, count):
    """Read mutations of files, packed and not; how many were refused."""
    whole = _bytes(np.arange(60, dtype=np.uint8).reshape(5, 3, 4))
    sources, refused, rng = (whole, gzip.compress(whole)), [], random.Random(0)
    for i in range(count):
        path.write_bytes(mutated(rng, sources[i % 2]))
        try:
            found = idx.read_idx(path)
        except ValueError as error:
            refused.append(str(error))
        else:
            assert found.nbytes < 10_000  # another type of number, perhaps
    assert all(path.name in message for message in refused)
    return len(refused)


def test_mutated_files_do_no_harm(idx, tmp_path):
    assert _fuzz(idx, tmp_path / "some-file", 2_000) > 500


@pytest.mark.slow
def test_many_mutated_files_do_no_harm(idx, tmp_path):
    assert _fuzz(idx, tmp_path / "some-file", 100_000) > 25_000
