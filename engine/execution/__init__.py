"""How a network pass runs.

`base`, `plain` and `steady` are all that a backbone sees of it; `table`, `onnx` and `choice` also know where things are kept.
"""
