"""The matrix of cut points: a job is cut at every moment at which it has an effect, and repeated.

``docs/faults.md`` says what is cut, and how one point is repeated.
"""
