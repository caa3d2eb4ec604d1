"""`pole demo`: a small city on this machine. Emulated poles come IN, a live view and an honest count go OUT.

`run` starts and ends everything, `processes` and `watch` keep it alive, `chaos` kills it; `state` and `view` show it,
`reconciliation` counts at the end.
"""
