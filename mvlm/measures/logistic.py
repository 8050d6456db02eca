"""Logistic regression with an L2 penalty, for a few strengths of it at once: scikit-learn's objective, solved faster.

Shapes: N samples, D features, C classes, S strengths.
"""

import numpy as np

OPTIONS = {"ftol": 0, "maxiter": 10_000, "maxfun": 10_000}  # so that the gradient decides
TOLERANCE = 1e-4  # of the gradient, in coordinates where the objective is about as curved in every direction


def weights(x: np.ndarray, y: np.ndarray, strengths: tuple[float, ...], tolerance: float = TOLERANCE) -> np.ndarray:
    """(S, C, D + 1) weights of each class, the intercept last, that minimise

    `sum_i -log softmax(W x_i + b)[y_i] + 1/(2 strength) |W|^2`, with |W|^2 twice for two classes, as scikit-learn has
    one row of weights for both. Each fit starts at the last one's solution.

    Features of frozen embeddings go together, and L-BFGS is slow along what the few large directions leave over. So it
    is run in the principal axes of `x`, each divided by the root of its curvature, with the same solution.

    Args:
        x: (N, D) standardised features.
        y: (N,) classes 0..C-1, each of them there.
        strengths: inverse penalties, from the strongest penalty to the weakest.
        tolerance: of the largest entry of the gradient, over sqrt(N).
    """
    from scipy.optimize import minimize

    samples, own = len(x), np.arange(y.max() + 1)[:, None] == y  # (C, N)
    wanted = tolerance * samples**0.5
    spread, axes = np.linalg.eigh(x.T @ x)  # (D,), (D, D)
    spread = np.append(spread.clip(0), samples)
    rotated = np.concatenate([x @ axes, np.ones((samples, 1))], 1)  # (N, D + 1)
    solution, found = np.zeros((len(own), len(spread))), []
    for strength in strengths:
        penalty = np.append(np.full(len(axes), (2 if len(own) == 2 else 1) / strength), 0)
        p = _softmax(solution @ rotated.T)[0]
        scale = 1 / np.sqrt(spread * (p * (1 - p)).mean() + penalty)
        told = rotated * scale, own, penalty * scale**2
        start = (solution / scale).ravel()
        result = minimize(_objective, start, told, "L-BFGS-B", jac=True, options=OPTIONS | {"gtol": wanted})
        solution = result.x.reshape(solution.shape) * scale
        found.append(np.concatenate([solution[:, :-1] @ axes.T, solution[:, -1:]], 1))
    return np.stack(found)


def _objective(flat: np.ndarray, x: np.ndarray, own: np.ndarray, penalty: np.ndarray) -> tuple[float, np.ndarray]:
    """Value and gradient by weights (C * D,), given features (N, D), whose is whose (C, N) and a penalty each (D,)."""
    w = flat.reshape(len(own), -1)
    logits = w @ x.T  # (C, N)
    p, log_sums = _softmax(logits)
    pull = w * penalty
    return log_sums.sum() - logits.sum(where=own) + np.vdot(w, pull) / 2, ((p - own) @ x + pull).ravel()


def _softmax(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (C, N) and the logarithms (N,) of what divides them."""
    largest = logits.max(0)
    odds = np.exp(logits - largest)
    sums = odds.sum(0)
    return odds / sums, np.log(sums) + largest
