"""Where the skin lies in the picture that `mvlm.twins.head.skin` paints: feature by feature.

That picture is laid out by the material coordinates of the formula head, mm. A feature of this face (edges of lids and
lips, border of the red, brows, nostrils, wings of the nose, chin, rim) is given the place of the same feature there;
between them the map is the smoothest one (biharmonic in space).
"""

import numpy as np
from scipy.interpolate import RBFInterpolator

from mvlm.twins.face.slits import Slit
from mvlm.twins.head import skin as colour
from mvlm.twins.head.anatomy import EYE, EYE_HALF_WIDTH, MOUTH_HALF_WIDTH, MOUTH_Y

# Material coordinates of landmarks as the formula head has them, left side.
BROW = ((12, 53), (21, 56), (29, 57), (38, 56), (46, 52), (46, 49), (38, 52), (29, 53), (21, 52), (12, 49))
NOSE = ((10, 32), (12, 14), (16, 2), (18, -5), (13, -10), (6, -12))
CONTOUR = ((80, 20), (79, -5), (76, -28), (70, -48), (56, -66), (38, -78), (18, -84))
MIDDLE = {"nose tip": (0, 0), "chin middle": (0, -75), "contour 7": (0, -88)}
# Points of the average face's surface (x, y) without a landmark, and their material coordinates.
OTHERS = (((0, 97), (0, 108)), ((35, 95), (36, 106)), ((0, 75), (0, 82)), ((0, 53), (0, 53)), ((60, 60), (66, 58)),
          ((40, 10), (42, 4)), ((32, 22), (33, 17)), ((0, 20), (0, 14)), ((0, 36), (0, 32)), ((0, -12), (0, -15)),
          ((40, -30), (42, -34)))  # fmt: skip
NOSTRIL = (6.5, -12.0)


def texture_coordinates(
    skin: np.ndarray, slits: dict[str, Slit], border: np.ndarray, marks: dict[str, int], nostrils: dict[str, int]
) -> np.ndarray:
    """(N, 2) texture coordinates of the skin's vertices.

    Args:
        skin: (N, 3) mm, the average face.
        slits: "left", "right" eye and "mouth".
        border: vertices on the border of the red of the lips.
        marks: landmarks, name -> vertex.
        nostrils: "left", "right" -> a vertex deep in the nostril.
    """
    known: dict[int, tuple[float, float]] = {}

    def along(rows, corners, half, height):
        first, second = skin[corners, 0]
        for row in rows:
            share = 2 * (skin[row, 0] - first) / (second - first) - 1
            known[int(row)] = (share * half, height(np.clip(share, -1, 1)))

    for sign, word in ((1, "left"), (-1, "right")):
        eye = slits[word]
        for rows in (eye.upper, eye.lower, eye.corners):
            along(rows, eye.corners, EYE_HALF_WIDTH, lambda _: EYE[1])
        for row in (*eye.upper, *eye.lower, *eye.corners):
            known[int(row)] = (known[int(row)][0] + sign * EYE[0], EYE[1])
        known |= {marks[f"{word} brow {i}"]: (sign * x, y) for i, (x, y) in enumerate(BROW)}
        known[nostrils[word]] = (sign * NOSTRIL[0], NOSTRIL[1])
    for i, (x, y) in enumerate(NOSE):
        known |= {marks[f"nose {i}"]: (x, y), marks[f"nose {11 - i}"]: (-x, y)}
    for i, (x, y) in enumerate(CONTOUR):
        known |= {marks[f"contour {i}"]: (x, y), marks[f"contour {14 - i}"]: (-x, y)}
    known |= {marks[name]: place for name, place in MIDDLE.items()}
    mouth = slits["mouth"]
    middle = skin[mouth.corners, 1].mean()
    red = border[abs(skin[border, 0]) < 0.9 * abs(skin[mouth.corners, 0]).min()]
    along(red[skin[red, 1] > middle], mouth.corners, MOUTH_HALF_WIDTH, lambda s: MOUTH_Y + _red(s)[0])
    along(red[skin[red, 1] < middle], mouth.corners, MOUTH_HALF_WIDTH, lambda s: MOUTH_Y - _red(s)[1])
    for rows in (mouth.upper, mouth.lower, mouth.corners):
        along(rows, mouth.corners, MOUTH_HALF_WIDTH, lambda _: MOUTH_Y)
    for (x, y), place in OTHERS:
        for sign in (1, -1):
            row = int(np.argmin((skin[:, 0] - sign * x) ** 2 + (skin[:, 1] - y) ** 2))
            known.setdefault(row, (sign * place[0], place[1]))
    rows = np.array(sorted(known))
    material = RBFInterpolator(skin[rows], np.array([known[row] for row in rows]), kernel="linear", degree=1)(skin)
    return np.clip(colour.unwrap_skin(*material.T), 0.002, 0.998)


def _red(share):
    """Height of the red above and below the slit where the picture has it, mm; `share` of the way to a corner."""
    reach = 1 - share**2
    upper = 7.2 * reach**0.8 - 1.6 * np.exp(-((share * MOUTH_HALF_WIDTH / 3.5) ** 2))
    return upper, 8.4 * reach**0.6
