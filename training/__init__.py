"""How the starter models came to be: data → training → ONNX → evaluation → model card. Never imported by the product.

`scripts/train MODEL` runs one of them. Needs the weights of the permissive pack, which are the teachers, and the
evaluation data (`FACESOCIAL_MODEL_MIRROR`, `FACESOCIAL_TEST_DATA`). What it makes of the pictures stays in
`.cache/training`; the trained weights alone leave it.
"""
