"""Landmarks of both formats on the face: which skin vertex each name is."""

import numpy as np

from mvlm.twins.face.slits import Slit

# Places on the average face, mm from the nose tip: x of the left side and y, on the surface. The order is that of
# `mvlm.faces.formats.landmarks`; the formula head has the same.
BROW = ((11, 55), (20, 58), (29, 59.5), (38, 58.5), (47, 54), (47, 51), (38, 54.5), (29, 55.5), (20, 54), (11, 51))
BROW_POINTS = {"outer": (47, 52.5), "middle": (29, 57.5), "inner": (11, 53)}
NOSE = ((9, 36), (10, 18), (15, 7), (18.5, -1.5), (13, -8), (5, -11))
SADDLE, PEAK, CHIN = (9, 36), (18, -1), (0, -67)
CONTOUR = ((71, 22), (69, 0), (66, -22), (60, -42), (45, -62), (29, -71), (14, -76))  # in front of the ear, to the chin
CHIN_POINT = (0, -78)
BORDER = 7  # ring around the mouth at the border of the red
LIDS, INNER_LIPS, OUTER_LIPS = (0.29, 0.5, 0.71), (-0.59, -0.2, 0.2, 0.59), (-0.66, -0.23, 0.0, 0.23, 0.66)
FRONT = -76.0  # mm; no landmark lies further behind


def landmarks(
    skin: np.ndarray, slits: dict[str, Slit], border: np.ndarray, visible: np.ndarray
) -> dict[str, int]:
    """Name -> skin vertex, of all 83 and 22 names that are on the face (ears are not).

    Args:
        skin: (N, 3) mm, the average face.
        slits: "left", "right" eye and "mouth".
        border: skin vertices on the border of the red of the lips.
        visible: skin vertices on the outside of the face.
    """
    pool = visible[skin[visible, 2] > FRONT]

    def nearest(x, y, rows=pool):
        away = (skin[rows, 0] - x) ** 2 + (skin[rows, 1] - y) ** 2
        close = rows[away <= away.min() + 1.0]  # under an overhang the foremost counts
        return int(close[np.argmax(skin[close, 2])])

    def on(rows, x):
        return int(rows[np.argmin(abs(skin[rows, 0] - x))])

    mouth = slits["mouth"]
    right_corner, left_corner = mouth.corners  # by ascending x
    half, middle = (skin[left_corner, 0] - skin[right_corner, 0]) / 2, skin[mouth.corners, 1].mean()
    upper, lower = border[skin[border, 1] > middle], border[skin[border, 1] < middle]
    named = {"nose tip": nearest(0, 0), "chin middle": nearest(*CHIN), "upper lip outer middle": on(upper, 0),
             "upper lip inner middle": on(mouth.upper, 0), "lower lip inner middle": on(mouth.lower, 0),
             "lower lip outer middle": on(lower, 0), "left mouth corner": int(left_corner),
             "right mouth corner": int(right_corner)}  # fmt: skip
    for word, sign in (("left", 1), ("right", -1)):
        eye = slits[word]
        inner, outer = eye.corners[::sign].tolist()
        width = skin[outer, 0] - skin[inner, 0]
        lids = [on(rows, skin[inner, 0] + share * width)
                for rows, shares in ((eye.upper, LIDS), (eye.lower, LIDS[::-1])) for share in shares]  # fmt: skip
        ring = [inner, *lids[:3], outer, *lids[3:]]
        named |= {f"outer {word} eye corner": outer, f"inner {word} eye corner": inner,
                  f"nose saddle {word}": nearest(sign * SADDLE[0], SADDLE[1]),
                  f"{word} nose peak": nearest(sign * PEAK[0], PEAK[1])}  # fmt: skip
        named |= {f"{place} {word} eyebrow": nearest(sign * x, y) for place, (x, y) in BROW_POINTS.items()}
        named |= {f"{word} eye {i}": vertex for i, vertex in enumerate(ring)}
        named |= {f"{word} brow {i}": nearest(sign * x, y) for i, (x, y) in enumerate(BROW)}
    nose = [*NOSE, *((-x, y) for x, y in reversed(NOSE))]
    named |= {f"nose {i}": nearest(x, y) for i, (x, y) in enumerate(nose)}
    lips = [left_corner, *(on(upper, -half * share) for share in OUTER_LIPS), right_corner,
            *(on(lower, half * share) for share in OUTER_LIPS),
            *(on(mouth.upper, -half * share) for share in INNER_LIPS),
            *(on(mouth.lower, half * share) for share in INNER_LIPS)]  # fmt: skip
    named |= {f"mouth {i}": int(vertex) for i, vertex in enumerate(lips)}
    contour = [*CONTOUR, CHIN_POINT, *((-x, y) for x, y in reversed(CONTOUR))]
    return named | {f"contour {i}": nearest(x, y) for i, (x, y) in enumerate(contour)}
