"""Soft targets in place of classes."""

from torch import Tensor

from mvlm.losses.rows import dots, number, shape_of, unit_rows


def soft_contrastive(image: Tensor, text: Tensor, *, targets: Tensor, temperature: Tensor | float) -> Tensor:
    """Equations (1)-(3) with soft, weighted targets: images against one text of each class.

    `-1/(2M) sum_ic T_ic ( log softmax_c(s(v_i, t_c)/tau) + log softmax_i(s(v_i, t_c)/tau) )`, M the sum of the targets
    T. Row i of T says how far image i belongs to each class; its sum is the image's weight. With targets of one class
    each, and n images in every class, this is the multi-positive form of `mvlm.losses.contrastive` less log(n)/2: there
    each text stands n times among the columns.

    Args:
        image: `(B, D)` image embeddings.
        text: `(C, D)` embedding of one text of each class.
        targets: `(B, C)`, none negative, not all 0.
        temperature: `()` tau > 0.
    """
    image, text = unit_rows("image", image, 2), unit_rows("text", text, 2)
    if image.shape[1] != text.shape[1] or tuple(targets.shape) != (len(image), len(text)):
        raise ValueError(
            "image (B, D), text (C, D) and targets (B, C) must agree, got "
            f"{shape_of(image)}, {shape_of(text)} and {shape_of(targets)}"
        )
    targets = targets.to(image)
    mass = targets.sum()
    if not (targets.isfinite().all() and (targets >= 0).all() and mass > 0):
        raise ValueError(f"targets must be finite, none negative, not all 0, got {targets.min()} to {targets.max()}")
    logits = dots(image / number("temperature", temperature, image, positive=True), text)
    return -(targets * (logits.log_softmax(1) + logits.log_softmax(0))).sum() / (2 * mass)
