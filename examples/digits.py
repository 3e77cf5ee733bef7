"""Provide the handwritten digits of scikit-learn, as 60,000 randomly shifted copies.

MNIST has as many rows, but these come from only 1,437 different images.
"""

from __future__ import annotations

import numpy as np

TEST_ROWS = 360
BRIGHTEST = 16

Part = tuple[np.ndarray, np.ndarray]


def grown_digits(rows: int = 60_000, seed: int = 0) -> tuple[Part, Part]:
    """Return (images, labels) for training and (images, labels) for the test.

    Images are float32 in [0, 1], one row of 64 pixels each; labels are uint8. The
    images are split first, and only the 1,437 training images are multiplied, by random
    shifts of at most one pixel, so that no test image is ever trained on.
    """
    (train, train_labels), (test, test_labels) = split_digits(seed)
    rng = np.random.default_rng(seed)
    source = rng.integers(len(train), size=rows)
    down, right = rng.integers(-1, 2, size=(2, rows))
    grown = shifted(train, source, down, right)
    return (_rows(grown), train_labels[source]), (_rows(test), test_labels)


def split_digits(seed: int = 0) -> tuple[Part, Part]:
    """Split the 1,797 images (8, 8) and labels: 1,437 for training, 360 for the test.

    Each class has the same share of both parts.
    """
    load_digits, train_test_split = _scikit_learn()
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8).astype(np.float32) / BRIGHTEST
    train, test, train_labels, test_labels = train_test_split(
        images,
        labels.astype(np.uint8),
        test_size=TEST_ROWS,
        stratify=labels,
        random_state=seed,
    )
    return (train, train_labels), (test, test_labels)


def shifted(
    images: np.ndarray, source: np.ndarray, down: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """Take images ``source``, moved down and right by -1, 0 or 1 and padded by 0."""
    # A window that begins further up in the padded image shows the image further down.
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (8, 8), axis=(1, 2))
    return windows[source, 1 - down, 1 - right]


def _rows(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1)


def _scikit_learn() -> tuple:
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ModuleNotFoundError as error:
        raise SystemExit(
            "The digits come with scikit-learn, which is not installed: "
            "`pip install 'xgrad[examples]'`. Or pass the files of MNIST with --data."
        ) from error
    return load_digits, train_test_split
